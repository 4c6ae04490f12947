"""What all gates of a host ask the portal, and what becomes of it.

One long poll tells of everything; a request that an event is about is then read. A session ends when no grant covers
it, which is at its grant's end also by this machine's own clock, and when the portal has given no good answer for the
grace. A request that this gateway opened, and that nobody here waits for any more, is cancelled after a while.
"""

import asyncio
import logging
import uuid
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NoReturn

from countersign.error_codes import ErrorCode
from countersign.errors import (
    BadQuestion,
    CountersignError,
    Delayed,
    NotAllowed,
    NotFound,
    Refused,
    TooMany,
    Unavailable,
    no_request,
)
from countersign.gates.calls import Calls
from countersign.gates.feed import RETRY_SECONDS, Feed, now
from countersign.gates.tracking import WARNED_BEFORE, Asking, Request, Session, Tell, Wanted, covers
from countersign.grant_reuse import is_yes, must_be_for
from countersign.http import Api
from countersign.models import GATEWAY, Question, Status, sentence
from countersign.times import duration, moment, span
from countersign.views import AuditEventView, RequestView

__all__ = ["Access", "Session", "Tell", "Wanted"]

# A token may have 250 calls under way: the portal keeps one that asks for 20 s where no worker is there.
MOST_ASKING, MOST_READING = 64, 16
TICK_SECONDS = 0.25
# Where no event told of a change: this gateway may have lost the device, and with it what happens there.
COMPARE_SECONDS = 60.0
TOLD_EVERY_SECONDS = 60.0
ASK_AGAIN_SECONDS = 3.0
# How long another grant is looked for before a session ends: it is to end two seconds after its own.
LOOKING_SECONDS = 1.5
# How long who doesn't wait is kept waiting, where the portal is slow.
NO_WAIT_SECONDS = 10.0
MOST_LEFT_OPEN = 1000
LEFT = "Nobody waits for it any more: whoever wanted to connect has gone."
AWAY = "The portal does not answer now"
# Waiting helps nobody against these limits.
LIMITS_OF_A_PERSON = {ErrorCode.TOO_MANY_REQUESTS, ErrorCode.TOO_MANY_REFUSALS}
BAD_TOKEN = {ErrorCode.NO_TOKEN, ErrorCode.INVALID_TOKEN}

log = logging.getLogger(__name__)


# What has to be the same for two who ask to share one question: what for, the source address and the minutes.
_Key = tuple[str, str, int | None]


class Access:
    """What this gate asked the portal, and what became of it."""

    def __init__(self, api: Api, grace: float, retry_within: float) -> None:
        """`grace`: how many seconds sessions stay without a good answer of the portal.

        `retry_within`: for how many seconds a request stays open whose asker has gone.
        """
        self._api, self._grace, self._retry_within = api, grace, retry_within
        self._asks, self._reads = Calls(MOST_ASKING), Calls(MOST_READING)
        self._feed = Feed(api, grace, self._happened, self._read_all, self._wake_all)
        self._asking: dict[_Key, Asking] = {}
        self._requests: dict[int, Request] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._name = ""
        self._failed: asyncio.Future[None] | None = None

    async def run(self) -> NoReturn:
        """Follow what happens until an exception ends it; all sessions end then.

        Raises BadQuestion where the token is no gateway's.
        """
        self._failed = asyncio.get_running_loop().create_future()
        self._start(self._feed.run())
        self._start(self._tick())
        try:
            await self._failed
        finally:
            self.end_all("The gate has ended, and with it the session.")
            for task in self._tasks:
                task.cancel()
        raise AssertionError("only an exception ends it")

    @property
    def answers(self) -> bool:
        """Whether the portal gives good answers now."""
        return self._feed.answers

    def end_all(self, why: str) -> None:
        """End all sessions."""
        for request in list(self._requests.values()):
            for session in list(request.sessions):
                session.end(why)

    # --- asking ------------------------------------------------------------------------------------------------------

    async def ask(self, wanted: Wanted, tell: Tell) -> Session:
        """Open or join the request, and wait until a grant says yes; `tell` gets sentences as they become true.

        Raises Refused, NotAllowed, BadQuestion and Unavailable, each with a message for the person. Where this is
        cancelled the asker has gone: see `asker_withdrew`.
        """
        question = wanted.question
        asking = self._joined(question)
        try:
            if wanted.wait:
                return await self._answer(asking, wanted, tell)
            async with asyncio.timeout(NO_WAIT_SECONDS):
                return await self._answer(asking, wanted, tell)
        except TimeoutError:
            raise Unavailable(f"{AWAY}; try again.") from None
        finally:
            self._leave(asking)

    async def resume(self, wanted: Wanted, tell: Tell) -> Session | None:
        """The session that a grant permits which lasts now; None where there is none. Nothing is asked for.

        Raises Unavailable, and BadQuestion.
        """
        if not self._feed.answers:
            raise Unavailable(f"{AWAY}; try again.")
        longest = await self._longest_grant(wanted, wanted.source_address, datetime.now(UTC))
        if longest is None or longest.grant is None:
            return None
        return Session(wanted, wanted.source_address, self._followed(longest), longest.grant, tell)

    def asker_withdrew(self, wanted: Wanted) -> None:
        """Whoever asked this, and whose `ask` was cancelled, wants it no more.

        The request is cancelled at once, unless somebody else waits for it.
        """
        asking = self._asking.get(_key(wanted.question))
        if asking is not None and not asking.people:
            asking.is_withdrawn = True
            self._leave(asking, people=0)

    def _joined(self, question: Question) -> Asking:
        key = _key(question)
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = Asking(question)
            asking.opening = self._start(self._open(asking))
        asking.people += 1
        asking.is_withdrawn = False
        if asking.leaving:
            asking.leaving.cancel()
        return asking

    def _leave(self, asking: Asking, people: int = 1) -> None:
        asking.people -= people
        if asking.people or asking.is_kept or not asking.is_current:
            return
        if asking.leaving:
            asking.leaving.cancel()
        seconds = 0 if asking.is_withdrawn else self._retry_within
        asking.leaving = asyncio.get_running_loop().call_later(seconds, self._give_up, asking)

    def _give_up(self, asking: Asking) -> None:
        """Nobody has asked again: the request is cancelled."""
        self._drop(asking)
        if asking.opening and not asking.opening.done():
            # Where it is open all the same, its first event is seen, and it is cancelled then.
            asking.opening.cancel()
        elif asking.request and asking.request.waits and not self._is_wanted(asking.request.approval_id):
            self._start(self._cancel(asking.request.approval_id))

    def _drop(self, asking: Asking) -> None:
        if asking.is_current:
            asking.is_current = False
            del self._asking[_key(asking.question)]

    async def _open(self, asking: Asking) -> Request:
        """Ask the portal until it answers."""
        key = uuid.uuid4().hex
        try:
            while True:
                pause = ASK_AGAIN_SECONDS
                try:
                    asked = await self._asks(partial(self._api.ask, asking.question, key))
                    return await self._tracked(asking, asked.approval_id)
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

    async def _answer(self, asking: Asking, wanted: Wanted, tell: Tell) -> Session:
        request = await self._opened(asking, tell)
        said, told_at = "", -TOLD_EVERY_SECONDS
        while True:
            changed = request.changed
            if request.view is None:
                raise no_request(request.approval_id)
            if not request.waits:
                if self._feed.answers:
                    return self._session(request, asking.question, wanted, tell)
                about, left = f"#{request.approval_id} is decided", f"{AWAY}, and nobody gets in until it does"
            else:
                about, left = request.waiting_for(datetime.now(UTC))
            if not wanted.wait and request.waits:
                asking.is_kept = True
                raise Refused(f"{about}; {left}. It stays open: connect again when it is approved.")
            if not wanted.wait:
                raise Unavailable(f"{AWAY}; try again.")
            about += "" if self._feed.answers or not request.waits else f". {AWAY}"
            if about != said or now() - told_at >= TOLD_EVERY_SECONDS:
                tell(f"{about}; {left}")
                said, told_at = about, now()
            with suppress(TimeoutError):
                async with asyncio.timeout(TOLD_EVERY_SECONDS):
                    await changed.wait()

    async def _opened(self, asking: Asking, tell: Tell) -> Request:
        """The request once the portal has opened it; until then the asker is told what is known."""
        assert asking.opening
        said = ""
        while True:
            done, _ = await asyncio.wait([asking.opening], timeout=TICK_SECONDS)
            if done:
                try:
                    return asking.opening.result()
                except CountersignError as error:
                    raise _for_a_person(error) from None
            if asking.says != said:
                said = asking.says
                tell(said)

    def _session(self, request: Request, question: Question, wanted: Wanted, tell: Tell) -> Session:
        """The session that the request's grant permits; Refused says why there is none."""
        view, at = request.view, datetime.now(UTC)
        assert view
        if view.status is not Status.APPROVED or view.grant is None:
            raise Refused(f"#{request.approval_id} is {view.status}. {view.message}", ErrorCode.REFUSED)
        if not is_yes(view.grant, at):
            raise Refused(f"#{request.approval_id}: {view.grant.message or 'the grant has ended.'}", ErrorCode.REFUSED)
        must_be_for(view.grant, question.source_address)
        session = Session(wanted, question.source_address, request, view.grant, tell)
        tell(f"#{request.approval_id} lets you in until {moment(session.ends_at)} ({span(session.ends_at - at)}).")
        return session

    # --- what happens ------------------------------------------------------------------------------------------------

    def _happened(self, events: Sequence[AuditEventView]) -> None:
        for event in events:
            number = event.approval_id
            if number is None:
                continue
            if number in self._requests:
                self._read_soon(self._requests[number])
            elif event.kind == "opened" and event.who == self._name:
                self._cancel_unless_wanted(number)

    async def _read_all(self) -> None:
        """Read everything again: something may have happened that no event told of."""
        if not self._name:
            self._name = await self._own_name()
        left_open = await self._reads(partial(self._api.requests, status=Status.WAITING, limit=MOST_LEFT_OPEN))
        for view in left_open:
            if view.asked_by == self._name:
                self._cancel_unless_wanted(view.approval_id)
        await asyncio.gather(*(self._read(request) for request in list(self._requests.values())))

    async def _own_name(self) -> str:
        me = await self._reads(self._api.me)
        if me.kind != "gateway":
            error = BadQuestion(f"The token is {me.name}'s, who is no gateway; make one with `token create --gateway`.")
            self._fail(error)
            raise error
        return f"{GATEWAY}{me.name}"

    async def _tracked(self, asking: Asking, approval_id: int) -> Request:
        """The request, read once its events are followed: so none is missed."""
        request = asking.request = self._requests.setdefault(approval_id, Request(approval_id))
        request.askings.add(asking)
        await self._read(request)
        return request

    async def _read(self, request: Request) -> None:
        try:
            view = await self._reads(partial(self._api.request, request.approval_id))
        except (NotFound, NotAllowed) as error:
            if error.code in BAD_TOKEN:
                raise
            request.view = None
            request.wake()
            self._end_sessions(request, f"The portal no longer shows this gate #{request.approval_id}.")
            return
        request.read_at = now()
        request.take(view)
        if not request.waits:
            for asking in [one for one in self._asking.values() if one.request is request]:
                self._drop(asking)
        self._check(request)

    def _read_soon(self, request: Request) -> None:
        """Read it, and once more where it was being read when something happened."""
        if request.stale_since is None:
            request.stale_since = now()
        if not request.is_read:
            request.is_read = True
            self._start(self._read_until_fresh(request))

    async def _read_until_fresh(self, request: Request) -> None:
        try:
            while request.stale_since is not None:
                since, request.stale_since = request.stale_since, None
                try:
                    await self._read(request)
                except CountersignError as error:
                    request.stale_since = since
                    log.warning("#%s could not be read: %s", request.approval_id, error)
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            request.is_read = False

    def _wake_all(self) -> None:
        for request in list(self._requests.values()):
            request.wake()

    # --- what was left open ------------------------------------------------------------------------------------------

    def _is_wanted(self, approval_id: int) -> bool:
        """Whether somebody here asks for it, or may come back for it."""
        return any(one.request and one.request.approval_id == approval_id for one in self._asking.values())

    def _cancel_unless_wanted(self, approval_id: int) -> None:
        """Cancel a request of this gateway's, unless somebody asks for it within the time to retry."""
        self._start(self._cancel_left(approval_id))

    async def _cancel_left(self, approval_id: int) -> None:
        await asyncio.sleep(self._retry_within)
        # Whoever has not learnt yet which request is theirs may learn that it is this one.
        if openings := [one.opening for one in self._asking.values() if one.opening and not one.request]:
            await asyncio.wait(openings)
        if not self._is_wanted(approval_id):
            await self._cancel(approval_id)

    async def _cancel(self, approval_id: int) -> None:
        """Cancel a request that waits and that this gateway opened."""
        while not self._is_wanted(approval_id):
            try:
                view = await self._reads(partial(self._api.request, approval_id))
                if view.status is Status.WAITING and view.asked_by == self._name:
                    await self._reads(partial(self._api.cancel, approval_id, LEFT))
                    log.info("#%s was cancelled: nobody waits for it any more.", approval_id)
                return
            except Unavailable:
                await asyncio.sleep(ASK_AGAIN_SECONDS)
            except CountersignError as error:
                log.warning("#%s was not cancelled, though nobody waits for it: %s", approval_id, error)
                return

    # --- the sessions ------------------------------------------------------------------------------------------------

    async def _tick(self) -> NoReturn:
        while True:
            self._keep_grace()
            for request in list(self._requests.values()):
                self._check(request)
                if not request.is_used:
                    del self._requests[request.approval_id]
                elif self._feed.answers and now() - request.read_at > COMPARE_SECONDS:
                    self._read_soon(request)
            await asyncio.sleep(TICK_SECONDS)

    def _keep_grace(self) -> None:
        """End what has not been confirmed for so long."""
        at = now()
        why = sentence(f"The portal has not answered for {duration(timedelta(seconds=self._grace))}")
        for request in list(self._requests.values()):
            unknown_since = min(self._feed.heard_at, request.stale_since or at)
            if at - unknown_since > self._grace:
                self._end_sessions(request, why)

    def _check(self, request: Request) -> None:
        """End the sessions that are not covered any more, and warn those that end soon."""
        at = datetime.now(UTC)
        for session in list(request.sessions):
            if not session.is_covered(at) or (not session.is_warned and session.ends_at - at <= WARNED_BEFORE):
                self._look_further(session)

    def _look_further(self, session: Session) -> None:
        if not session.is_looked_up:
            session.is_looked_up = True
            self._start(self._go_on_or_end(session))

    async def _go_on_or_end(self, session: Session) -> None:
        """Stay by another grant of the same person, device and protocol, where there is one that lasts longer."""
        longer: RequestView | None = None
        try:
            async with asyncio.timeout(LOOKING_SECONDS):
                longer = await self._longer_grant(session)
        except (CountersignError, TimeoutError) as error:
            log.warning("Other grants of #%s could not be looked for: %s", session.approval_id, error)
        finally:
            session.is_looked_up = False
        if session.is_over:
            return
        at = datetime.now(UTC)
        if longer is not None and longer.grant is not None:
            session.go_on_by(self._followed(longer), longer.grant)
        elif session.is_covered(at):
            session.warn(at)
        else:
            session.end(session.why_not_covered())

    async def _longer_grant(self, session: Session) -> RequestView | None:
        """The request with the grant that covers the session for longest, where that is longer than its own does."""
        at = datetime.now(UTC)
        longest = await self._longest_grant(session.wanted, session.source_address, at, session.approval_id)
        ends_at = session.ends_at if session.is_covered(at) else at
        return longest if longest and longest.grant and longest.grant.ends_at > ends_at else None

    async def _longest_grant(
        self, wanted: Wanted, source_address: str, at: datetime, but: int | None = None
    ) -> RequestView | None:
        """The request whose grant lets somebody stay for longest; of all but one."""
        key = wanted.question.workflow_id
        asked = partial(self._api.requests, Status.APPROVED, wanted.person, device=wanted.device)
        found = [
            (view.grant.ends_at, view.approval_id, view)
            for view in await self._reads(asked)
            if view.question.workflow_id == key and view.grant and covers(view.grant, source_address, at)
            if view.approval_id != but
        ]
        return max(found, key=lambda one: one[:2])[2] if found else None

    def _followed(self, view: RequestView) -> Request:
        """A request that the feed tells of from now on, read again lest something happened meanwhile."""
        request = self._requests.setdefault(view.approval_id, Request(view.approval_id))
        request.take(view)
        self._read_soon(request)
        return request

    def _end_sessions(self, request: Request, why: str) -> None:
        for session in list(request.sessions):
            session.end(why)

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        """Where it ended by a fault of ours, all ends: what is not followed can't be kept."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, CountersignError):
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failed and not self._failed.done():
            self._failed.set_exception(error)


def _key(question: Question) -> _Key:
    return question.workflow_id, question.source_address, question.minutes


def _for_a_person(error: CountersignError) -> CountersignError:
    """What somebody at the gate is told: of the gate's own token, nothing but that it is wrong."""
    if error.code in BAD_TOKEN:
        log.error("The portal does not take the gate's token: %s", error)
        return Unavailable("This gate may not ask the portal now: tell who runs it that its token is not taken.")
    return error
