"""Writing the changes of a request: each with all that it brings, in one transaction, once."""

from datetime import timedelta
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
from engine.notifying import Notifying
from engine.recovery import written_before
from store import Store, answers, approvers, grants, requests, steps
from store.events import append
from store.requests import request_row

FIRST_STEP = 1
LAPSED = "It counted, and does so no longer: its approver was disabled while the level was open."


class Transitions:
    """Writes what the workflow of a request has decided.

    `minute` is how long one of the policy's minutes lasts.
    """

    def __init__(self, store: Store, notifying: Notifying, minute: timedelta) -> None:
        self.database = store.database
        self.policies = store.policies
        self.notifying = notifying
        self.minute = minute

    def write(self, step: Transition) -> RecordedTransition:
        """Write one step: status, people, decision, grant, notices and record, in one transaction, once.

        A request that has ended on record stays as it ended, and what relies on somebody disabled is not written.
        """
        try:
            with self.database.transaction() as connection:
                return self.write_in(connection, step)
        except _ReliesOnDisabled as error:
            return RecordedTransition(disabled=error.people)

    def write_in(self, connection: Connection, step: Transition) -> RecordedTransition:
        """The same, within a transaction."""
        row = request_row(connection, step.approval_id, step.run, lock=True)
        number = row.step + 1
        if row.status != Status.WAITING or not steps.add(connection, step.approval_id, step.key, number):
            return written_before(connection, step, row)
        self.policies.in_force(connection)  # a new version takes long to read, and the feed's lock is not held yet
        self._write(connection, step, row, number)
        lines, grant = _open_grant(connection, step, row, self.minute) if step.opens_grant else ([], None)
        append(connection, step.approval_id, [*step.lines, *lines])
        # Every policy is put in force under the feed's lock, which is ours now: what is in force stays so.
        _, policy = self.policies.in_force(connection)
        if disabled := [one for one in step.relies_on if not policy.enabled(one)]:
            raise _ReliesOnDisabled(disabled)
        return RecordedTransition(number=number, grant=grant)

    def _write(self, connection: Connection, step: Transition, row: Row[Any], number: int) -> None:
        # A workflow that has forgotten in a crash what its request came to doesn't take the record back to that.
        level = max(row.level, step.level)
        settled = {} if step.status is Status.WAITING else {"settled_at": step.at}
        values = {"step": number, "status": step.status, "message": step.message, "level": level, **settled}
        requests.change(connection, step.approval_id, **values)
        _seat(connection, step, number)
        if step.decision is not None:
            _decide(connection, step.approval_id, step.decision)
        if step.lapsed:
            answers.lapse(connection, step.lapsed, LAPSED)
        tell = _told(connection, step, row, number)
        self.notifying.write(connection, row, step.level, number, step.at, tell)


class _ReliesOnDisabled(Exception):
    """Rolls back a step that relies on people who are disabled."""

    def __init__(self, people: list[str]) -> None:
        super().__init__()
        self.people = people


def _seat(connection: Connection, step: Transition, number: int) -> None:
    """Seat who is asked now, as they stood at the levels before, and note who stands worse than that."""
    if step.seated:
        standings = approvers.standings_of(connection, step.approval_id) if number > FIRST_STEP else {}
        # After a crash somebody may be asked by another change than the one that is on record.
        approvers.add(connection, step.approval_id, step.level, step.seated, standings)
    for person, why in step.standing.items():
        approvers.worsen(connection, step.approval_id, step.level, person, why)


def _decide(connection: Connection, approval_id: int, decision: Decision) -> None:
    """Mark the stored answer as one that counted; the requester's own approval was not stored before, and is now."""
    if not answers.count(connection, decision):
        answers.add_counted(connection, approval_id, decision)


def _told(connection: Connection, step: Transition, row: Row[Any], number: int) -> list[Recipient]:
    """Whom a step tells: those whom its workflow names; of the opening, who asked; of the end, all who were asked."""
    if step.status is not Status.WAITING:
        return [*step.tell, *_also_asked(connection, step)]
    if number == FIRST_STEP:
        return [Recipient(event=Event.OPENED, person=row.requester), *step.tell]
    return step.tell


def _also_asked(connection: Connection, step: Transition) -> list[Recipient]:
    """Who was asked, as the record says, and is not among those whom the step of a settled request tells (rule 9)."""
    told = {one.person for one in step.tell if one.event is Event.SETTLED}
    asked = approvers.people_of(connection, step.approval_id)
    return [Recipient(event=Event.SETTLED, person=one) for one in asked if one not in told]


def _open_grant(
    connection: Connection, step: Transition, row: Row[Any], minute: timedelta
) -> tuple[list[AuditEvent], GrantTerms]:
    """Rule 8: the grant's clock starts at approval."""
    question = question_from(row.question)
    ends_at = step.at + Route.model_validate(row.route).grant_minutes * minute
    grants.add(connection, step.approval_id, question, step.at, ends_at)
    line = AuditEvent(kind="granted", at=step.at, who=question.requester, detail=f"until {moment(ends_at)}")
    terms = GrantTerms(approval_id=step.approval_id, starts_at=step.at, ends_at=ends_at, run=row.token_run)
    return [line], terms
