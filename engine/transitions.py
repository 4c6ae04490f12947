"""Writes the transitions of a request: each with its consequences, in one transaction, once."""

from typing import Any

from sqlalchemy import Connection, Row

from countersign.kinds import question_from
from countersign.models import Decision, Event, Route, Status
from countersign.times import moment
from countersign.transitions import (
    AuditEvent,
    GrantTerms,
    Recipient,
    RecordedTransition,
    Transition,
)
from engine.consequences import SETTLED
from engine.notifications import notifying
from engine.part import EnginePart
from engine.recovery import end_alone, written_before
from store import answers, approvers, grants, requests, transition_keys
from store.events import append
from store.requests import request_row

FIRST_TRANSITION = 1
COUNTED = "It counted."
LAPSED = "It no longer counts: its approver was disabled while the level was open."


class Transitions(EnginePart):
    """Writes what the workflow of a request has decided."""

    def write(self, transition: Transition) -> RecordedTransition:
        """Write one transition: status, people, decision, grant, notifications and record, in one transaction, once.

        A request that has ended on record stays as it ended. What relies on somebody who is disabled isn't written.
        """
        try:
            with self.database.transaction() as connection:
                return self.write_in(connection, transition)
        except _ReliesOnDisabled as error:
            return RecordedTransition(disabled=error.people)

    def write_in(self, connection: Connection, transition: Transition) -> RecordedTransition:
        """The same, within a transaction."""
        row = request_row(connection, transition.approval_id, transition.run, lock=True)
        number = row.transition + 1
        if row.status != Status.WAITING:
            return written_before(connection, transition, row)
        if not transition_keys.add(connection, transition.approval_id, transition.key, number):
            if transition.status is Status.WAITING:
                return written_before(connection, transition, row)
            transition = end_alone(transition)
            transition_keys.add(connection, transition.approval_id, transition.key, number)
        self.policies.in_force(connection)  # reading a new version takes long, and the feed's lock is not held yet
        self._write(connection, transition, row, number)
        of_grant, grant = _open_grant(connection, transition, row) if transition.opens_grant else ([], None)
        append(connection, transition.approval_id, [*transition.events, *of_grant])
        # The feed's lock is held from here on, and policies are put in force under it: this one can't be replaced now.
        _, policy = self.policies.in_force(connection)
        if transition.status is not Status.WAITING:
            question = question_from(row.question)
            if settled := SETTLED.get(question.kind):
                settled(connection, policy, question, transition)
        if disabled := [one for one in transition.relies_on if not policy.enabled(one)]:
            raise _ReliesOnDisabled(disabled)
        return RecordedTransition(number=number, grant=grant)

    def _write(self, connection: Connection, transition: Transition, row: Row[Any], number: int) -> None:
        # A workflow that has lost a level in a crash must not set the record back to the one before.
        level = max(row.level, transition.level)
        waits = transition.status is Status.WAITING
        settled = {} if waits else {"settled_at": transition.at}
        values = {
            "transition": number,
            "status": transition.status,
            "message": transition.message,
            "level": level,
            **settled,
        }
        requests.change(connection, transition.approval_id, **values)
        _ask(connection, transition, number)
        if transition.decision is not None:
            _decide(connection, transition.approval_id, transition.decision)
        if transition.lapsed:
            answers.lapse(connection, transition.lapsed, LAPSED)
        recipients = _recipients(connection, transition, row, number)
        # While it waits, notifications are about the level that the workflow knows; at its end, the one on record.
        level = transition.level if waits else level
        notifying.write(connection, self.live, row, level, number, transition.at, recipients)


class _ReliesOnDisabled(Exception):
    """Rolls back a transition that relies on people who are disabled."""

    def __init__(self, people: list[str]) -> None:
        super().__init__()
        self.people = people


def _ask(connection: Connection, transition: Transition, number: int) -> None:
    """Add who is asked now, with their availability at earlier levels, and note who has become less available."""
    if transition.asked:
        availability = (
            approvers.availability_of(connection, transition.approval_id) if number > FIRST_TRANSITION else {}
        )
        # After a crash, people who were asked already may be asked again by another transition.
        approvers.add(connection, transition.approval_id, transition.level, transition.asked, availability)
    for person, why in transition.availability.items():
        approvers.worsen(connection, transition.approval_id, transition.level, person, why)


def _decide(connection: Connection, approval_id: int, decision: Decision) -> None:
    """Mark the stored answer as one that counted; the requester's own approval is stored only now."""
    if not answers.count(connection, decision, COUNTED):
        answers.add_counted(connection, approval_id, decision, COUNTED)


def _recipients(connection: Connection, transition: Transition, row: Row[Any], number: int) -> list[Recipient]:
    """Those whom the workflow names; when it opens also the requester, when it is settled all who were asked."""
    if transition.status is not Status.WAITING:
        return [*transition.recipients, *_also_asked(connection, transition)]
    if number == FIRST_TRANSITION:
        return [Recipient(event=Event.OPENED, person=row.requester), *transition.recipients]
    return transition.recipients


def _also_asked(connection: Connection, transition: Transition) -> list[Recipient]:
    """Those who were asked according to the record, but are not named by the workflow of a settled request (rule 9)."""
    named = {one.person for one in transition.recipients if one.event is Event.SETTLED}
    asked = approvers.people_of(connection, transition.approval_id)
    return [Recipient(event=Event.SETTLED, person=one) for one in asked if one not in named]


def _open_grant(connection: Connection, transition: Transition, row: Row[Any]) -> tuple[list[AuditEvent], GrantTerms]:
    """Rule 8: the grant's clock starts at approval."""
    question = question_from(row.question)
    ends_at = transition.at + Route.model_validate(row.route).grant_lasts
    grants.add(connection, transition.approval_id, question, transition.at, ends_at)
    event = AuditEvent(kind="granted", at=transition.at, who=question.requester, detail=f"until {moment(ends_at)}")
    terms = GrantTerms(approval_id=transition.approval_id, starts_at=transition.at, ends_at=ends_at, run=row.token_run)
    return [event], terms
