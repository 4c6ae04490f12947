"""Grants: answers questions by those that last, ends them, and finds those that a policy ends (rules 6, 7, 8, 10)."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from countersign.directory import Policy
from countersign.errors import Refused
from countersign.grant_reuse import answer_by_any, is_for, is_yes, on_record
from countersign.models import Asked, Event, GrantStatus, GrantView, Question, Route, Status
from countersign.policy.route import why_cannot_act
from countersign.transitions import ENGINE, GRANT_TRANSITION, GrantEnd, Kind, Recipient, Revoke
from engine.due import Due
from engine.notifications import notifying
from engine.part import EnginePart
from engine.record import append_or_count, event
from store import Store, approvers, grants, requests
from store.database import Recorded, reads
from store.events import append

# Any more wait for the next sweep, as the number of a statement's parameters is limited.
REVOKED_AT_ONCE = 1000


class Granting(EnginePart):
    """Answers questions by grants, and ends grants. Each method is one transaction."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._to_revoke = Due(_to_revoke)

    def ask(self, question: Question, who: str) -> Asked | None:
        """Answer the question by a grant that lasts, and record that it was asked again; None if no grant lasts.

        A renewal is never answered by a grant. Raises Refused, which is recorded, if none covers the question.
        """
        with self.database.transaction() as connection:
            return self.answer_in(connection, question, who)

    def answer_in(self, connection: Connection, question: Question, who: str) -> Asked | None:
        """The same within a transaction."""
        now = datetime.now(UTC)
        _, policy = self.policies.in_force(connection)
        lasting = lasting_for(connection, policy, question, now)
        if question.renew or not lasting:
            return None
        if not policy.enabled(question.requester):
            return None  # policy.route refuses it, and says why
        refused = None
        try:
            grant, message = answer_by_any(lasting, question)
            number = grant.approval_id
        except Refused as error:
            number, message, refused = error.details["approval_id"], str(error), error
        append_or_count(connection, number, event("asked_again", who, message, on_record(question), now), who, number)
        if refused is not None:
            raise Recorded from refused
        return Asked(approval_id=number, status=Status.APPROVED, joined=True, message=message, grant=grant)

    @reads
    def with_address(self, question: Question) -> Question:
        """Fill in a renewal's missing source address from the grant that lasts; other questions stay as they are."""
        if not question.renew or question.source_address:
            return question
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            lasting = lasting_for(connection, policy, question, datetime.now(UTC))
        return question.model_copy(update={"source_address": lasting[0][0].source_address}) if lasting else question

    def renewed_by(self, connection: Connection, question: Question) -> int | None:
        """The number of the request whose grant a renewal continues; None if no grant lasts for its source address."""
        if not question.renew:
            return None
        _, policy = self.policies.in_force(connection)
        lasting = lasting_for(connection, policy, question, datetime.now(UTC))
        return next((grant.approval_id for grant, _ in lasting if is_for(grant, question.source_address)), None)

    def end(self, end: GrantEnd) -> bool:
        """End or revoke a grant, and write its notifications; False if it had ended already."""
        kind: Kind = "grant_revoked" if end.status is GrantStatus.REVOKED else "grant_ended"
        proof = end.proof or ({"wish": end.undo_id} if end.undo_id else {})
        audit_event = event(kind, end.who, end.message, proof, end.at, end.channel)
        with self.database.transaction() as connection:
            if not grants.end(connection, end):
                return False
            request = requests.next_transition(connection, end.approval_id, GRANT_TRANSITION)
            tell = [
                Recipient(event=Event.GRANT_ENDED, person=one, message=end.message)
                for one in _concerned(connection, end, request.requester)
            ]
            notifying.write(connection, self.live, request, request.level, GRANT_TRANSITION, end.at, tell)
            append(connection, end.approval_id, [audit_event])
        return True

    @reads
    def to_revoke(self) -> list[Revoke]:
        """The Active grants that the policy in force ends.

        These are the grants of people who are disabled or gone from the directory, and those that were to end when a
        policy was applied.
        """
        with self.database.reading() as connection:
            version, policy = self.policies.in_force(connection)
            due = self._to_revoke.find(connection, version, policy)
            return [_revocation(row, policy, version) for row in grants.rows_of(connection, due[:REVOKED_AT_ONCE])]


def lasting_for(
    connection: Connection, policy: Policy, question: Question, now: datetime
) -> list[tuple[GrantView, timedelta]]:
    """The Active grants for what a question asks, if their end lies ahead, each with how long it was granted for.

    The one that ends last comes first.
    """
    held = [(grants.view(row, policy), row) for row in grants.active_for(connection, question)]
    return [(grant, Route.model_validate(row.route).grant_lasts) for grant, row in held if is_yes(grant, now)]


def _to_revoke(connection: Connection, policy: Policy, numbers: Collection[int] | None) -> list[int]:
    held = grants.active_among(connection, numbers)
    return [row.approval_id for row in held if row.revoke_for or not policy.enabled(row.requester)]


def _revocation(row: Row[Any], policy: Policy, version: int) -> Revoke:
    who, reason = row.revoke_for, row.revoke_reason
    if not who:
        who, reason = ENGINE, why_cannot_act(policy, version, row.requester)
    return Revoke(approval_id=row.approval_id, who=who, channel="", reason=reason)


def _concerned(connection: Connection, end: GrantEnd, requester: str) -> list[str]:
    """Whom a grant's end concerns: the requester; and, when it was revoked, everyone who was asked."""
    people = [requester]
    if end.status is GrantStatus.REVOKED:
        people += approvers.people_of(connection, end.approval_id)
    return list(dict.fromkeys(people))
