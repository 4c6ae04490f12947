"""The time-boxed permissions, and whether one answers a question."""

from collections.abc import Collection
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, insert, select, update

from countersign.directory import Policy
from countersign.errors import Refused
from countersign.grant_reuse import answer_by, is_yes, on_record
from countersign.models import Asked, Event, GrantStatus, GrantView, Question, Route, Status
from countersign.policy import why_gone
from countersign.transitions import GRANT_STEP, AuditEvent, GrantEnd, GrantTerms, Recipient, Revoke
from store.database import Database, reads
from store.due import Due, among
from store.events import append
from store.notifications import Notifications
from store.policies import Policies
from store.repeats import append_or_count
from store.tables import approvers, as_written, grants, requests

# More than this many have to wait for the next sweep; a statement takes only so many parameters.
REVOKED_AT_ONCE = 1000
# Who ends what a policy takes away from people who are disabled.
ENGINE = "countersign"
IS_ACTIVE = grants.c.status == as_written(GrantStatus.ACTIVE.value)


class Grants:
    """Reading, asking by, and ending grants."""

    def __init__(self, database: Database, policies: Policies, told: Notifications) -> None:
        self.database = database
        self.policies = policies
        self.notifications = told
        self._to_revoke = Due(_to_revoke)

    def ask(self, question: Question, who: str) -> Asked | None:
        """Answer the question by a grant that lasts, and record that it was asked again; None when there is none.

        Raises Refused, in words and recorded too, when the grant doesn't cover the question.
        """
        with self.database.transaction() as connection:
            asked, refused = self.answer_in(connection, question, who)
        if refused:
            raise refused
        return asked

    def answer_in(self, connection: Connection, question: Question, who: str) -> tuple[Asked | None, Refused | None]:
        """The same within a transaction: the reply, or the refusal, with its row in the record."""
        now = datetime.now(UTC)
        _, policy = self.policies.in_force(connection)
        found = lasting(connection, policy, question, now)
        if found is None:
            return None, None
        grant, minutes = found
        if not policy.enabled(question.requester):
            return None, None  # policy.route refuses it, in its words
        refused = None
        try:
            words = answer_by(grant, minutes, question)
        except Refused as error:
            words, refused = str(error), error
        line = AuditEvent(kind="asked_again", at=now, who=who, words=words, proof=on_record(question))
        append_or_count(connection, grant.approval_id, line, who, grant.approval_id)
        yes = Asked(approval_id=grant.approval_id, status=Status.APPROVED, joined=True, words=words, grant=grant)
        return (None if refused else yes), refused

    def end(self, end: GrantEnd) -> bool:
        """End or revoke a grant, and write who must be told; False when it had ended already."""
        kind = "grant_revoked" if end.status is GrantStatus.REVOKED else "grant_ended"
        proof = {"wish": end.wish_id} if end.wish_id else {}
        line = AuditEvent(kind=kind, at=end.at, who=end.who, channel=end.channel, words=end.words, proof=proof)
        change = {"status": end.status, "ended_at": end.at, "words": end.words}
        active = (grants.c.approval_id == end.approval_id) & (grants.c.status == GrantStatus.ACTIVE)
        if end.run is not None:
            same = (requests.c.approval_id == end.approval_id) & (requests.c.token_run == end.run)
            active &= exists().where(same)
        with self.database.transaction() as connection:
            if not connection.execute(update(grants).where(active).values(change)).rowcount:
                return False
            last_step = update(requests).where(requests.c.approval_id == end.approval_id).values(step=GRANT_STEP)
            request = connection.execute(last_step.returning(requests)).one()
            tell = [
                Recipient(event=Event.GRANT_ENDED, person=one, words=end.words)
                for one in _concerned(connection, end, request.requester)
            ]
            self.notifications.write(connection, request, request.level, GRANT_STEP, end.at, tell)
            append(connection, end.approval_id, [line])
        return True

    @reads
    def of(self, approval_id: int) -> GrantView | None:
        """The grant that an approval opened."""
        with self.database.reading() as connection:
            row = connection.execute(select(grants).where(grants.c.approval_id == approval_id)).one_or_none()
            _, policy = self.policies.in_force(connection)
        return view(row, policy) if row else None

    @reads
    def overdue(self, before: datetime, limit: int) -> list[int]:
        """Grants that are Active though their end was before a moment: their workflows are gone, or asleep."""
        late = select(grants.c.approval_id).where(IS_ACTIVE, grants.c.ends_at < before).limit(limit)
        with self.database.reading() as connection:
            return list(connection.execute(late).scalars())

    def to_revoke(self) -> list[Revoke]:
        """The Active grants that the policy in force ends.

        Those of people who were disabled, or are gone from the directory; and what a policy was said to end.
        """
        with self.database.reading() as connection:
            version, policy = self.policies.in_force(connection)
            due = self._to_revoke.find(connection, version, policy)
            some = grants.c.approval_id.in_(due[:REVOKED_AT_ONCE])
            return [_revocation(row, policy, version) for row in connection.execute(select(grants).where(some))]


def lasting(connection: Connection, policy: Policy, question: Question, now: datetime) -> tuple[GrantView, int] | None:
    """The Active grant for this requester, device and protocol whose end lies ahead, and the minutes it was for."""
    newest: Select[Any] = (
        select(grants, requests.c.route)
        .join(requests, requests.c.approval_id == grants.c.approval_id)
        .where(
            grants.c.requester == question.requester,
            grants.c.device == question.device,
            grants.c.protocol == question.protocol,
            grants.c.status == GrantStatus.ACTIVE,
        )
        .order_by(grants.c.ends_at.desc())
        .limit(1)
    )
    row = connection.execute(newest).one_or_none()
    if row is None or not is_yes(grant := view(row, policy), now):
        return None
    return grant, Route.model_validate(row.route).grant_minutes


def _to_revoke(connection: Connection, policy: Policy, numbers: Collection[int] | None) -> list[int]:
    columns = grants.c.approval_id, grants.c.requester, grants.c.revoke_for
    held = connection.execute(select(*columns).where(IS_ACTIVE, among(grants.c.approval_id, numbers)))
    return [row.approval_id for row in held if row.revoke_for or not policy.enabled(row.requester)]


def _revocation(row: Row[Any], policy: Policy, version: int) -> Revoke:
    who, words = row.revoke_for, row.revoke_words
    if not who:
        who, words = ENGINE, why_gone(policy, version, row.requester)
    return Revoke(approval_id=row.approval_id, who=who, channel="", words=words)


def view(row: Row[Any] | SimpleNamespace, policy: Policy) -> GrantView:
    """A row as a grant, by the policy in force."""
    stored = {name: getattr(row, name) for name in GrantView.model_fields if hasattr(row, name)}
    return GrantView(**stored, same_source_address=policy.same_source_address)


def _concerned(connection: Connection, end: GrantEnd, requester: str) -> list[str]:
    """Whom a grant's end concerns: the requester; and, when it was revoked, everyone who was asked."""
    asked = select(approvers.c.person).where(approvers.c.approval_id == end.approval_id).distinct()
    people = [requester]
    if end.status is GrantStatus.REVOKED:
        people += connection.execute(asked).scalars()
    return list(dict.fromkeys(people))


def add(connection: Connection, approval_id: int, question: Question, starts_at: datetime, ends_at: datetime) -> None:
    """Add the Active grant that an approval opens."""
    connection.execute(
        insert(grants).values(
            approval_id=approval_id,
            requester=question.requester,
            device=question.device,
            protocol=question.protocol,
            source_address=question.source_address,
            status=GrantStatus.ACTIVE,
            starts_at=starts_at,
            ends_at=ends_at,
            words="",
        )
    )


def terms_of(connection: Connection, approval_id: int) -> GrantTerms | None:
    """The terms of the grant that an approval opened, if there is one."""
    query = select(grants, requests.c.token_run).join(requests, requests.c.approval_id == grants.c.approval_id)
    row = connection.execute(query.where(grants.c.approval_id == approval_id)).one_or_none()
    if row is None:
        return None
    return GrantTerms(approval_id=approval_id, starts_at=row.starts_at, ends_at=row.ends_at, run=row.token_run)
