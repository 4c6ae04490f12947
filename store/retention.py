"""Forgets what is no longer needed: which mails were read, what was reported of people, what was sent, and
who was signed in.

Requests, answers, grants and the record are kept for ever.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, or_, select, tuple_

from countersign.models import GrantStatus, Status
from store.database import Database
from store.sessions import KEPT as SESSIONS_KEPT
from store.tables import (
    grants,
    logins,
    mails,
    notifications,
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
FEW_REQUESTS = 25
_IS_GENERAL = notifications.c.approval_id.is_(None) & (notifications.c.state != "waiting")


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
            old = [(table, which, _keys(connection, table, which)) for table, which in self._old(now)]
            # Of the next few requests, oldest first, those that were settled so long ago and whose grant is over.
            numbers = _next_with_notifications(connection, self._past)
            over = _over(connection, numbers, before)
            goes_on = len(numbers) == FEW_REQUESTS and _is_old(connection, numbers[-1], before)
        for table, which, keys in old:
            if keys:
                self._delete(table, tuple_(*table.primary_key).in_(keys), which)
        if over:
            sent = (notifications.c.state != "waiting") & ~notifications.c.outdated
            self._delete(
                notifications, notifications.c.approval_id.in_(over), sent, notifications.c.written_at < before
            )
        # Numbers grow with time: what comes after a request that is younger is younger still.
        self._past = numbers[-1] if goes_on else 0
        return goes_on or any(len(keys) == AT_ONCE for _, _, keys in old)

    def _old(self, now: datetime) -> list[tuple[Table, ColumnElement[bool]]]:
        """Which rows of which tables are kept no longer."""
        return [
            (mails, (mails.c.claimed_until < now - self.kept.mails) & (mails.c.state != "claimed")),
            (rejected_input, rejected_input.c.at < now - self.kept.mails),
            (signals, (signals.c.at < now - self.kept.signals) & ~_is_open(signals)),
            (sessions, sessions.c.ends_at < now - SESSIONS_KEPT),
            (tokens, tokens.c.ends_at < now - TOKENS_KEPT),
            (logins, logins.c.ends_at < now - SESSIONS_KEPT),
            (sign_ins, sign_ins.c.ends_at < now - SESSIONS_KEPT),
            (notifications, _IS_GENERAL & (notifications.c.written_at < now - self.kept.notifications)),
        ]

    def _delete(self, table: Table, *which: ColumnElement[bool]) -> None:
        with self.database.transaction() as connection:
            connection.execute(delete(table).where(*which))


def _keys(connection: Connection, table: Table, which: ColumnElement[bool]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(select(*table.primary_key).where(which).limit(AT_ONCE))]


def _is_open(table: Table) -> ColumnElement[bool]:
    """Whether a row is about a request that waits."""
    return exists().where(requests.c.approval_id == table.c.approval_id, requests.c.status == Status.WAITING)


def _next_with_notifications(connection: Connection, past: int) -> list[int]:
    query = select(notifications.c.approval_id).where(notifications.c.approval_id > past).distinct()
    return list(connection.execute(query.order_by(notifications.c.approval_id).limit(FEW_REQUESTS)).scalars())


def _is_old(connection: Connection, number: int, before: datetime) -> bool:
    opened = select(requests.c.opened_at).where(requests.c.approval_id == number, requests.c.opened_at < before)
    return connection.execute(opened).first() is not None


def _over(connection: Connection, numbers: list[int], before: datetime) -> list[int]:
    """Which of these requests have been over, with their grants, for so long."""
    query: Any = (
        select(requests.c.approval_id)
        .join(grants, grants.c.approval_id == requests.c.approval_id, isouter=True)
        .where(
            requests.c.approval_id.in_(numbers),
            requests.c.status != Status.WAITING,
            requests.c.settled_at < before,
            or_(
                grants.c.approval_id.is_(None),
                (grants.c.status != GrantStatus.ACTIVE) & (grants.c.ended_at < before),
            ),
        )
    )
    return list(connection.execute(query).scalars())
