"""One request, from the question to its decision: what the workflows of all kinds of subjects share."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, ClassVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.requests import RequestActivities
    from activities.transitions import TransitionActivities
    from countersign.ballot import Ballot, Gone
    from countersign.durations import whole_minutes
    from countersign.error_codes import ErrorCode
    from countersign.errors import BadQuestion, CountersignError, NotFound, NotYet, Refused
    from countersign.grant_reuse import being_decided, on_record
    from countersign.kinds.kind import SubjectKind
    from countersign.models import (
        STARTED_IN_TEMPORAL,
        Answer,
        Approver,
        Asked,
        Event,
        GrantStatus,
        GrantView,
        Judgement,
        Outcome,
        Question,
        Status,
        Verdict,
    )
    from countersign.question import QuestionBy, has_true_for_a_number, read_question_by
    from countersign.transitions import (
        WHILE_OPEN,
        AskAgain,
        AuditEvent,
        Cancel,
        DeadlineCheck,
        GrantTerms,
        Kind,
        LevelStart,
        Opened,
        Opening,
        Recheck,
        Recipient,
        Transition,
        TransitionResult,
    )
    from workflows.change import CANCELLED_IN_TEMPORAL, ENGINE, TEMPORAL, Change
    from workflows.execute import execute, refusal_in
    from workflows.temporal_summary import show

# How often an expiry that waits for the mailboxes checks again: at first, and after it has waited for long.
CHECK_AGAIN = timedelta(seconds=1)
CHECK_SELDOM = timedelta(seconds=10)
LONG = timedelta(seconds=90)
LOST = "#{} is no longer on record: the database was restored to an earlier moment, or is another one. Ask again."


class _NotOnRecord(ApplicationError):
    """The request is no longer on record."""


class Approval:
    """Opens the request, passes level after level, and ends when it is decided; the result is the outcome.

    The workflow of a kind is a class of its own that sets `kind`, and whose `run` returns `decided`.
    Updates: `ask` joins it, `decide` judges a stored answer, `cancel` withdraws it, `look_again` checks who may act.
    """

    kind: ClassVar[SubjectKind[Any]]

    def __init__(self) -> None:
        self._question: Question | None = None
        self._opened: Opened | None = None
        self._ballot: Ballot | None = None
        self._grant: GrantView | None = None
        self._held: Outcome | None = None
        self._refusal: CountersignError | None = None
        self._lost: Refused | None = None  # the request is no longer on record
        self._was_asked = False
        self._started_raw = False
        self._asked: dict[str, None] = {}  # in the order they were asked
        self._names: dict[str, str] = {}  # of who was asked
        self._remind_at: datetime | None = None
        self._deadline_seen_at: datetime | None = None  # at the deadline, for the first time
        self._waited = timedelta(0)  # for the mailboxes
        self._cancelled = False  # in Temporal, while it was opened
        self._known = False
        self._in_order = asyncio.Lock()
        self._being_written = 0  # changes of the ballot that are not on record yet
        self._passed = 0  # levels, on record

    # --- messages ----------------------------------------------------------------------------------------------------

    @workflow.update(name="ask")
    async def ask(self, sent: dict[str, Any]) -> Asked:
        """Open or join the request; returns once it has its number and its first change is on record."""
        # The validator checks what came in; an old history may hold what it refuses today.
        asked = read_question_by(sent, self.kind, as_before=True)
        # Several updates may come with the start, in one task, before the request has its number.
        joined, self._was_asked = self._was_asked or self._opened is not None, True
        await workflow.wait_condition(lambda: self._opening_over)
        _refuse(self._refusal)
        self._must_be_on_record()
        if self._held is not None:
            held = self._held
            return Asked(
                approval_id=held.approval_id, status=held.status, joined=True, message=held.message, grant=held.grant
            )
        if joined or self._started_raw:
            await self._record_repeat(asked)
        if self._being_written:  # an approval has no grant yet, and may have ended differently on record
            await workflow.wait_condition(lambda: not self._being_written)
        self._must_be_on_record()
        return self._reply(asked.question, joined or self._started_raw)

    @ask.validator
    def may_ask(self, sent: dict[str, Any]) -> None:
        """Refuse what is no question, and say why."""
        try:
            self._read(sent)
        except BadQuestion as error:
            _refuse(error)

    @workflow.update(name="decide")
    async def decide(self, answer: Answer) -> Judgement:
        """Count a stored answer; one that can't count now, but may after what is being written, waits for that."""
        if not self._opening_over:
            await workflow.wait_condition(lambda: self._opening_over)
        while self._may_yet_count(answer) or self._is_another_s_turn:
            await workflow.wait_condition(lambda: not (self._may_yet_count(answer) or self._is_another_s_turn))
        if not self._counted(answer):
            _refuse(self._objection(answer))
            await self._count(answer)
        if not self._counted(answer):
            _refuse(self._objection(answer))
        return Judgement(
            accepted=True, message=self._open_ballot.message or "It counted.", status=self._open_ballot.status
        )

    @decide.validator
    def judge(self, answer: Answer) -> None:
        """Refuse an answer that can't count, and say why; nothing of it enters the history.

        While a change is being written, nothing is refused that may count afterwards: the handler waits. Nor is an
        answer to a later level refused: the record may show that it has started, which a crash made us lose.
        """
        # After a crash the opening may run again, when answers to the mails of the first time come in already.
        if not self._opening_over or (self._may_yet_count(answer) and self._changing):
            return
        if self._may_yet_count(answer):
            raise ApplicationError(f"{self._objection(answer)} Try again.", type=NotYet.__name__)
        _refuse(self._objection(answer))

    @workflow.update(name="cancel")
    async def cancel(self, cancellation: Cancel) -> Judgement:
        """Withdraw the request while it waits (rule 7)."""
        if self._being_written and self._not_waiting(cancellation.approval_id):
            await workflow.wait_condition(lambda: not self._being_written)
        await self._turn()
        _refuse(self._not_waiting(cancellation.approval_id))
        await self._withdraw(cancellation)
        if self._open_ballot.status is not Status.CANCELLED:
            _refuse(self._not_waiting(cancellation.approval_id))
        return Judgement(accepted=True, message=self._open_ballot.message, status=self._open_ballot.status)

    @cancel.validator
    def may_cancel(self, cancellation: Cancel) -> None:
        """Refuse what can't be cancelled, and say why; while a change is being written, the handler judges after it."""
        if not self._being_written:
            _refuse(self._not_waiting(cancellation.approval_id))

    @workflow.update(name="look_again")
    async def recheck(self, approval_id: int) -> None:
        """Check again who may act (rules 4 and 6): somebody was disabled, or can't be reached."""
        await self._recheck()

    @recheck.validator
    def may_recheck(self, approval_id: int) -> None:
        """Refuse when nothing waits here."""
        _refuse(self._not_waiting(approval_id))

    @workflow.query(name="state")
    def state(self) -> Ballot | None:
        """The ballot as it is now; None before the request has its number."""
        return self._ballot

    # --- run ---------------------------------------------------------------------------------------------------------

    async def decided(self, raw: object, extra: tuple[object, ...]) -> Outcome:
        """Decide one question; `raw` is any JSON, so that a bad start fails at once instead of hanging."""
        try:
            as_before = has_true_for_a_number(raw) and not workflow.patched("true is no number")
            await self._open_whatever(self._read(raw, extra, as_before))
        except (BadQuestion, FailureError) as error:
            self._refusal = error if isinstance(error, BadQuestion) else refusal_in(error)
            if self._refusal is None:
                raise
            await workflow.wait_condition(workflow.all_handlers_finished)
            _refuse(self._refusal)
        if self._held is None:
            await self._to_its_end_on_record()
        await self._handlers_finished()
        _refuse(self._lost)
        return self._held or self._outcome()

    async def _to_its_end_on_record(self) -> None:
        """Pass the levels, as long as the request is on record."""
        with suppress(_NotOnRecord):
            await self._to_its_end()
        if self._lost is not None:
            self._show()

    async def _to_its_end(self) -> None:
        """Pass the levels; where somebody cancels the workflow in Temporal, that withdraws the request."""
        try:
            if not self._cancelled:
                await self._open_or_settle()
                await self._until_settled()
                return
        except (asyncio.CancelledError, FailureError) as error:
            if not is_cancelled_exception(error):
                raise
        await self._turn()
        if not self._open_ballot.settled:
            self._open_ballot.cancel(CANCELLED_IN_TEMPORAL)
        # What settled it before may not be on record, as its writing was cancelled too.
        await self._change(Change(who=TEMPORAL))
        if not self._open_ballot.settled:  # it relied on approvals that no longer count
            self._open_ballot.cancel(CANCELLED_IN_TEMPORAL)
            await self._change(Change(who=TEMPORAL))

    async def _handlers_finished(self) -> None:
        with suppress(asyncio.CancelledError):  # nothing is left to cancel
            await workflow.wait_condition(workflow.all_handlers_finished)
        if not workflow.all_handlers_finished():
            await workflow.wait_condition(workflow.all_handlers_finished)

    def _read(self, raw: object, extra: tuple[object, ...] = (), as_before: bool = False) -> QuestionBy:
        """The question that was sent; BadQuestion says what to write instead."""
        if extra:
            raise BadQuestion("The workflow takes one input, a JSON object; leave the others out.")
        asked = read_question_by(raw, self.kind, as_before)
        if workflow.info().workflow_id != asked.question.workflow_id:
            raise BadQuestion(f"The workflow id must be {asked.question.workflow_id}; start it under that.")
        return asked

    async def _open_whatever(self, asked: QuestionBy) -> None:
        """Open it even if it is cancelled in Temporal meanwhile: it may have its number already."""
        try:
            await self._open(asked)
        except (asyncio.CancelledError, FailureError) as error:
            if not is_cancelled_exception(error):
                raise
            self._cancelled = True
            await self._open(asked)

    async def _open(self, asked: QuestionBy) -> None:
        self._question = question = asked.question
        # The first `ask` comes with the start and opens the request; after a start without one, every `ask` joins.
        self._started_raw = not asked.asked_by and workflow.patched("a raw start opens by itself")
        info = workflow.info()
        opening = Opening(
            question=question,
            workflow_id=info.workflow_id,
            run_id=info.first_execution_run_id,
            asked_by=asked.asked_by or STARTED_IN_TEMPORAL,
            started_at=info.workflow_start_time,
        )
        reply = await execute(RequestActivities.open, opening)
        if reply.outcome is not None:
            self._held, self._known = reply.outcome, True
            return
        assert reply.opened is not None
        self._opened = opened = reply.opened
        self._ballot = Ballot(
            approval_id=opened.approval_id,
            requester=question.requester,
            levels=opened.route.levels,
            own_approval_counts=opened.route.auto_approve_when_requester_is_approver,
            deadline=opened.deadline,
        )

    async def _open_or_settle(self) -> None:
        """Settle a request that nobody has to approve, or that nobody could."""
        ballot, route = self._open_ballot, self._open_request.route
        if not route.levels:
            ballot.approve_at_once(f"Approved at once: {route.because}.")
            await self._change(Change())
        elif self._open_request.nobody_at:
            ballot.give_up(self._open_request.nobody_at)
            await self._change(Change())

    async def _until_settled(self) -> None:
        ballot = self._open_ballot
        await self._turn()
        while not ballot.settled:
            if workflow.now() >= ballot.deadline:
                await self._at_deadline()
            elif ballot.level_passed:
                await self._next_level()
            else:
                await self._wait()
            await self._turn()

    async def _next_level(self, started_in_time: bool = False) -> None:
        """Start the next level; after the deadline only one that had started before it, as the record says."""
        ballot, opened = self._open_ballot, self._open_request
        people = opened.people if ballot.level == 0 else None
        if people is None:
            start = LevelStart(**self._of_request, level=ballot.level + 1)
            with self._on_record():
                people = await execute(RequestActivities.people, start)
            await self._turn()
            if ballot.settled or (workflow.now() >= ballot.deadline and not started_in_time):
                return
        before = len(ballot.decisions)
        asked = ballot.start_level(people, min(self._now(), ballot.deadline) if started_in_time else self._now())
        self._remind_at = workflow.now() + opened.remind_after if opened.remind_after else None
        own = ballot.decisions[-1] if len(ballot.decisions) > before else None
        events = [self._event("level_started", ENGINE, f"level {ballot.level} of {len(ballot.levels)}")]
        if own is not None:
            events.append(self._event("answered", own.person, own.comment, own.channel))
        await self._change(Change(events, asked, own))

    async def _wait(self) -> None:
        ballot = self._open_ballot
        wake = min(ballot.deadline, self._remind_at or ballot.deadline)
        try:
            await workflow.wait_condition(
                lambda: ballot.settled or ballot.level_passed,
                timeout=max(wake - workflow.now(), timedelta(0)),
                timeout_summary="the reminder" if wake < ballot.deadline else "the request expires",
            )
        except TimeoutError:
            if self._remind_at and workflow.now() >= self._remind_at:
                await self._remind()

    async def _remind(self) -> None:
        if self._open_request.in_turn:
            await self._turn()
            if self._open_ballot.settled or self._open_ballot.level_passed:
                return
        self._remind_at = None
        silent = self._silent()
        tell = [Recipient(event=Event.REMINDED, person=person) for person in silent]
        await self._change(Change([self._event("reminder_due", ENGINE, ", ".join(silent))], recipients=tell))

    async def _at_deadline(self) -> None:
        """Judge answers that came in time and were not judged; then expire (rule 5)."""
        ballot = self._open_ballot
        self._deadline_seen_at = self._deadline_seen_at or workflow.now()
        check = DeadlineCheck(
            **self._of_request, deadline=ballot.deadline, looked_at=self._deadline_seen_at, waited=self._waited
        )
        with self._on_record():
            last = await execute(RequestActivities.timely_answers, check)
        for answer in last.answers:
            while ballot.level < last.level and ballot.level_passed and not ballot.settled:
                await self._next_level(started_in_time=True)
            await self._turn()
            if not ballot.counted(answer) and not ballot.judge(answer):
                await self._count(answer)
        await self._turn()
        if ballot.settled:
            return
        if last.complete:
            ballot.expire()
            await self._change(Change())
        else:
            pause = CHECK_AGAIN if self._waited < LONG else CHECK_SELDOM
            await workflow.sleep(pause, summary="the mailbox is read up to the deadline")
            self._waited += pause

    # --- shared by handlers and run ----------------------------------------------------------------------------------

    async def _count(self, answer: Answer) -> None:
        decision = self._open_ballot.count(answer)
        said = "approved" if decision.verdict is Verdict.APPROVE else "rejected"
        detail = said + (f": {decision.comment}" if decision.comment else "")
        event = self._event("answered", decision.person, detail, decision.channel, {"answer": answer.id})
        await self._change(Change([event], decision=decision, who=decision.person, channel=decision.channel))

    async def _withdraw(self, cancellation: Cancel) -> None:
        self._open_ballot.cancel(cancellation.message("Cancelled"))
        await self._change(Change(who=cancellation.who, channel=cancellation.channel, proof=cancellation.on_record))

    async def _recheck(self) -> None:
        """Leave out who was disabled or can't be reached: fallback approvers first, so that none is asked in vain."""
        ballot = self._open_ballot
        people = [*(one.person for one in ballot.fallback), *ballot.seats]
        recheck = Recheck(**self._of_request, people=people, level=ballot.level)
        with self._on_record():
            availability = await execute(RequestActivities.availability, recheck)
        await self._turn()
        if ballot.settled:
            return
        if availability.requester_disabled:
            why = availability.why_disabled
            await self._withdraw(Cancel(approval_id=ballot.approval_id, who=ENGINE, channel="", reason=why))
            return
        if availability.nobody_at > ballot.level:
            ballot.give_up(availability.nobody_at)
            await self._change(Change())
            return
        for person in availability.disabled:
            await self._leave_out(person, "disabled")
        for person in availability.unreachable:
            await self._leave_out(person, "unreachable")
        for person in availability.away:
            await self._bring_forward(person)

    async def _leave_out(self, person: str, why: Gone) -> None:
        ballot = self._open_ballot
        await self._turn()
        if ballot.settled or ballot.gone.get(person) in {why, "disabled"}:
            return
        before = _lapsed(ballot)
        asked = ballot.leave_out(person, why, lapse=self._open_request.in_turn)
        if person in ballot.seats:
            lapsed = [one for one in _lapsed(ballot) if one not in before]
            events = self._events_of([person], why, lapsed, asked)
            await self._change(Change(events, asked, lapsed=lapsed, availability={person: why}))

    def _events_of(
        self, people: Sequence[str], why: Gone, lapsed: Collection[str], asked: Sequence[Approver]
    ) -> list[AuditEvent]:
        """The audit events about people who are left out, their approvals, and who is asked instead."""
        ballot = self._open_ballot
        return [
            *(self._event("left_out", one, why) for one in people),
            *(
                self._event("approval_lapsed", one.person, f"disabled while level {one.level} was open")
                for one in ballot.decisions
                if one.answer_id in lapsed
            ),
            *(self._event("fallback", one.person, one.because) for one in asked),
        ]

    async def _bring_forward(self, away: str) -> None:
        """Somebody who was asked is out of office: ask fallback approvers if needed, and remind the others now."""
        ballot = self._open_ballot
        await self._turn()
        if ballot.settled or away not in ballot.seats or away in ballot.away:
            return
        others = self._silent()
        asked = ballot.note_away(away)
        events = [self._event("fallback", one.person, f"{away} is out of office") for one in asked]
        tell: list[Recipient] = []
        present = [one for one in others if one not in ballot.away]
        if self._remind_at and present:
            self._remind_at = None
            events.append(self._event("reminder_due", ENGINE, ", ".join(present)))
            tell = [Recipient(event=Event.REMINDED, person=one) for one in present]
        await self._change(Change(events, asked, recipients=tell, availability={away: "away"}))

    def _silent(self) -> list[str]:
        ballot = self._open_ballot
        return [one for one in ballot.seats if one not in ballot.approved_by and one not in ballot.gone]

    async def _change(self, change: Change) -> None:
        """Write the ballot's change, and notify those whom it concerns.

        The transition is made before anything is awaited, so that it holds this change and no later one.
        """
        ballot = self._open_ballot
        transition = self._transition(change)
        self._being_written += 1
        try:
            async with self._in_order:
                taken = await self._carry_out(transition)
                while taken.disabled:
                    change = self._recount(change, taken.disabled)
                    is_one = bool(change.events) or ballot.settled
                    taken = await self._carry_out(self._transition(change)) if is_one else TransitionResult()
            self._passed = ballot.passed
            if taken.instead is not None:
                ballot.adopt(taken.instead.status, taken.instead.message, taken.instead.decisions)
            if taken.grant is not None:
                self._hold(taken.grant)
        finally:
            self._being_written -= 1
        self._known = True
        self._show()
        if taken.unreachable and not ballot.settled:
            await self._recheck()

    async def _carry_out(self, transition: Transition) -> TransitionResult:
        with self._on_record():
            return await execute(TransitionActivities.carry_out, transition)

    @contextmanager
    def _on_record(self) -> Iterator[None]:
        """End the request where it is not on record: raises _NotOnRecord, which a handler passes to its caller."""
        try:
            yield
        except FailureError as error:
            refusal = refusal_in(error)
            if refusal is None or refusal.code != ErrorCode.NO_REQUEST:
                raise
            ballot = self._open_ballot
            self._lost = Refused(LOST.format(ballot.approval_id), refusal.code, approval_id=ballot.approval_id)
            ballot.adopt(Status.CANCELLED, str(self._lost), ballot.decisions)
            self._must_be_on_record()

    def _must_be_on_record(self) -> None:
        if self._lost is not None:
            raise _NotOnRecord(str(self._lost), type=NotFound.__name__, non_retryable=True) from None

    def _show(self) -> None:
        assert self._question is not None
        show(self._open_ballot, self._question, self._asked, self._names)

    def _transition(self, change: Change) -> Transition:
        ballot, relies_on = self._open_ballot, set[str]()
        self._asked.update(dict.fromkeys(one.person for one in change.asked))
        self._names.update({one.person: one.name for one in change.asked if one.name})
        if self._open_request.in_turn:
            if change.decision is not None:
                relies_on.add(change.decision.person)
            if ballot.passed > self._passed or ballot.status is Status.APPROVED:
                relies_on |= {ballot.requester, *ballot.approved_by}
        return change.transition(ballot, self._open_request, self._asked, self._now(), sorted(relies_on))

    def _recount(self, change: Change, disabled: Sequence[str]) -> Change:
        """The change anew, where the first could not be written, as it relied on people who were disabled meanwhile."""
        ballot, decision = self._open_ballot, change.decision
        before = _lapsed(ballot)
        asked = ballot.recount(disabled, decision, self._passed)
        lapsed = [one for one in _lapsed(ballot) if one not in before]
        seated = [one for one in disabled if one in ballot.seats]
        events = self._events_of(seated, "disabled", lapsed, asked)
        availability: dict[str, str] = dict.fromkeys(seated, "disabled")
        if decision is None or decision.person in disabled:
            return Change(events, asked, lapsed=lapsed, availability=availability)
        by_them = ballot.status is Status.APPROVED or decision.verdict is Verdict.REJECT
        who, channel = (change.who, change.channel) if by_them else (ENGINE, "")
        events = [*change.events, *events]
        return Change(events, asked, decision, lapsed, availability=availability, who=who, channel=channel)

    async def _turn(self) -> None:
        """Wait until no change is being written, so that what follows sees what is on record."""
        while self._is_another_s_turn:
            await workflow.wait_condition(lambda: not self._being_written)

    @property
    def _is_another_s_turn(self) -> bool:
        return self._opened is not None and self._opened.in_turn and self._being_written > 0

    def _hold(self, grant: GrantTerms) -> None:
        assert self._question is not None
        self._grant = GrantView(
            approval_id=grant.approval_id,
            status=GrantStatus.ACTIVE,
            starts_at=grant.starts_at,
            ends_at=grant.ends_at,
            source_address=self._question.source_address,
            same_source_address=self._open_request.route.same_source_address,
        )

    def _reply(self, again: Question, joined: bool) -> Asked:
        ballot, question, lasts = self._open_ballot, self._question, self._open_request.route.grant_lasts
        assert question is not None
        waits = joined and not ballot.settled
        return Asked(
            approval_id=ballot.approval_id,
            status=ballot.status,
            joined=joined,
            message=being_decided(ballot.approval_id, question, lasts, again) if waits else ballot.message,
            grant=self._grant,
            reason=question.reason,
            ticket=question.ticket,
            minutes=whole_minutes(lasts),
            source_address=question.source_address,
        )

    async def _record_repeat(self, asked: QuestionBy) -> None:
        who = asked.asked_by or asked.question.requester
        event = self._event("asked_again", who, WHILE_OPEN, proof=on_record(asked.question))
        update = workflow.current_update_info()
        assert update is not None
        again = AskAgain(**self._of_request, key=f"ask.{update.id}", event=event)
        with self._on_record():
            ended = await execute(RequestActivities.ask_again, again)
        if ended is not None and not self._being_written and not self._open_ballot.settled:
            # It was cancelled on record while no worker was there; the caller opens another one.
            self._open_ballot.adopt(ended.status, ended.message, ended.decisions)
            raise ApplicationError(ended.message, type=NotFound.__name__, non_retryable=True)

    @property
    def _opening_over(self) -> bool:
        return self._known or self._refusal is not None or self._lost is not None

    @property
    def _of_request(self) -> dict[str, Any]:
        """The fields that name the request to activities."""
        return {"approval_id": self._open_request.approval_id, "run": self._open_request.run}

    def _objection(self, answer: Answer) -> Refused | None:
        return self._ballot.judge(answer) if self._ballot else Refused("There is no such request.")

    def _counted(self, answer: Answer) -> bool:
        return self._ballot is not None and self._ballot.counted(answer)

    def _may_yet_count(self, answer: Answer) -> bool:
        """Whether an answer can't count now, but may once a change is written, or at a later level."""
        ballot = self._ballot
        if ballot is None or ballot.judge(answer) is None or ballot.never_counts(answer):
            return False
        return self._changing or ballot.is_ahead(answer)

    @property
    def _changing(self) -> bool:
        """Whether a judgement made now is not final: a change is being written, or the next level is about to start."""
        ballot = self._open_ballot
        return bool(self._being_written) or (ballot.level_passed and not ballot.settled)

    def _not_waiting(self, approval_id: int) -> Refused | None:
        if self._ballot is None or self._ballot.approval_id != approval_id:
            message = f"#{approval_id} is not the request that is open here."
            return Refused(message, ErrorCode.OTHER_REQUEST, approval_id=approval_id)
        return self._ballot.ended() if self._ballot.settled else None

    def _outcome(self) -> Outcome:
        ballot = self._open_ballot
        return Outcome(
            approval_id=ballot.approval_id,
            status=ballot.status,
            message=ballot.message,
            decisions=ballot.decisions,
            grant=self._grant,
        )

    def _event(
        self, kind: Kind, who: str, detail: str = "", channel: str = "", proof: dict[str, str] | None = None
    ) -> AuditEvent:
        return AuditEvent(kind=kind, at=self._now(), who=who, detail=detail, channel=channel, proof=proof or {})

    def _now(self) -> datetime:
        """The task's time; in the first task the time of opening, by the database's clock, is later."""
        return max(workflow.now(), self._open_request.opened_at)

    @property
    def _open_ballot(self) -> Ballot:
        assert self._ballot is not None
        return self._ballot

    @property
    def _open_request(self) -> Opened:
        assert self._opened is not None
        return self._opened


def _lapsed(ballot: Ballot) -> list[str]:
    return [one.answer_id for one in ballot.decisions if one.lapsed]


def _refuse(error: CountersignError | None) -> None:
    if error is not None:
        raise ApplicationError(str(error), error.details, type="Refused", non_retryable=True) from None
