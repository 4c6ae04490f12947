"""A request that was opened, within its workflow: its ballot, and how each change of it is written."""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.requests import RequestActivities
    from countersign.ballot import Ballot, CannotAct
    from countersign.error_codes import ErrorCode
    from countersign.errors import NotFound, Refused
    from countersign.models import Answer, Approver, Event, GrantStatus, GrantView, Question, Status, Verdict
    from countersign.transitions import (
        ENGINE,
        AuditEvent,
        Cancel,
        GrantTerms,
        Kind,
        Opened,
        Recheck,
        Recipient,
        Transition,
        TransitionResult,
    )
    from workflows.change import BallotChange
    from workflows.execute import execute, refusal_in
    from workflows.temporal_summary import show

LOST = "#{} is no longer on record: the database was restored to an earlier moment, or is another one. Ask again."


class NotOnRecord(ApplicationError):
    """The request is no longer on record."""


class OpenRequest:
    """Writes each change of the ballot before the next one begins; one that can't be written is taken back.

    `being_written` counts the changes that are not on record yet. `remind_at` is when those who have not answered are
    reminded, if at all.
    """

    def __init__(self, question: Question, opened: Opened) -> None:
        self.question, self.opened = question, opened
        self.ballot = Ballot(
            approval_id=opened.approval_id,
            requester=question.requester,
            levels=opened.route.levels,
            own_approval_counts=opened.route.auto_approve_when_requester_is_approver,
            deadline=opened.deadline,
        )
        self.grant: GrantView | None = None
        self.remind_at: datetime | None = None
        self.being_written = 0
        self.is_on_record = False  # whether its first change is on record
        self.lost: Refused | None = None  # why, if it is no longer on record
        self._asked: dict[str, None] = {}  # in the order they were asked
        self._names: dict[str, str] = {}  # of those who were asked
        self._in_order = asyncio.Lock()
        self._passed = 0  # levels passed on record

    @property
    def now(self) -> datetime:
        """The task's time; in the first task, the time of opening, which is by the database's clock, may be later."""
        return max(workflow.now(), self.opened.opened_at)

    @property
    def named(self) -> dict[str, Any]:
        """The fields that name the request to activities."""
        return {"approval_id": self.opened.approval_id, "run": self.opened.run}

    def event(
        self, kind: Kind, who: str, detail: str = "", channel: str = "", proof: dict[str, str] | None = None
    ) -> AuditEvent:
        """An event of the audit record that happens now."""
        return AuditEvent(kind=kind, at=self.now, who=who, detail=detail, channel=channel, proof=proof or {})

    # --- changes -----------------------------------------------------------------------------------------------------

    @property
    def next_has_to_wait(self) -> bool:
        """Whether a change is being written that must be on record before the next one is made."""
        return self.opened.in_turn and self.being_written > 0

    async def until_written(self) -> None:
        """Wait until no change is being written, so that what follows is about what is on record."""
        while self.next_has_to_wait:
            await workflow.wait_condition(lambda: not self.being_written)

    async def count(self, answer: Answer) -> None:
        """Count an answer that the ballot accepts."""
        decision = self.ballot.count(answer)
        said = "approved" if decision.verdict is Verdict.APPROVE else "rejected"
        detail = said + (f": {decision.comment}" if decision.comment else "")
        event = self.event("answered", decision.person, detail, decision.channel, {"answer": answer.id})
        await self.change(BallotChange([event], decision=decision, who=decision.person, channel=decision.channel))

    async def withdraw(self, cancellation: Cancel) -> None:
        """Cancel the request (rule 7)."""
        self.ballot.cancel(cancellation.message("Cancelled"))
        await self.change(
            BallotChange(who=cancellation.who, channel=cancellation.channel, proof=cancellation.on_record)
        )

    async def change(self, change: BallotChange) -> None:
        """Write the ballot's change, and notify those whom it concerns.

        The transition is made before anything is awaited, so that it holds this change and no later one.
        """
        ballot = self.ballot
        transition = self._transition(change)
        self.being_written += 1
        try:
            async with self._in_order:
                written = await self._carry_out(transition)
                while written.disabled:
                    change = self._recount(change, written.disabled)
                    is_one = bool(change.events) or ballot.settled
                    written = await self._carry_out(self._transition(change)) if is_one else TransitionResult()
            self._passed = ballot.passed
            if written.instead is not None:
                ballot.adopt(written.instead.status, written.instead.message, written.instead.decisions)
            if written.grant is not None:
                self._set_grant(written.grant)
        finally:
            self.being_written -= 1
        self.is_on_record = True
        self.show()
        if written.unreachable and not ballot.settled:
            await self.recheck()

    async def _carry_out(self, transition: Transition) -> TransitionResult:
        with self.must_be_found():
            return await execute(RequestActivities.carry_out, transition)

    def _transition(self, change: BallotChange) -> Transition:
        ballot, relies_on = self.ballot, set[str]()
        self._asked.update(dict.fromkeys(one.person for one in change.asked))
        self._names.update({one.person: one.name for one in change.asked if one.name})
        if self.opened.in_turn:
            if change.decision is not None:
                relies_on.add(change.decision.person)
            if ballot.passed > self._passed or ballot.status is Status.APPROVED:
                relies_on |= {ballot.requester, *ballot.approved_by}
        return change.transition(ballot, self.opened, self._asked, self.now, sorted(relies_on))

    def _recount(self, change: BallotChange, disabled: Sequence[str]) -> BallotChange:
        """The change without the people who were disabled before it could be written."""
        ballot, decision = self.ballot, change.decision
        before = _lapsed(ballot)
        asked = ballot.recount(disabled, decision, self._passed)
        lapsed = [one for one in _lapsed(ballot) if one not in before]
        disabled_approvers = [one for one in disabled if one in ballot.asked]
        events = self._events_of(disabled_approvers, "disabled", lapsed, asked)
        availability: dict[str, str] = dict.fromkeys(disabled_approvers, "disabled")
        if decision is None or decision.person in disabled:
            return BallotChange(events, asked, lapsed=lapsed, availability=availability)
        by_them = ballot.status is Status.APPROVED or decision.verdict is Verdict.REJECT
        who, channel = (change.who, change.channel) if by_them else (ENGINE, "")
        events = [*change.events, *events]
        return BallotChange(events, asked, decision, lapsed, availability=availability, who=who, channel=channel)

    def _set_grant(self, grant: GrantTerms) -> None:
        self.grant = GrantView(
            approval_id=grant.approval_id,
            status=GrantStatus.ACTIVE,
            starts_at=grant.starts_at,
            ends_at=grant.ends_at,
            source_address=self.question.source_address,
            same_source_address=self.opened.route.same_source_address,
        )

    def show(self) -> None:
        """Have Temporal's own lists and pages show the request as it is now."""
        show(self.ballot, self.question, self._asked, self._names)

    # --- on record or lost -------------------------------------------------------------------------------------------

    @contextmanager
    def must_be_found(self) -> Iterator[None]:
        """End the request if it is not on record: raises NotOnRecord, which a handler passes to its caller."""
        try:
            yield
        except FailureError as error:
            refusal = refusal_in(error)
            if refusal is None or refusal.code != ErrorCode.NO_REQUEST:
                raise
            self.lost = Refused(LOST.format(self.ballot.approval_id), refusal.code, approval_id=self.ballot.approval_id)
            self.ballot.adopt(Status.CANCELLED, str(self.lost), self.ballot.decisions)
            self.must_not_be_lost()

    def must_not_be_lost(self) -> None:
        """Raise NotOnRecord if the request is no longer on record."""
        if self.lost is not None:
            raise NotOnRecord(str(self.lost), type=NotFound.__name__, non_retryable=True) from None

    # --- who may still answer ----------------------------------------------------------------------------------------

    async def recheck(self) -> None:
        """Leave out people who are disabled or can't be reached: fallback approvers first, so none is asked in vain."""
        ballot = self.ballot
        people = [*(one.person for one in ballot.fallback), *ballot.asked]
        recheck = Recheck(**self.named, people=people, level=ballot.level)
        with self.must_be_found():
            availability = await execute(RequestActivities.availability, recheck)
        await self.until_written()
        if ballot.settled:
            return
        if availability.requester_disabled:
            why = availability.why_disabled
            await self.withdraw(Cancel(approval_id=ballot.approval_id, who=ENGINE, channel="", reason=why))
            return
        if availability.nobody_at > ballot.level:
            ballot.give_up(availability.nobody_at)
            await self.change(BallotChange())
            return
        for person in availability.disabled:
            await self._leave_out(person, "disabled")
        for person in availability.unreachable:
            await self._leave_out(person, "unreachable")
        for person in availability.away:
            await self._bring_forward(person)

    async def _leave_out(self, person: str, why: CannotAct) -> None:
        ballot = self.ballot
        await self.until_written()
        if ballot.settled or ballot.cannot_act.get(person) in {why, "disabled"}:
            return
        before = _lapsed(ballot)
        asked = ballot.leave_out(person, why, lapse=self.opened.in_turn)
        if person in ballot.asked:
            lapsed = [one for one in _lapsed(ballot) if one not in before]
            events = self._events_of([person], why, lapsed, asked)
            await self.change(BallotChange(events, asked, lapsed=lapsed, availability={person: why}))

    def _events_of(
        self, people: Sequence[str], why: CannotAct, lapsed: Collection[str], asked: Sequence[Approver]
    ) -> list[AuditEvent]:
        """The audit events about people who are left out, their approvals, and who is asked instead."""
        return [
            *(self.event("left_out", one, why) for one in people),
            *(
                self.event("approval_lapsed", one.person, f"disabled while level {one.level} was open")
                for one in self.ballot.decisions
                if one.answer_id in lapsed
            ),
            *(self.event("fallback", one.person, one.because) for one in asked),
        ]

    async def _bring_forward(self, away: str) -> None:
        """Somebody who was asked is out of office: ask fallback approvers if needed, and remind the others now."""
        ballot = self.ballot
        await self.until_written()
        if ballot.settled or away not in ballot.asked or away in ballot.away:
            return
        others = ballot.awaited
        asked = ballot.note_away(away)
        events = [self.event("fallback", one.person, f"{away} is out of office") for one in asked]
        recipients: list[Recipient] = []
        present = [one for one in others if one not in ballot.away]
        if self.remind_at and present:
            self.remind_at = None
            events.append(self.event("reminder_due", ENGINE, ", ".join(present)))
            recipients = [Recipient(event=Event.REMINDED, person=one) for one in present]
        await self.change(BallotChange(events, asked, recipients=recipients, availability={away: "away"}))


def _lapsed(ballot: Ballot) -> list[str]:
    return [one.answer_id for one in ballot.decisions if one.lapsed]
