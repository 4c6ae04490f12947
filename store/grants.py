"""The rows of grants, the time-boxed permissions that approvals open."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, exists, insert, select, update

from countersign.directory import Policy
from countersign.models import GrantStatus, GrantView, Question
from countersign.transitions import GrantEnd, GrantTerms
from store.database import Database, reads
from store.subjects import SUBJECT_COLUMNS, columns_of
from store.tables import LONGEST_WHO, among, as_written, grants, requests

REVOKE = (
    update(grants)
    .where(grants.c.approval_id == bindparam("number"))
    .values(revoke_for=bindparam("for"), revoke_reason=bindparam("why"))
)
# The columns of a grant that its view shows.
SHOWN = [name for name in GrantView.model_fields if name in grants.columns]
ADD = insert(grants)
# There are several if one was renewed; no more than this are looked at.
MOST_AT_ONCE = 100
ACTIVE_FOR: Select[Any] = (
    select(grants, requests.c.route)
    .join(requests, requests.c.approval_id == grants.c.approval_id)
    .where(
        grants.c.requester == bindparam("who"),
        *(grants.c[name] == bindparam(name) for name in SUBJECT_COLUMNS),
        grants.c.status == GrantStatus.ACTIVE,
        requests.c.workflow_id == bindparam("key"),
    )
    .order_by(grants.c.ends_at.desc())
    .limit(MOST_AT_ONCE)
)
IS_ACTIVE = grants.c.status == as_written(GrantStatus.ACTIVE.value)


@reads
def overdue(database: Database, before: datetime, limit: int) -> list[int]:
    """Grants that are still Active though their end was before a moment: no workflow has ended them."""
    late = select(grants.c.approval_id).where(IS_ACTIVE, grants.c.ends_at < as_written(before))
    with database.reading() as connection:
        return list(connection.execute(late.limit(as_written(limit))).scalars())


def active_for(connection: Connection, question: Question) -> Sequence[Row[Any]]:
    """The Active grants for what this question asks for, each with its request's `route`; the last to end first."""
    asked = {"who": question.requester, "key": question.subject.key, **columns_of(question.subject)}
    return connection.execute(ACTIVE_FOR, asked).all()


def active_among(connection: Connection, numbers: Collection[int] | None) -> Sequence[Row[Any, Any, Any]]:
    """Number, requester and `revoke_for` of the Active grants of these requests, or of all if `numbers` is None."""
    columns = grants.c.approval_id, grants.c.requester, grants.c.revoke_for
    return connection.execute(select(*columns).where(IS_ACTIVE, among(grants.c.approval_id, numbers))).all()


def rows_of(connection: Connection, numbers: Sequence[int]) -> Sequence[Row[Any]]:
    """The grants of these requests."""
    return connection.execute(select(grants).where(grants.c.approval_id.in_(numbers))).all()


def lasting_after(connection: Connection, after: int, now: datetime, limit: int) -> Sequence[Row[Any, Any, Any]]:
    """Number, question and route of the next grants above a number that are Active and whose end lies ahead."""
    query = (
        select(grants.c.approval_id, requests.c.question, requests.c.route)
        .join(requests, requests.c.approval_id == grants.c.approval_id)
        .where(IS_ACTIVE, grants.c.approval_id > after, grants.c.ends_at > now)
        .order_by(grants.c.approval_id)
        .limit(limit)
    )
    return connection.execute(query).all()


def view(row: Row[Any], policy: Policy, prefix: str = "") -> GrantView:
    """A row as a grant, under the policy in force; the names of the grant's columns in the row begin with `prefix`."""
    stored = {name: getattr(row, prefix + name) for name in SHOWN}
    return GrantView(**stored, same_source_address=policy.same_source_address)


def add(connection: Connection, approval_id: int, question: Question, starts_at: datetime, ends_at: datetime) -> None:
    """Add the Active grant that an approval opens."""
    row = {
        "approval_id": approval_id,
        "requester": question.requester,
        **columns_of(question.subject),
        "source_address": question.source_address,
        "status": GrantStatus.ACTIVE,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "message": "",
    }
    connection.execute(ADD, row)


def terms_of(connection: Connection, approval_id: int) -> GrantTerms | None:
    """The terms of the grant that an approval opened, if there is one."""
    query = select(grants, requests.c.token_run).join(requests, requests.c.approval_id == grants.c.approval_id)
    row = connection.execute(query.where(grants.c.approval_id == approval_id)).one_or_none()
    if row is None:
        return None
    return GrantTerms(approval_id=approval_id, starts_at=row.starts_at, ends_at=row.ends_at, run=row.token_run)


def end(connection: Connection, ended: GrantEnd) -> bool:
    """End an Active grant; if a `run` is named, only one of that run's request. False if there is no such grant."""
    active = (grants.c.approval_id == ended.approval_id) & (grants.c.status == GrantStatus.ACTIVE)
    if ended.run is not None:
        same = (requests.c.approval_id == ended.approval_id) & (requests.c.token_run == ended.run)
        active &= exists().where(same)
    change = {"status": ended.status, "ended_at": ended.at, "message": ended.message}
    return connection.execute(update(grants).where(active).values(change)).rowcount > 0


def have_revoked(connection: Connection, who: str, reasons: Sequence[tuple[int, str]]) -> None:
    """Note that somebody has grants revoked: by approval id, the reason for each; the sweeper revokes them."""
    rows = [{"number": number, "for": who[:LONGEST_WHO], "why": why} for number, why in reasons]
    connection.execute(REVOKE, rows)
