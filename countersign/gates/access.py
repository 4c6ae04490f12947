"""Asks the portal on behalf of all gates of a host, and keeps track of the requests and sessions.

One long poll brings all events; a request that an event is about is then read. A session ends when no grant covers it
any more (this machine's own clock, too, ends it at its grant's end), and when the portal has given no good answer for
the grace period. A request that this gateway opened, and that nobody here waits for any more, is cancelled after a
while.
"""

import asyncio
import logging
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import NoReturn

from countersign.error_codes import ErrorCode
from countersign.errors import CountersignError, Delayed, Refused, TooMany, Unavailable
from countersign.gates.abandoned_requests import AbandonedRequests
from countersign.gates.background import Background
from countersign.gates.calls import Calls
from countersign.gates.feed import now
from countersign.gates.followed_requests import BAD_TOKEN, TICK_SECONDS, FollowedRequests
from countersign.gates.other_grants import OtherGrants
from countersign.gates.tracking import GateSession, Request, SharedQuestion, Tell, Wanted
from countersign.grant_reuse import covers, is_yes, must_be_for, not_from_here
from countersign.http import Api
from countersign.models import Question, Status
from countersign.times import moment, span
from countersign.views import RequestView

__all__ = ["Access", "GateSession", "Tell", "Wanted"]

# A token may have 250 calls under way, and without a worker the portal holds each call of `Api.ask` for 20 s.
MOST_ASKING = 32
SHOWN_EVERY_SECONDS = 60.0
ASK_AGAIN_SECONDS = 3.0
# How long a slow portal may hold up those who don't wait for an approval.
NO_WAIT_SECONDS = 10.0
AWAY = "The portal does not answer now"
STAYS_OPEN = "It stays open: connect again when it is approved."
# Trying again does not help against these limits.
LIMITS_OF_A_PERSON = {ErrorCode.TOO_MANY_REQUESTS, ErrorCode.TOO_MANY_REFUSALS}

log = logging.getLogger(__name__)

# What has to be the same for two callers to share one question: the workflow's id and the source address.
_Key = tuple[str, str]


class Access:
    """The questions of this host's gates, and the sessions that grants permit."""

    def __init__(self, api: Api, grace: float, retry_within: float) -> None:
        """`grace`: how many seconds sessions stay without a good answer from the portal.

        `retry_within`: how many seconds a request stays open after its asker has gone. Needs a running event loop.
        """
        self._api, self._retry_within = api, retry_within
        self._calls = Calls(MOST_ASKING)
        self._asking: dict[_Key, SharedQuestion] = {}
        self._background = Background()
        self._abandoned = AbandonedRequests(api, self._background, retry_within, self._is_wanted)
        opened, began = self._abandoned.opened, self._abandoned.find_left_over
        self._followed = FollowedRequests(api, grace, self._background, self._check, opened, began)
        self.listen, self.end_all = self._followed.listen, self._followed.end_all
        self._other_grants = OtherGrants(api, self._background, self._followed)

    async def run(self) -> NoReturn:
        """Follow what happens until an exception ends it; all sessions end then.

        Raises BadQuestion if the token isn't a gateway's.
        """
        self._followed.start()
        try:
            await self._background.until_failure()
        finally:
            self.end_all("The gate has ended, and with it the session.")

    @property
    def answers(self) -> bool:
        """Whether the portal gives good answers now."""
        return self._followed.answers

    async def ask(self, wanted: Wanted, tell: Tell) -> GateSession:
        """Open or join the request, and wait until a grant permits it; `tell` gets messages for the person meanwhile.

        Raises Refused, NotAllowed, BadQuestion and Unavailable, each with a message for the person. Cancelling this
        means that the asker has gone; see `asker_withdrew`.
        """
        asking = self._joined(wanted.question)
        was_asked_before = asking.request is not None
        try:
            async with asyncio.timeout(None if wanted.wait else NO_WAIT_SECONDS):
                request = await self._opened(asking, tell)
                if was_asked_before and not wanted.wait:
                    await self._read_once_more(request)
                return await self._answer(asking, request, wanted, tell)
        except TimeoutError:
            raise _away() from None
        finally:
            self._leave(asking)

    async def _read_once_more(self, request: Request) -> None:
        """Read a request that may have been decided a moment ago, before the event arrives."""
        try:
            await self._followed.read_now(request)
        except Unavailable:
            raise _away() from None

    async def resume(self, wanted: Wanted, tell: Tell) -> GateSession | None:
        """The session that an active grant permits; None if there is no such grant. No request is opened.

        Raises Unavailable, and BadQuestion.
        """
        if not self.answers:
            raise _away()
        try:
            async with asyncio.timeout(NO_WAIT_SECONDS):
                longest = await self._other_grants.longest_grant(wanted)
        except TimeoutError:
            raise _away() from None
        return self.session_by(longest, wanted, tell) if longest else None

    def session_by(self, view: RequestView, wanted: Wanted, tell: Tell) -> GateSession | None:
        """The session that the grant of this request, which was just read, permits; None if it permits none.

        Raises Unavailable, and BadQuestion.
        """
        if not self.answers:
            raise _away()
        if view.grant is None or not covers(view.grant, wanted.question.source_address, datetime.now(UTC)):
            return None
        return GateSession(wanted, self._followed.follow(view), view.grant, tell)

    def asker_withdrew(self, wanted: Wanted) -> None:
        """Withdraw what somebody asked whose `ask` was cancelled.

        The request is cancelled at once, even if it was kept for them, unless somebody else waits for it.
        """
        asking = self._asking.get(_key(wanted.question))
        if asking is not None and not asking.people:
            asking.is_kept = False
            self._leave_after(asking, 0)

    # --- who asks ----------------------------------------------------------------------------------------------------

    def _joined(self, question: Question) -> SharedQuestion:
        key = _key(question)
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = SharedQuestion(question)
            asking.opening = self._background.start(self._open(asking))
        asking.people += 1
        if asking.leaving:
            asking.leaving.cancel()
        return asking

    def _leave(self, asking: SharedQuestion) -> None:
        asking.people -= 1
        if not asking.people:
            self._leave_after(asking, self._retry_within)

    def _leave_after(self, asking: SharedQuestion, seconds: float) -> None:
        if asking.is_kept or not asking.is_current:
            return
        if asking.leaving:
            asking.leaving.cancel()
        asking.leaving = asyncio.get_running_loop().call_later(seconds, self._give_up, asking)

    def _give_up(self, asking: SharedQuestion) -> None:
        """Cancel the request, as nobody has asked again."""
        self._drop(asking)
        if asking.opening and not asking.opening.done():
            # If it was opened all the same, the event about that will come, and it is cancelled then.
            asking.opening.cancel()
        elif asking.request and asking.request.waits:
            self._abandoned.cancel(asking.request.approval_id)

    def _drop(self, asking: SharedQuestion) -> None:
        if asking.is_current:
            asking.is_current = False
            del self._asking[_key(asking.question)]

    def _is_wanted(self, question: Question) -> bool:
        """Whether somebody here asks for this, or may come back: the open request is theirs, or they will join it."""
        return any(one.question.workflow_id == question.workflow_id for one in self._asking.values())

    def _check(self, request: Request) -> None:
        """Once a request is decided, have whoever asks next ask anew; end or warn its sessions if needed."""
        if not request.waits:
            for asking in request.askings:
                self._drop(asking)
        self._other_grants.check(request)

    # --- the answer --------------------------------------------------------------------------------------------------

    async def _open(self, asking: SharedQuestion) -> Request:
        """Ask the portal until it answers."""
        key = uuid.uuid4().hex
        try:
            while True:
                pause = ASK_AGAIN_SECONDS
                try:
                    asked = await self._calls(partial(self._api.ask, asking.question, key))
                    # Its events are followed before it is read, so that none is missed.
                    request = asking.request = self._followed.request(asked.approval_id)
                    request.askings.add(asking)
                    await self._followed.read_now(request)
                    return request
                except Delayed as error:
                    asking.says = str(error)
                except TooMany as error:
                    if error.code in LIMITS_OF_A_PERSON:
                        raise
                    pause = error.retry_after
                except Unavailable as error:
                    log.warning("A question could not be asked: %s", error)
                    asking.says = f"{AWAY}; it is asked again until it does."
                await asyncio.sleep(pause)
        except BaseException:
            self._drop(asking)
            raise

    async def _opened(self, asking: SharedQuestion, tell: Tell) -> Request:
        """The request once the portal has opened it; until then the asker is told what is known."""
        assert asking.opening
        shown = ""
        while not (await asyncio.wait([asking.opening], timeout=TICK_SECONDS))[0]:
            if asking.says != shown:
                shown = asking.says
                tell(shown)
        try:
            return asking.opening.result()
        except CountersignError as error:
            raise _for_a_person(error) from None

    async def _answer(self, asking: SharedQuestion, request: Request, wanted: Wanted, tell: Tell) -> GateSession:
        shown, shown_at = "", 0.0
        while True:
            changed = request.changed
            if request.view is None:
                raise Refused(
                    f"The portal no longer shows this gate #{request.approval_id}: connect again to ask anew."
                )
            if not request.waits and self._followed.knows(request):
                return _session(request, wanted, tell)
            if not request.waits and not wanted.wait:
                raise _away()
            about, left = self._how_it_is(request)
            refused = not_from_here(request.view, asking.question.source_address)
            if not wanted.wait:
                asking.is_kept = not refused
                raise Refused(f"{about}; {left}. {refused or STAYS_OPEN}")
            if about != shown or now() - shown_at >= SHOWN_EVERY_SECONDS:
                tell(f"{about}; {left}" + (f". {refused}" if refused else ""))
                shown, shown_at = about, now()
            with suppress(TimeoutError):
                async with asyncio.timeout(SHOWN_EVERY_SECONDS):
                    await changed.wait()

    def _how_it_is(self, request: Request) -> tuple[str, str]:
        """What those who wait are shown: a text that is shown when it changes, and what is added each time."""
        if not request.waits:
            return f"#{request.approval_id} is decided", f"{AWAY}, and nobody gets in until it does"
        about, left = request.waiting_for(datetime.now(UTC))
        return about if self.answers else f"{about}. {AWAY}", left


def _session(request: Request, wanted: Wanted, tell: Tell) -> GateSession:
    """The session that the request's grant permits; Refused says why there is none."""
    view, at = request.view, datetime.now(UTC)
    assert view
    if view.status is not Status.APPROVED or view.grant is None:
        raise Refused(f"#{request.approval_id} is {view.status}. {view.message}")
    if not is_yes(view.grant, at):
        raise Refused(f"#{request.approval_id}: {view.grant.message or 'the grant has ended.'}")
    must_be_for(view.grant, wanted.question.source_address)
    session = GateSession(wanted, request, view.grant, tell)
    tell(f"#{request.approval_id} lets you in until {moment(session.ends_at)} ({span(session.ends_at - at)}).")
    return session


def _away() -> Unavailable:
    return Unavailable(f"{AWAY}; try again.")


def _key(question: Question) -> _Key:
    return question.workflow_id, question.source_address


def _for_a_person(error: CountersignError) -> CountersignError:
    """The error to show to somebody at the gate; about the gate's own token only that the portal refuses it."""
    if error.code in BAD_TOKEN:
        log.error("The portal does not take the gate's token: %s", error)
        return Unavailable(
            "This gate may not ask the portal now: tell whoever runs it that the portal refuses its token."
        )
    return error
