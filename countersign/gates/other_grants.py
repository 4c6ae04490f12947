"""Sessions whose own grant is over, or soon will be: another grant may cover them."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from functools import partial

from countersign.errors import CountersignError
from countersign.gates.background import Background
from countersign.gates.calls import Calls
from countersign.gates.feed import now
from countersign.gates.followed_requests import FollowedRequests
from countersign.gates.tracking import WARNED_BEFORE, GateSession, Request, Wanted
from countersign.grant_reuse import covers
from countersign.http import Api
from countersign.views import RequestView

# How long another grant is looked for before a session ends, which must be within two seconds of its own grant.
LOOKING = timedelta(seconds=1.5)
# How often one is looked for in the minutes before the end, which is when most renewals are approved.
LOOK_EVERY_SECONDS = 15.0
# How many of these early looks run at once; those at a grant's end or revocation don't wait for them.
MOST_LOOKS = 4
# At most this many grants of one person for one device are looked at.
MOST_GRANTS = 200

log = logging.getLogger(__name__)


class OtherGrants:
    """Lets a session stay with another grant of the same person, device and protocol; else warns or ends it."""

    def __init__(self, api: Api, background: Background, followed: FollowedRequests) -> None:
        self._api, self._background, self._followed = api, background, followed
        self._early = Calls(MOST_LOOKS)

    def check(self, request: Request) -> None:
        """End the sessions of a request that are not covered any more, and warn those that end soon."""
        at = datetime.now(UTC)
        for session in list(request.sessions):
            is_due = session.ends_at - at <= WARNED_BEFORE and now() - session.looked_up_at >= LOOK_EVERY_SECONDS
            if (is_due or not session.is_covered(at)) and not session.is_looked_up:
                session.is_looked_up, session.looked_up_at = True, now()
                self._background.start(self._go_on_or_end(session))

    async def _go_on_or_end(self, session: GateSession) -> None:
        longer: RequestView | None = None
        try:
            async with asyncio.timeout(LOOKING.total_seconds()):
                longer = await self._longer_grant(session)
        except (CountersignError, TimeoutError) as error:
            log.warning("Other grants than that of #%s could not be looked for: %s", session.approval_id, error)
        session.is_looked_up = False
        at = datetime.now(UTC)
        if session.is_over:
            return
        if longer is not None and longer.grant is not None:
            session.go_on_by(self._followed.follow(longer), longer.grant)
        elif not session.is_covered(at):
            session.end(session.why_not_covered())
        elif not session.is_warned:
            session.warn(at)

    async def _longer_grant(self, session: GateSession) -> RequestView | None:
        """The request whose grant covers the session for longest; None unless that is longer than its own does."""
        at = datetime.now(UTC)
        read = self._early if session.is_covered(at) else self._followed.read
        longest = await self._longest(read, session.wanted, session.approval_id)
        at = datetime.now(UTC)
        ends_at = session.ends_at if session.is_covered(at) else at
        return longest if longest and longest.grant and longest.grant.ends_at > ends_at else None

    async def longest_grant(self, wanted: Wanted) -> RequestView | None:
        """The request whose grant permits this for longest; None if none does."""
        return await self._longest(self._followed.read, wanted)

    async def _longest(self, read: Calls, wanted: Wanted, but: int | None = None) -> RequestView | None:
        """The same, without the request `but`."""
        question, at = wanted.question, datetime.now(UTC)
        lasting = partial(
            self._api.requests, requester=wanted.person, device=wanted.device, limit=MOST_GRANTS, active_grant=True
        )
        found = [
            (view.grant.ends_at, view.approval_id, view)
            for view in await read(lasting)
            if view.question.workflow_id == question.workflow_id and view.approval_id != but
            if view.grant is not None and covers(view.grant, question.source_address, at)
        ]
        return max(found, key=lambda one: one[:2])[2] if found else None
