"""Opens a request: its number, its route and the people of its first level; or says why not."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import Refused, TooMany
from countersign.grant_reuse import on_record
from countersign.kinds.routes import route_of
from countersign.models import Outcome, Question, Route, Status
from countersign.policy import route as rules
from countersign.transitions import AuditEvent, Opened, Opening, OpenReply, workflow_lost
from engine.consequences import OPENED
from engine.granting import Granting
from engine.part import EnginePart
from engine.record import append_or_count
from engine.transitions import Transitions
from store import Store, requests
from store.database import Recorded
from store.events import append

AN_HOUR = timedelta(hours=1)


class Opener(EnginePart):
    """Opens requests.

    `most_an_hour` is how many requests may be opened for one person within an hour, 0 for any number.
    """

    def __init__(self, store: Store, transitions: Transitions, granting: Granting, most_an_hour: int) -> None:
        super().__init__(store)
        self.granting = granting
        self.transitions = transitions
        self.most_an_hour = most_an_hour

    def open(self, opening: Opening) -> OpenReply:
        """Give a question its number, its route and the people of its first level.

        A run that was opened before gets the same reply. Raises Refused, which is recorded, if the rules refuse it.
        """
        with self.database.transaction() as connection:
            return self._open(connection, opening)

    def _open(self, connection: Connection, opening: Opening) -> OpenReply:
        question = opening.question
        version, policy = self.policies.in_force(connection)
        known = requests.of_run(connection, opening.run_id)
        if known is not None:
            return OpenReply(opened=_opened(known, policy))
        self._settle_older(connection, opening)
        held = self.granting.answer_in(connection, question, _who_asks(opening))
        if held is not None:
            outcome = Outcome(
                approval_id=held.approval_id, status=Status.APPROVED, message=held.message, grant=held.grant
            )
            return OpenReply(outcome=outcome)
        try:
            route = route_of(policy, question).model_copy(update={"policy_version": version})
            self._must_have_room(connection, question.requester)
        except (Refused, TooMany) as error:
            _record_refusal(connection, policy, question, _who_asks(opening), str(error))
            raise Recorded from error
        row = _add(connection, opening, route, self.granting.renewed_by(connection, question))
        return OpenReply(opened=_opened(row, policy))

    def _must_have_room(self, connection: Connection, requester: str) -> None:
        """Raise TooMany if as many requests as allowed were opened for this person within an hour.

        Each request sends messages to approvers, so this limits those, too.
        """
        if not self.most_an_hour:
            return
        first = requests.opened_at(connection, requester, self.most_an_hour)
        left = first + AN_HOUR - datetime.now(UTC) if first else timedelta(0)
        if left > timedelta(0):
            minutes = math.ceil(left / timedelta(minutes=1))
            raise TooMany(
                f"{self.most_an_hour} requests were opened for {requester} within an hour, and more are not; ask again "
                f"in {minutes} {'minute' if minutes == 1 else 'minutes'}.",
                ErrorCode.TOO_MANY_REQUESTS,
                limit=self.most_an_hour,
                retry_after=math.ceil(left.total_seconds()),
            )

    def _settle_older(self, connection: Connection, opening: Opening) -> None:
        """Settle a request that waits on record for the same question: Temporal runs one workflow of an id, this one.

        Raises Refused if this one was ended in Temporal and a newer one has opened its request since.
        """
        requester = opening.question.requester
        for row in requests.waiting_of(connection, requester, opening.workflow_id):
            if _is_newer(row, opening):
                raise Refused(f"#{row.approval_id} has been opened since for the same question.")
            self.transitions.write_in(connection, workflow_lost(row.approval_id, row.run_id, row.level, requester))


def _add(connection: Connection, opening: Opening, route: Route, renews: int | None) -> Row[Any]:
    now, who, requester = datetime.now(UTC), _who_asks(opening), opening.question.requester
    row = requests.add(connection, opening, route, now, deadline=now + route.expires_after, renews=renews)
    renewal = f"to go on after #{renews}: " if renews else ""
    detail = renewal + (route.because if who == requester else f"for {requester}: {route.because}")
    if opened := OPENED.get(opening.question.kind):
        opened(connection, opening.question, row.approval_id)
    append(connection, row.approval_id, [AuditEvent(kind="opened", at=now, who=who, detail=detail)])
    return row


def _is_newer(row: Row[Any], opening: Opening) -> bool:
    """Whether a request's workflow was started later than the one that opens now; both by Temporal's clock."""
    known = row.started_at is not None and opening.started_at is not None
    return known and row.started_at > opening.started_at


def _who_asks(opening: Opening) -> str:
    return opening.asked_by or opening.question.requester


def _opened(row: Row[Any], policy: Policy) -> Opened:
    route = Route.model_validate(row.route)
    people = rules.people(policy, route, 1, row.requester) if route.levels else None
    return Opened(
        approval_id=row.approval_id,
        run=row.run_id,
        route=route,
        opened_at=row.opened_at,
        deadline=row.deadline,
        people=people,
        nobody_at=rules.level_without_people(policy, route, row.requester),
        in_turn=True,
    )


def _record_refusal(connection: Connection, policy: Policy, question: Question, who: str, detail: str) -> None:
    asked = {"requester": question.requester, **question.subject.fields}
    proof = asked | on_record(question)
    event = AuditEvent(kind="refused", at=datetime.now(UTC), who=who, detail=detail, proof=proof)
    requester = question.requester if question.requester in policy.users else "unknown"
    append_or_count(connection, None, event, who, requester)
