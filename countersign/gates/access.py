"""What all gates of a host ask the portal, and what becomes of it.

One long poll tells of everything; a request that an event is about is then read. A session ends when no grant covers
it, which is at its grant's end also by this machine's own clock, and when the portal has given no good answer for the
grace. A request that this gateway opened, and that nobody here waits for any more, is cancelled after a while.
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

# A token may have 250 calls under way: the portal keeps one that asks for 20 s where no worker is there.
MOST_ASKING = 32
SHOWN_EVERY_SECONDS = 60.0
ASK_AGAIN_SECONDS = 3.0
# How long who doesn't wait for a yes is kept waiting, where the portal is slow.
NO_WAIT_SECONDS = 10.0
AWAY = "The portal does not answer now"
STAYS_OPEN = "It stays open: connect again when it is approved."
# Waiting helps nobody against these limits.
LIMITS_OF_A_PERSON = {ErrorCode.TOO_MANY_REQUESTS, ErrorCode.TOO_MANY_REFUSALS}

log = logging.getLogger(__name__)

# What has to be the same for two who ask to share one question: what for, and the source address.
_Key = tuple[str, str]


class Access:
    """What this gate asked the portal, and what became of it."""

    def __init__(self, api: Api, grace: float, retry_within: float) -> None:
        """`grace`: how many seconds sessions stay without a good answer of the portal.

        `retry_within`: for how many seconds a request stays open whose asker has gone. Made within an event loop.
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

        Raises BadQuestion where the token is no gateway's.
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
        """Open or join the request, and wait until a grant says yes; `tell` gets sentences as they become true.

        Raises Refused, NotAllowed, BadQuestion and Unavailable, each with a message for the person. Where this is
        cancelled the asker has gone: see `asker_withdrew`.
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
        """It may have been decided a moment ago, and no event have told of it yet."""
        try:
            await self._followed.read_now(request)
        except Unavailable:
            raise _away() from None

    async def resume(self, wanted: Wanted, tell: Tell) -> GateSession | None:
        """The session that a grant permits which lasts now; None where there is none. Nothing is asked for.

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
        """The session that the grant of this request permits, as it was read now; None where it permits none.

        Raises Unavailable, and BadQuestion.
        """
        if not self.answers:
            raise _away()
        if view.grant is None or not covers(view.grant, wanted.question.source_address, datetime.now(UTC)):
            return None
        return GateSession(wanted, self._followed.follow(view), view.grant, tell)

    def asker_withdrew(self, wanted: Wanted) -> None:
        """Whoever asked this, and whose `ask` was cancelled, no longer wants it.

        The request is cancelled at once, unless somebody else waits for it; also one that was kept for them.
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
        """Nobody has asked again: the request is cancelled."""
        self._drop(asking)
        if asking.opening and not asking.opening.done():
            # Where it is open all the same, its first event is seen, and it is cancelled then.
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
        """Whoever asks next asks anew where it is decided; its sessions may end."""
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
        """What those who wait are shown when it changes, and what is added each time."""
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
    """What somebody at the gate is told: of the gate's own token, nothing but that it is wrong."""
    if error.code in BAD_TOKEN:
        log.error("The portal does not take the gate's token: %s", error)
        return Unavailable("This gate may not ask the portal now: tell who runs it that the portal refuses its token.")
    return error
