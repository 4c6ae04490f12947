"""Deletes rows that are no longer needed, such as those of handled mails, signals, sent notifications and sessions.

Requests, answers, grants and the record are kept for ever.
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import compress
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    Table,
    bindparam,
    delete,
    exists,
    func,
    select,
    tuple_,
)

from countersign.models import GrantStatus, Status
from store.database import Database, StorePart
from store.tables import (
    Instant,
    Number,
    application_sessions,
    as_written,
    client_certificates,
    grants,
    idempotency,
    logins,
    mails,
    notifications,
    rdp_tokens,
    rejected_input,
    requests,
    sessions,
    sign_ins,
    signals,
    tokens,
)

# The most rows, or requests whose notifications, are deleted in one transaction, which takes some milliseconds.
AT_ONCE = 200
FEW_REQUESTS = 25
# A table, and which of its rows are kept no longer.
Old = tuple[Table, ColumnElement[bool]]


def _moment(name: str) -> BindParameter[datetime]:
    """A moment that is written into the statement: see `as_written`."""
    return bindparam(name, type_=Instant(), literal_execute=True)


MAILS, SIGNALS, NOTIFICATIONS, SESSIONS, TOKENS, CODES, REPLIES = map(
    _moment, ("mails", "signals", "notifications", "sessions", "tokens", "unused_codes", "replies")
)
PAST: BindParameter[int] = bindparam("past", type_=Number, literal_execute=True)
_IS_UNUSED = application_sessions.c.hash == as_written("")
_IS_GENERAL = notifications.c.approval_id.is_(None) & (notifications.c.state != as_written("waiting"))
_WAITS = requests.c.status == as_written(Status.WAITING.value)
_IS_OPEN = exists().where(requests.c.approval_id == signals.c.approval_id, _WAITS)
OLD: list[Old] = [
    (mails, (mails.c.claimed_until < MAILS) & (mails.c.state != as_written("claimed"))),
    (rejected_input, rejected_input.c.at < MAILS),
    (signals, (signals.c.at < SIGNALS) & ~_IS_OPEN),
    (sessions, sessions.c.ends_at < SESSIONS),
    (application_sessions, application_sessions.c.ends_at < SESSIONS),
    (application_sessions, _IS_UNUSED & (application_sessions.c.code_ends_at < CODES)),
    (tokens, tokens.c.ends_at < TOKENS),
    (client_certificates, client_certificates.c.ends_at < TOKENS),
    (logins, logins.c.ends_at < SESSIONS),
    (idempotency, idempotency.c.at < REPLIES),
    (rdp_tokens, rdp_tokens.c.ends_at < SESSIONS),
    (sign_ins, sign_ins.c.ends_at < SESSIONS),
    (notifications, _IS_GENERAL & (notifications.c.written_at < NOTIFICATIONS)),
]


def _is_next_young() -> ColumnElement[bool]:
    """Whether the next request with notifications is too young, and so all after it: numbers grow with time."""
    following = select(func.min(notifications.c.approval_id)).where(notifications.c.approval_id > PAST)
    return exists().where(requests.c.approval_id == following.scalar_subquery(), requests.c.opened_at >= NOTIFICATIONS)


def _next_with_notifications() -> Select[Any]:
    """The next requests with notifications, with whether each was opened, and whether it was over, long enough ago."""
    numbers = select(notifications.c.approval_id).where(notifications.c.approval_id > PAST).distinct()
    some = numbers.order_by(notifications.c.approval_id).limit(as_written(FEW_REQUESTS)).subquery()
    grant_is_over = (grants.c.status != as_written(GrantStatus.ACTIVE.value)) & (grants.c.ended_at < NOTIFICATIONS)
    is_over = (requests.c.settled_at < NOTIFICATIONS) & ~_WAITS & (grants.c.approval_id.is_(None) | grant_is_over)
    is_old = requests.c.opened_at < NOTIFICATIONS
    query = select(some.c.approval_id, is_old.label("is_old"), is_over.label("is_over"))
    query = query.join(requests, requests.c.approval_id == some.c.approval_id, isouter=True)
    query = query.join(grants, grants.c.approval_id == some.c.approval_id, isouter=True)
    return query.order_by(some.c.approval_id)


# Whether there are old rows of each kind, and whether no request's notifications are old.
ARE_ANY = select(*(exists().select_from(table).where(which) for table, which in OLD), _is_next_young())
NEXT_WITH_NOTIFICATIONS = _next_with_notifications()


class Retention(StorePart):
    """Deletes a little at a time; each call reads in one transaction, and deletes in one for each kind if need be."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._past = 0  # the notifications of requests up to this number were checked in this round

    def forget_some(self, oldest: Mapping[str, datetime]) -> bool:
        """Delete a few rows of each kind that are older than its moment; returns whether there may be more."""
        values = {**oldest, PAST.key: self._past}
        with self.database.reading() as connection:  # mostly nothing is old, and then no writer has to wait
            *are_any, young = connection.execute(ARE_ANY, values).one()
            old = [(*one, _keys(connection, *one, values)) for one in compress(OLD, are_any)]
            # The next few requests, oldest first, with whether each was settled, and its grant over, long enough ago.
            some = [] if young else connection.execute(NEXT_WITH_NOTIFICATIONS, values).all()
        over = [one.approval_id for one in some if one.is_over]
        goes_on = len(some) == FEW_REQUESTS and bool(some[-1].is_old)
        for table, which, keys in old:
            if keys:
                self._delete(values, table, tuple_(*table.primary_key).in_(keys), which)
        if over:
            sent = (notifications.c.state != "waiting") & ~notifications.c.outdated
            was_written = notifications.c.written_at < NOTIFICATIONS
            self._delete(values, notifications, notifications.c.approval_id.in_(over), sent, was_written)
        # Numbers grow with time: what comes after a request that is younger is younger still.
        self._past = some[-1].approval_id if goes_on else 0
        return goes_on or any(len(keys) == AT_ONCE for _, _, keys in old)

    def _delete(self, values: Mapping[str, Any], table: Table, *which: ColumnElement[bool]) -> None:
        with self.database.transaction() as connection:
            connection.execute(delete(table).where(*which), values)


def _keys(
    connection: Connection, table: Table, which: ColumnElement[bool], values: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    query = select(*table.primary_key).where(which).limit(AT_ONCE)
    return [tuple(row) for row in connection.execute(query, values)]
