"""What messages that are kept up to date show: which transition of their request, or that nobody knows."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, select, update

from countersign.notifications import Shown
from store.database import StorePart, reads
from store.notifications import is_free
from store.tables import NEVER_SHOWN, UNCERTAIN, as_written, notifications

IS_SHOWN = notifications.c.shows.is_not(None)
IS_OF_NUMBER = notifications.c.approval_id == bindparam("number")
OUTDATE = update(notifications).where(IS_OF_NUMBER, IS_SHOWN).values(outdated=True)
OUTDATED = select(notifications).where(notifications.c.outdated)
# A change that was given up may still be made, whatever happens in between.
STAYS_UNCERTAIN = (notifications.c.shows == UNCERTAIN, UNCERTAIN)


class ShownMessages(StorePart):
    """Finds the messages that show their request as it was before."""

    @reads
    def outdated(self, approval_id: int) -> Sequence[Row[Any]]:
        """The outdated messages about a request."""
        with self.database.reading() as connection:
            return connection.execute(OUTDATED.where(notifications.c.approval_id == approval_id)).all()

    @reads
    def left_behind(self, now: datetime, limit: int) -> Sequence[Row[Any]]:
        """The outdated messages about all requests that are due for another try."""
        due = OUTDATED.where(notifications.c.retry_at <= as_written(now), is_free(as_written(now)))
        with self.database.reading() as connection:
            return connection.execute(due.order_by(notifications.c.retry_at).limit(as_written(limit))).all()


def of(connection: Connection, approval_ids: Collection[int]) -> Sequence[Row[Any]]:
    """The messages about these requests, in the order they were written."""
    shown = select(notifications).where(notifications.c.approval_id.in_(approval_ids), IS_SHOWN)
    return connection.execute(shown.order_by(notifications.c.written_at)).all()


def request_of(connection: Connection, notification_id: str) -> int | None:
    """The request that a message is about; None if it was forgotten."""
    about = select(notifications.c.approval_id).where(notifications.c.id == notification_id)
    return connection.execute(about).scalar_one_or_none()


def show(connection: Connection, shown: Shown, transition: int) -> None:
    """Note what a message shows now, while this is its request's last transition.

    If the row says something else than `shown.before`, nobody knows what the message shows.
    """
    values: dict[str, Any] = {"shows": None, "outdated": False}
    if shown.now is not None:
        shows = case(STAYS_UNCERTAIN, (notifications.c.shows == shown.before, shown.now), else_=NEVER_SHOWN)
        values = {"shows": shows, "outdated": shows < transition}
    of = (notifications.c.id == shown.notification_id) & IS_SHOWN
    connection.execute(update(notifications).where(of).values(tries=0, **values))


def outdate(connection: Connection, approval_id: int) -> None:
    """Note that the messages about a request show it as it was before."""
    connection.execute(OUTDATE, {"number": approval_id})


def outdate_others(connection: Connection, approval_id: int, notification_id: str) -> None:
    """Note the same for all messages but one.

    A change under way may have been made without the news, so nobody knows what such a message shows.
    """
    others = notifications.c.approval_id == approval_id, notifications.c.id != notification_id
    shows = case(STAYS_UNCERTAIN, else_=NEVER_SHOWN)
    connection.execute(update(notifications).where(*others, IS_SHOWN).values(shows=shows, outdated=True))


def mark_uncertain(connection: Connection, notification_ids: Sequence[str], retry_at: datetime) -> None:
    """Note that nobody knows what these messages show, nor will before `retry_at`."""
    values = {"shows": UNCERTAIN, "outdated": True, "retry_at": retry_at}
    connection.execute(update(notifications).where(notifications.c.id.in_(notification_ids), IS_SHOWN).values(values))
