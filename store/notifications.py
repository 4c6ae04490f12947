"""The rows of notifications: written together with the change that they report, and sent afterwards."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    String,
    Update,
    bindparam,
    case,
    exists,
    func,
    insert,
    select,
    update,
)

from countersign.models import ASKING, Event, Status
from store.database import StorePart, insert_new, reads
from store.tables import NEVER_SHOWN, ROOM, UNCERTAIN, among, as_written, notifications, one_of, requests

# The first notifications about a request: later ones are shown below these, or change them.
FIRST_SAID = (Event.ASKED, Event.OPENED)
IS_WAITING = notifications.c.state == as_written("waiting")


def _waiting() -> Select[Any]:
    """Notifications that are not sent yet.

    Later ones about a request are left out while the first one to the same person by the same channel was tried, may
    have arrived, and still waits.
    """
    first = notifications.alias()
    same = [first.c[name] == notifications.c[name] for name in ("approval_id", "person", "channel")]
    unsaid = exists().where(
        *same, first.c.state == as_written("waiting"), one_of(first.c.event, FIRST_SAID), first.c.tries > as_written(0)
    )
    return select(notifications).where(IS_WAITING, one_of(notifications.c.event, FIRST_SAID) | ~unsaid)


def is_free(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Nobody is sending it, or changing its message."""
    return notifications.c.held_until.is_(None) | (notifications.c.held_until <= now)


IS_OF_NUMBER = notifications.c.approval_id == bindparam("number")
# Written into the sweeper's statements (`as_written`).
NOW: BindParameter[datetime] = bindparam("now", type_=notifications.c.retry_at.type, literal_execute=True)
CHANNELS: BindParameter[str] = bindparam("channels", expanding=True, literal_execute=True)
MOST: BindParameter[int] = bindparam("most", type_=Integer, literal_execute=True)
IDS: BindParameter[str] = bindparam("ids", expanding=True)
IS_OF_ID = notifications.c.id == bindparam("notification")
UNSENT = _waiting().where(IS_OF_NUMBER, notifications.c.id.startswith(bindparam("transition", type_=String)))
_LEFT_OVER = _waiting().where(notifications.c.retry_at <= NOW, is_free(NOW)).order_by(notifications.c.retry_at)
LEFT_OVER_BY = _LEFT_OVER.where(notifications.c.channel.in_(CHANNELS)).limit(MOST)
LEFT_OVER_BUT = _LEFT_OVER.where(notifications.c.channel.not_in(CHANNELS)).limit(MOST)
FREE_AMONG = (
    select(notifications.c.id, notifications.c.tries)
    .where(notifications.c.id.in_(IDS), is_free(NOW))
    .order_by(notifications.c.id)
    .with_for_update()
)
ADD = insert(notifications)
CHANGE = update(notifications).where(IS_OF_ID)
BEGIN = CHANGE.values(shows=case((notifications.c.shows == UNCERTAIN, NEVER_SHOWN), else_=notifications.c.shows))
BEGIN_FIRST = (
    update(notifications)
    .where(notifications.c.id.in_(IDS), notifications.c.tries == 0)
    .values(tries=1)
    .returning(notifications.c.id)
)
END = CHANGE.where(notifications.c.state == "waiting").returning(notifications)
_OTHER = notifications.alias()
_IS_REACHED = exists().where(
    *(_OTHER.c[name] == notifications.c[name] for name in ("approval_id", "person")), _OTHER.c.state != "unreachable"
)
_IS_LOST = (notifications.c.state == as_written("unreachable")) & ~_IS_REACHED


class Notifications(StorePart):
    """Who sends which notification."""

    def hold(self, notification_ids: Collection[str], until: datetime) -> None:
        """Keep these held until then, as they are still being sent or changed."""
        held = notifications.c.id.in_(notification_ids) & notifications.c.held_until.is_not(None)
        with self.database.transaction() as connection:
            connection.execute(update(notifications).where(held).values(held_until=until))

    def release(self, notification_ids: Collection[str]) -> None:
        """Let others send or change these when they are due."""
        with self.database.transaction() as connection:
            connection.execute(
                update(notifications).where(notifications.c.id.in_(notification_ids)).values(held_until=None)
            )

    @reads
    def lost(self, approval_id: int) -> list[str]:
        """The people whom no notification about a request has reached, or will."""
        with self.database.reading() as connection:
            return sorted(lost_of(connection, approval_id))


def left_over(
    connection: Connection, now: datetime, limit: int, by: Collection[str] | None, but: Collection[str]
) -> list[Row[Any]]:
    """Notifications still not sent that are due for another try, by these channels or by all `but` some."""
    due, wanted = (LEFT_OVER_BY, by) if by is not None else (LEFT_OVER_BUT, but)
    return list(connection.execute(due, {"now": now, "channels": list(wanted), "most": limit}))


@cache
def _asking_in_vain(live: frozenset[str]) -> tuple[Select[Any], Update]:
    """Finds one, and ends all, of the waiting notifications that ask about a settled request and aren't being sent.

    Leaves out the message of a `live` channel that may have got through.
    """
    settled = exists().where(
        requests.c.approval_id == notifications.c.approval_id, requests.c.status != as_written(Status.WAITING.value)
    )
    may_be_there = (
        one_of(notifications.c.channel, sorted(live))
        & (notifications.c.event == as_written(Event.ASKED.value))
        & (notifications.c.tries > as_written(0))
    )
    in_vain = IS_WAITING & is_free(NOW) & one_of(notifications.c.event, ASKING) & ~may_be_there & settled
    first = select(notifications.c.id).where(in_vain).limit(as_written(1))
    return first, update(notifications).where(in_vain).values(state="moot")


def ask_in_vain(connection: Connection, live: frozenset[str], now: datetime) -> bool:
    """Whether any notification that waits to be sent asks about a request that is settled."""
    first, _ = _asking_in_vain(live)
    return connection.execute(first, {"now": now}).first() is not None


def end_asking_in_vain(connection: Connection, live: frozenset[str], now: datetime) -> None:
    """Mark these as moot, so that they are not sent."""
    _, end = _asking_in_vain(live)
    connection.execute(end, {"now": now})


def lost_of(connection: Connection, approval_id: int) -> set[str]:
    """The people whom no notification about a request has reached, or will."""
    lost = select(notifications.c.person).where(notifications.c.approval_id == approval_id, _IS_LOST)
    return {one for one in connection.execute(lost).scalars() if not one.startswith(ROOM)}


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add notifications."""
    if rows:
        connection.execute(ADD, rows)


def add_new(connection: Connection, *rows: dict[str, Any]) -> int:
    """Add notifications, except those that are there already; returns how many were new."""
    return insert_new(connection, notifications, *rows)


def free_among(connection: Connection, notification_ids: Sequence[str], now: datetime) -> Sequence[Row[str, int]]:
    """Id and tries of the notifications, among these, that nobody is sending or changing.

    Locked until the transaction ends.
    """
    return connection.execute(FREE_AMONG, {"ids": notification_ids, "now": now}).all()


def begin(connection: Connection, notification_id: str, **values: Any) -> None:
    """Change these columns of a notification that is sent or changed now.

    What its message shows is no longer UNCERTAIN.
    """
    connection.execute(BEGIN, {"notification": notification_id, **values})


def begin_first(connection: Connection, notification_ids: Sequence[str], **values: Any) -> set[str]:
    """Change these columns of notifications that are sent now for the first time.

    Returns the ids of those that were not tried before.
    """
    return (
        set(connection.execute(BEGIN_FIRST, {"ids": notification_ids, **values}).scalars())
        if notification_ids
        else set()
    )


def change(connection: Connection, notification_id: str, **values: Any) -> None:
    """Change these columns of a notification."""
    connection.execute(CHANGE, {"notification": notification_id, **values})


def end(connection: Connection, notification_id: str, **values: Any) -> Row[Any] | None:
    """Change these columns of a notification that was not sent yet; None if it was, or was given up."""
    return connection.execute(END, {"notification": notification_id, **values}).one_or_none()


def waiting_since_try(connection: Connection, notification_id: str, tries: int) -> Row[Any] | None:
    """A notification that still waits after this many tries; None if another try has begun since."""
    same = (notifications.c.id == notification_id) & (notifications.c.tries == tries)
    return connection.execute(select(notifications).where(same, notifications.c.state == "waiting")).one_or_none()


def written_since(connection: Connection, person: str, event: Event, since: datetime, indexed: Sequence[Event]) -> int:
    """How many notifications of an event were written to somebody since a moment; `indexed` includes the event."""
    recent = select(func.count()).where(
        one_of(notifications.c.event, indexed),
        notifications.c.person == person,
        notifications.c.event == event,
        notifications.c.written_at > since,
    )
    return connection.execute(recent).scalar_one()


def of_request(connection: Connection, approval_id: int, limit: int) -> Sequence[Row[Any]]:
    """The notifications about a request, in the order in which they were written."""
    own = select(notifications).where(notifications.c.approval_id == approval_id)
    return connection.execute(own.order_by(notifications.c.written_at, notifications.c.id).limit(limit)).all()


def unsent(connection: Connection, approval_id: int, transition: int) -> Sequence[Row[Any]]:
    """The notifications of one transition that were not sent yet."""
    return connection.execute(UNSENT, {"number": approval_id, "transition": f"{approval_id}.{transition}."}).all()


def lost_among(connection: Connection, numbers: Collection[int] | None) -> Sequence[Row[int, str, str]]:
    """The people whom no notification about a waiting request reached: its number, the person and `unreachable`."""
    lost = (
        select(notifications.c.approval_id, notifications.c.person, notifications.c.state)
        .join(requests, requests.c.approval_id == notifications.c.approval_id)
        .where(
            requests.c.status == Status.WAITING,
            among(notifications.c.approval_id, numbers),
            _IS_LOST,
        )
    )
    return connection.execute(lost).all()
