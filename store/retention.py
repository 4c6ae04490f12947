"""Forgets what is no longer needed: which mails were read, what was reported of people, what was sent, and
who was signed in.

Requests, answers, grants and the record are kept for ever.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, exists, select, tuple_

from countersign.models import GrantStatus, Status
from store.database import Database
from store.sessions import KEPT as SESSIONS_KEPT
from store.tables import (
    application_sessions,
    as_written,
    client_certificates,
    grants,
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
from store.tokens import KEPT as TOKENS_KEPT

# So many rows, or the notifications of so many requests, are deleted in one transaction of some milliseconds.
AT_ONCE = 200
# Longer than a code for a web application may be used.
UNUSED_KEPT = timedelta(hours=1)
FEW_REQUESTS = 25
# A table, and which of its rows are kept no longer.
Old = tuple[Table, ColumnElement[bool]]
_IS_UNUSED = application_sessions.c.hash == as_written("")
_IS_GENERAL = notifications.c.approval_id.is_(None) & (notifications.c.state != as_written("waiting"))
_WAITS = requests.c.status == as_written(Status.WAITING.value)


@dataclass(frozen=True)
class Kept:
    """How long things are kept: mails after they came, the others after their request and grant were over."""

    mails: timedelta
    signals: timedelta
    notifications: timedelta


class Retention:
    """Forgets a little at a time; each call reads in one transaction, and writes in one for each kind if need be."""

    def __init__(self, database: Database, kept: Kept) -> None:
        self.database = database
        self.kept = kept
        self._past = 0  # the notifications of requests up to this number were checked in this round

    def forget_some(self, now: datetime | None = None) -> bool:
        """Forget a few rows of each kind; whether there may be more."""
        now = now or datetime.now(UTC)
        before = now - self.kept.notifications
        with self.database.reading() as connection:  # there is mostly nothing, and no writer is to wait for that
            there = _there(connection, self._old(now))
            old = [(table, which, _keys(connection, table, which)) for table, which in there]
            # Of the next few requests, oldest first, those that were settled so long ago and whose grant is over.
            some = _next_with_notifications(connection, self._past, before)
        over = [one.approval_id for one in some if one.is_over]
        goes_on = len(some) == FEW_REQUESTS and bool(some[-1].is_old)
        for table, which, keys in old:
            if keys:
                self._delete(table, tuple_(*table.primary_key).in_(keys), which)
        if over:
            sent = (notifications.c.state != "waiting") & ~notifications.c.outdated
            self._delete(
                notifications, notifications.c.approval_id.in_(over), sent, notifications.c.written_at < before
            )
        # Numbers grow with time: what comes after a request that is younger is younger still.
        self._past = some[-1].approval_id if goes_on else 0
        return goes_on or any(len(keys) == AT_ONCE for _, _, keys in old)

    def _old(self, now: datetime) -> list[Old]:
        """Which rows of which tables are kept no longer."""
        no_mails, no_signals = as_written(now - self.kept.mails), as_written(now - self.kept.signals)
        no_notifications, no_sessions = as_written(now - self.kept.notifications), as_written(now - SESSIONS_KEPT)
        return [
            (mails, (mails.c.claimed_until < no_mails) & (mails.c.state != as_written("claimed"))),
            (rejected_input, rejected_input.c.at < no_mails),
            (signals, (signals.c.at < no_signals) & ~_is_open(signals)),
            (sessions, sessions.c.ends_at < no_sessions),
            (application_sessions, application_sessions.c.ends_at < no_sessions),
            (application_sessions, _IS_UNUSED & (application_sessions.c.code_ends_at < as_written(now - UNUSED_KEPT))),
            (tokens, tokens.c.ends_at < as_written(now - TOKENS_KEPT)),
            (client_certificates, client_certificates.c.ends_at < as_written(now - TOKENS_KEPT)),
            (logins, logins.c.ends_at < no_sessions),
            (rdp_tokens, rdp_tokens.c.ends_at < no_sessions),
            (sign_ins, sign_ins.c.ends_at < no_sessions),
            (notifications, _IS_GENERAL & (notifications.c.written_at < no_notifications)),
        ]

    def _delete(self, table: Table, *which: ColumnElement[bool]) -> None:
        with self.database.transaction() as connection:
            connection.execute(delete(table).where(*which))


def _there(connection: Connection, old: Sequence[Old]) -> Iterator[Old]:
    """Those of which there are any rows."""
    any_rows = [exists().select_from(table).where(which) for table, which in old]
    return compress(old, connection.execute(select(*any_rows)).one())


def _keys(connection: Connection, table: Table, which: ColumnElement[bool]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(select(*table.primary_key).where(which).limit(AT_ONCE))]


def _is_open(table: Table) -> ColumnElement[bool]:
    """Whether a row is about a request that waits."""
    return exists().where(requests.c.approval_id == table.c.approval_id, _WAITS)


def _next_with_notifications(connection: Connection, past: int, before: datetime) -> Sequence[Row[Any]]:
    """The next requests with notifications, and whether each was opened before, or over with its grant."""
    at, is_next = as_written(before), notifications.c.approval_id > as_written(past)
    numbers = select(notifications.c.approval_id).where(is_next).distinct().order_by(notifications.c.approval_id)
    some = numbers.limit(as_written(FEW_REQUESTS)).subquery()
    grant_is_over = (grants.c.status != as_written(GrantStatus.ACTIVE.value)) & (grants.c.ended_at < at)
    is_over = (requests.c.settled_at < at) & ~_WAITS & (grants.c.approval_id.is_(None) | grant_is_over)
    query = select(some.c.approval_id, (requests.c.opened_at < at).label("is_old"), is_over.label("is_over"))
    query = query.join(requests, requests.c.approval_id == some.c.approval_id, isouter=True)
    query = query.join(grants, grants.c.approval_id == some.c.approval_id, isouter=True)
    return connection.execute(query.order_by(some.c.approval_id)).all()
