"""The one way in: every answer, wish and signal, from whatever channel, passes here on its way to a request."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from countersign.client import Client
from countersign.error_codes import ErrorCode
from countersign.errors import CountersignError, NotFound, NotYet, Refused, Unavailable, other_level
from countersign.models import Answer, Asked, GrantStatus, Judgement, LevelPeople, Question, Status
from countersign.notifications import Person, RejectedInput, SubmittedAnswer
from countersign.permissions import Action, Principal, disabled, must_be_allowed, principal
from countersign.transitions import (
    GONE,
    GRANT_STEP,
    AskAgain,
    Availability,
    Cancel,
    DeadlineCheck,
    GrantEnd,
    LevelStart,
    Opening,
    OpenReply,
    Recheck,
    RecordedTransition,
    Revoke,
    Settled,
    TimelyAnswers,
    Transition,
    TransitionResult,
    Undo,
    gone,
    time_over,
    withdrawn,
)
from countersign.views import Mine, RequestView
from engine.outbox import Outbox
from engine.planning import Planning
from engine.policy import ReadPolicy, put_in_force
from engine.transactions import Transactions
from store import Store

# What is younger than this is still on its way.
LEFT_OVER_AFTER = timedelta(seconds=15)
# How many waiting requests are looked at each time, whether a workflow still decides them.
LOOKED_AT_ONCE = 20
# When a grant's workflow should have ended it.
OVERDUE_AFTER = timedelta(minutes=1)
# How many requests are dealt with together.
AT_ONCE = 20

T = TypeVar("T")
U = TypeVar("U", bound=Undo)


class Engine:
    """Stores, submits, and says what became of it.

    `outbox` sends what is written here at once, and its channels tell a sender of a refusal; without one, the sweeper
    of a worker sends it. `executor` is where transactions run, the store's own where there is none.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        outbox: Outbox | None = None,
        executor: Executor | None = None,
        minute: timedelta = timedelta(minutes=1),
        most_an_hour: int = 0,
    ) -> None:
        self.client = client
        self.transactions = Transactions(store, minute, most_an_hour)
        self.planning = Planning(store)
        self._put_in_force = partial(put_in_force, store)
        self.answers = store.answers
        self.requests = store.reading
        self.grants = store.grants
        self.outbox = outbox
        self.executor = executor or store.database.executor
        self._looked_through = 0  # the number of the waiting request that was looked at last

    async def ask(self, question: Question, who: str, request_id: str) -> Asked:
        """Open or join the request for a question, or answer it by a grant that lasts. Raises Refused, Unavailable.

        `who` asks: the requester, or an admin or gateway for them; the same `request_id` again is the same asking.
        """
        # Who asks for themselves and is disabled is refused by the rules, on record.
        if who != question.requester and not (await self._principal(who)).enabled:
            raise disabled()
        asked = await self._run(self.transactions.asking.answer_on_record, question, who)
        return asked or await self.client.ask(question, request_id, who)

    async def store(self, given: SubmittedAnswer) -> Answer:
        """Store the answer before anything else. Raises NotFound, and Refused, recorded, where it could never count."""
        try:
            return await self._run(self.transactions.answers.store, given, self._tells(given.channel))
        except Refused:
            await self._answer_back(given.approval_id)
            raise

    async def submit(self, answer: Answer) -> Judgement:
        """Have its request judge a stored answer; again gives the same. Raises Unavailable; the sweeper retries."""
        outcome = await self._run(self.answers.outcome, answer.id)
        if outcome.state == "open":
            try:
                return await self._judge(answer)
            except Refused as error:
                refusal = error
            except NotFound as error:
                refusal = await self._how_it_ended(answer.approval_id)
                if refusal.fields["request_status"] == Status.WAITING:
                    if not await self._settle_if_gone(answer.approval_id):
                        raise Unavailable("The request can't be asked now; the answer is kept.") from error
                    refusal = await self._how_it_ended(answer.approval_id)
            await self._run(self.transactions.answers.refuse, answer.id, refusal, self._tells(answer.channel))
            await self._answer_back(answer.approval_id)
            outcome = await self._run(self.answers.outcome, answer.id)
        view = await self._run(self.requests.request, answer.approval_id)
        accepted = outcome.state == "accepted"
        return Judgement(accepted=accepted, words=outcome.words, status=view.status, details=outcome.details)

    async def _judge(self, answer: Answer) -> Judgement:
        """Have the request's workflow judge an answer, telling it first what is on record where it has forgotten that.

        Raises Refused, NotFound, Unavailable; NotYet where it still can't tell.
        """
        workflow_id = await self._run(self.requests.workflow_of, answer.approval_id)
        try:
            return await self.client.decide(workflow_id, answer)
        except NotYet:
            view = await self._run(self.requests.request, answer.approval_id)
            if answer.level > view.level:  # a level is on record before anybody is asked at it
                raise other_level(answer.approval_id, answer.level, view.level) from None
        for counted in await self._run(self.answers.counted_of, answer.approval_id):
            with suppress(Refused, NotYet):
                await self.client.decide(workflow_id, counted)
        return await self.client.decide(workflow_id, answer)

    async def record_rejected(self, refused: RejectedInput) -> None:
        """Record what came in and decides nothing, and tell its sender where `event` says so."""
        await self._run(self.transactions.rejected_inputs.record, refused)
        if refused.event and refused.approval_id:
            await self._answer_back(refused.approval_id)

    async def person_at(self, address: str) -> Person | None:
        """The person of the directory with this mail address, whatever its case."""
        return await self._run(self.requests.person_at, address)

    async def person(self, person: str) -> Person:
        """Somebody of the directory by id."""
        return await self._run(self.requests.person, person)

    async def request(self, approval_id: int) -> RequestView:
        """A request as it stands. Raises NotFound."""
        return await self._run(self.requests.request, approval_id)

    async def mine(self, person: str) -> Mine:
        """The requests that somebody has something to do with; nothing is the business of who is disabled."""
        caller = await self._principal(person)
        return await self._run(self.requests.mine, person) if caller.enabled else Mine()

    async def cancel(
        self, approval_id: int, who: str, channel: str, words: str = "", admin: bool = False, wish_id: str = ""
    ) -> Judgement:
        """Withdraw a waiting request: its requester may, and an admin (rule 7).

        The same `wish_id` again is the same wish, and hears what that brought about, whatever crashed meanwhile. Where
        its workflow can't be asked to, it is withdrawn on record, which holds for everybody.
        """
        view = await self._allowed(Action.CANCEL, approval_id, who, admin)
        wish = await self._wish(Cancel, approval_id=approval_id, who=who, channel=channel, words=words, id=wish_id)
        try:
            return await self.client.cancel(view.question.workflow_id, wish)
        except Unavailable:
            return await self._withdraw_on_record(view, wish)
        except (NotFound, Refused) as error:
            view = await self._run(self.requests.request, approval_id)
            if await self._brought_about(approval_id, wish_id):
                return Judgement(accepted=True, words=view.words, status=view.status)
            if view.status is Status.WAITING:
                if isinstance(error, NotFound) and await self._settle_if_gone(approval_id):
                    return Judgement(accepted=True, words=GONE, status=Status.CANCELLED)
                raise
            raise _ended(view) from error

    async def _withdraw_on_record(self, view: RequestView, wish: Cancel) -> Judgement:
        """Withdraw a request without its workflow, which is told to end, and else learns so when it next writes."""
        step = withdrawn(wish, view.token_run, view.level, view.question.requester)
        written = await self._run(self.transactions.transitions.write, step)
        if view.token_run:
            with suppress(CountersignError):
                await self.client.end(view.question.workflow_id, view.token_run)
        view = await self._run(self.requests.request, wish.approval_id)
        if written.instead is not None and not await self._brought_about(wish.approval_id, wish.id):
            raise _ended(view)
        return Judgement(accepted=True, words=view.words, status=view.status)

    async def revoke(
        self, approval_id: int, who: str, channel: str, words: str = "", admin: bool = False, wish_id: str = ""
    ) -> None:
        """End a grant early: an approver of the request may, and an admin (rule 7)."""
        view = await self._allowed(Action.REVOKE, approval_id, who, admin)
        wish = await self._wish(Revoke, approval_id=approval_id, who=who, channel=channel, words=words, id=wish_id)
        await self._end_grant(view, wish)

    async def give_back(self, approval_id: int, who: str, channel: str, words: str = "", wish_id: str = "") -> None:
        """End a grant early that is needed no longer: its requester may, and a gateway that asked for it (rule 7)."""
        view = await self._allowed(Action.GIVE_BACK, approval_id, who)
        wish = await self._wish(Revoke, approval_id=approval_id, who=who, channel=channel, words=words, id=wish_id)
        await self._end_grant(view, wish.model_copy(update={"given_back": True}))

    async def _end_grant(self, view: RequestView, wish: Revoke) -> None:
        about = view.approval_id
        if view.grant is None:
            what = "give back" if wish.given_back else "revoke"
            why = f"#{about} is {view.status} and has no grant to {what}."
            raise Refused(why, ErrorCode.NO_GRANT, approval_id=about, request_status=view.status)
        over = Refused(f"The grant of #{about} is over already.", ErrorCode.GRANT_OVER, approval_id=about)
        try:
            if view.grant.status is not GrantStatus.ACTIVE:
                raise over
            await self.client.revoke(wish, view.token_run)
        except (NotFound, Unavailable):
            # Its workflow has ended, was ended past us or lost, or can't be asked: the record is what counts.
            if not await self._end_on_record(view, wish) and not await self._brought_about(about, wish.id):
                raise over from None
        except Refused as error:
            if not await self._brought_about(about, wish.id):
                raise over from error

    async def _end_on_record(self, view: RequestView, wish: Revoke) -> bool:
        end = wish.end(datetime.now(UTC))
        return await self._run(self.transactions.granting.end, end.model_copy(update={"run": view.token_run}))

    async def _brought_about(self, approval_id: int, wish_id: str) -> bool:
        """Whether the request, or its grant, ended by this very wish, which is made again."""
        return bool(wish_id) and await self._run(self.requests.brought_about, approval_id, wish_id)

    async def _wish(self, kind: type[U], who: str, **fields: Any) -> U:
        name = (await self._run(self.requests.person, who)).name
        return kind.model_validate({"who": who, "name": name, **fields})

    async def _allowed(self, action: Action, approval_id: int, who: str, admin: bool = False) -> RequestView:
        """The request, if they may do this to it; raises NotAllowed, NotFound."""
        caller = await self._principal(who, admin)
        if not caller.enabled:
            raise disabled()
        view = await self._run(self.requests.request, approval_id)
        if action is Action.GIVE_BACK and caller.is_gateway and await self._run(self.requests.joined, approval_id, who):
            caller = replace(caller, joined=frozenset({approval_id}))
        must_be_allowed(caller, action, view)
        return view

    async def _principal(self, who: str, admin: bool = False) -> Principal:
        return principal(await self._run(self.requests.policy), who, admin)

    async def report(self, person: str, approval_id: int | None, signal: str, words: str) -> None:
        """Record that a person is `away` or `unreachable`; the sweeper has their requests look again."""
        await self._run(self.transactions.signals.add, person, approval_id, signal, words)

    async def put_in_force(
        self, read: ReadPolicy, who: str, replaces: int | None = None, end: Sequence[tuple[int, str]] = ()
    ) -> int:
        """Put a policy in force as a new version, and return its number; `enforce_directory` then carries it out.

        Raises Refused where it was planned against another version than the one in force.
        """
        return await self._run(self._put_in_force, read, who, replaces, end)

    async def enforce_directory(self) -> None:
        """Carry out what it means for what is open that people were disabled, or can't be reached (rules 4 and 6)."""
        try:
            to_look_at = await self._run(self.transactions.rechecks.due)
        except Refused:
            return  # no policy was ever applied, so nothing is open
        to_revoke = await self._run(self.transactions.granting.to_revoke)
        looks = [partial(self.look_again, approval_id) for approval_id in to_look_at]
        await _each_for_itself([*looks, *(partial(self._revoke, wish) for wish in to_revoke)])

    async def submit_left_over(self) -> None:
        """Submit the answers that a crash left between storing and judging: those to one request in turn."""
        await self._in_turn(self.submit, await self._run(self.answers.waiting, datetime.now(UTC) - LEFT_OVER_AFTER))

    async def remind_workflows(self) -> None:
        """Submit again the answers that counted, for workflows that know nothing of them: they wait until the deadline.

        Where a whole machine dies, Temporal may not have heard what is on record; for all others this changes nothing.
        """
        await self._in_turn(self._count_again, await self._run(self.answers.counted, datetime.now(UTC)))

    async def _count_again(self, answer: Answer) -> None:
        workflow_id = await self._run(self.requests.workflow_of, answer.approval_id)
        with suppress(Refused, NotFound, NotYet):
            await self.client.decide(workflow_id, answer)

    async def _in_turn(self, submit: Callable[[Answer], Awaitable[object]], answers: Sequence[Answer]) -> None:
        """Submit answers: those to one request one after another."""
        by_request: dict[int, list[Answer]] = {}
        for answer in answers:
            by_request.setdefault(answer.approval_id, []).append(answer)

        async def to_one(its: Sequence[Answer]) -> None:
            for answer in its:
                await submit(answer)

        await _each_for_itself([partial(to_one, its) for its in by_request.values()])

    # --- what the workflows ask for ----------------------------------------------------------------------------------

    async def open(self, opening: Opening) -> OpenReply:
        """Open a request, or answer its question by a grant that lasts. Raises Refused, TooMany, recorded."""
        return await self._run(self.transactions.opener.open, opening)

    async def people(self, start: LevelStart) -> LevelPeople:
        """The people of a level, as the directory has them now."""
        return await self._run(self.transactions.people.of_level, start)

    async def recheck(self, look: Recheck) -> Availability:
        """Who of these people may no longer act, or can't be reached."""
        return await self._run(self.transactions.people.recheck, look)

    async def ask_again(self, again: AskAgain) -> Settled | None:
        """Record that the question of an open request was asked again, once; returns how it ended, if it has."""
        return await self._run(self.transactions.asking.ask_again, again)

    async def timely_answers(self, closing: DeadlineCheck) -> TimelyAnswers:
        """The answers that came before the deadline and were not refused, and whether there may be more."""
        return await self._run(self.transactions.deadline.timely_answers, closing)

    async def write(self, step: Transition) -> RecordedTransition:
        """Write one change of a request, once. Raises NotFound where it is not on record."""
        return await self._run(self.transactions.transitions.write, step)

    async def carry_out(self, step: Transition, written: RecordedTransition) -> TransitionResult:
        """Start the grant of a change that was written, if it opened one, and tell those whom it concerns.

        The grant's workflow is started here and not as a child: a parent that ends in the same task takes a child that
        has not started yet with it, whatever its close policy.
        """
        if written.grant is not None:
            await self.client.start_grant(written.grant)
        is_written = not (written.instead or written.disabled)
        unreachable = await self._deliver(step, written.number) if is_written else []
        return TransitionResult(**written.model_dump(), unreachable=unreachable)

    async def _deliver(self, step: Transition, number: int) -> list[str]:
        """Send what a step has written, where there is anything; returns who can be reached by no channel."""
        if self.outbox is None or not (step.tell or self.outbox.live):
            return []
        return await self.outbox.deliver(step.approval_id, number)

    async def end_grant(self, end: GrantEnd) -> None:
        """End or revoke a grant, once, and tell those whom it concerns."""
        await self._run(self.transactions.granting.end, end)
        if self.outbox is not None:
            await self.outbox.deliver(end.approval_id, GRANT_STEP)

    async def _revoke(self, wish: Revoke) -> None:
        view = await self._run(self.requests.request, wish.approval_id)
        try:
            await self.client.revoke(wish, view.token_run)
        except NotFound:
            await self._end_on_record(view, wish)
        except Refused:
            return

    async def settle_gone(self) -> None:
        """Look in turn at the waiting requests, a few each time, for ones whose workflow was ended past us or lost.

        They are cancelled on record, as nothing else would ever settle them; grants without a workflow end on time.
        """
        rows = await self._run(self.requests.waiting_after, self._looked_through, LOOKED_AT_ONCE)
        self._looked_through = rows[-1][0] if len(rows) == LOOKED_AT_ONCE else 0
        await _each_for_itself([partial(self._settle_if, *row) for row in rows])
        late = await self._run(self.grants.overdue, datetime.now(UTC) - OVERDUE_AFTER, LOOKED_AT_ONCE)
        for approval_id in late:
            await self._run(self.transactions.granting.end, time_over(approval_id, datetime.now(UTC)))

    async def _settle_if_gone(self, approval_id: int) -> bool:
        [row] = await self._run(self.requests.waiting_after, approval_id - 1, 1) or [(0, "", "")]
        return row[0] == approval_id and await self._settle_if(*row)

    async def _settle_if(self, approval_id: int, workflow_id: str, run_id: str) -> bool:
        """Cancel a request on record if nothing decides it; a workflow writes how it ends before it does."""
        if not await self.client.is_gone(workflow_id, run_id):
            return False
        view = await self._run(self.requests.request, approval_id)
        if view.status is not Status.WAITING:
            return False
        await self._run(
            self.transactions.transitions.write, gone(approval_id, run_id, view.level, view.question.requester)
        )
        return True

    async def look_again(self, approval_id: int) -> None:
        """Have a request look again at who may act; one that has ended needs not."""
        workflow_id = await self._run(self.requests.workflow_of, approval_id)
        try:
            await self.client.look_again(workflow_id, approval_id)
        except (Refused, NotFound):
            return

    def _tells(self, channel: str) -> bool:
        """Whether a sender is told of a refusal by this channel."""
        return self.outbox is not None and channel in self.outbox.senders

    async def _answer_back(self, approval_id: int) -> None:
        """Send what was just written to whoever answered; without an outbox the sweeper of a worker does."""
        if self.outbox is not None:
            await self.outbox.answer_back(approval_id)

    async def _how_it_ended(self, approval_id: int) -> Refused:
        return _ended(await self._run(self.requests.request, approval_id))

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.executor, function, *args)


def _ended(view: RequestView) -> Refused:
    words = f"#{view.approval_id} is already {view.status}: {view.words}"
    return Refused(words, ErrorCode.ALREADY_SETTLED, approval_id=view.approval_id, request_status=view.status)


async def _each_for_itself(works: Sequence[Callable[[], Awaitable[object]]]) -> None:
    """Do all of it, AT_ONCE together: a request that can't answer holds up no other. Raises the first error, then."""
    room = asyncio.Semaphore(AT_ONCE)

    async def in_its_place(work: Callable[[], Awaitable[object]]) -> None:
        async with room:
            await work()

    results = await asyncio.gather(*map(in_its_place, works), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
