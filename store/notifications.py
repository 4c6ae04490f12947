"""Notifications: written with the change they tell of, and sent afterwards, so that none is lost or written twice."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    String,
    bindparam,
    case,
    exists,
    func,
    insert,
    select,
    update,
)

from countersign.models import Event, Status
from countersign.notifications import Shown
from store.database import Database, insert_new, reads
from store.requests import last_transition_of
from store.tables import ROOM, among, as_written, notifications, one_of, requests

# Who sends a notification says so again and again (`hold`); another may send it when nothing was said for this long.
HELD_FOR = timedelta(seconds=20)
ASKING = (Event.ASKED, Event.REMINDED)
# What else there is to say stands below these, or in them.
FIRST_SAID = (Event.ASKED, Event.OPENED)
# Before any transition: nobody knows what the message shows.
NEVER_SHOWN = 0
# Nor will anybody for a while: a change was given up, and may yet be made, after the ones that come next.
DOUBTFUL = -1
IS_WAITING = notifications.c.state == as_written("waiting")


def _waiting() -> Select[Any]:
    """Not sent yet; what comes of a request waits for what asked or opened, where that was tried and may be there."""
    first = notifications.alias()
    same = [first.c[name] == notifications.c[name] for name in ("approval_id", "person", "channel")]
    unsaid = exists().where(
        *same, first.c.state == as_written("waiting"), one_of(first.c.event, FIRST_SAID), first.c.tries > as_written(0)
    )
    return select(notifications).where(IS_WAITING, one_of(notifications.c.event, FIRST_SAID) | ~unsaid)


def _free(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Nobody is sending it, or changing its message."""
    return notifications.c.held_until.is_(None) | (notifications.c.held_until <= now)


IS_OF_NUMBER = notifications.c.approval_id == bindparam("number")
# Written into what the sweeper asks (`as_written`).
NOW: BindParameter[datetime] = bindparam("now", type_=notifications.c.retry_at.type, literal_execute=True)
CHANNELS: BindParameter[str] = bindparam("channels", expanding=True, literal_execute=True)
MOST: BindParameter[int] = bindparam("most", type_=Integer, literal_execute=True)
IDS: BindParameter[str] = bindparam("ids", expanding=True)
IS_OF_ID = notifications.c.id == bindparam("notification")
UNSENT = _waiting().where(IS_OF_NUMBER, notifications.c.id.startswith(bindparam("transition", type_=String)))
_LEFT_OVER = _waiting().where(notifications.c.retry_at <= NOW, _free(NOW)).order_by(notifications.c.retry_at)
LEFT_OVER_BY = _LEFT_OVER.where(notifications.c.channel.in_(CHANNELS)).limit(MOST)
LEFT_OVER_BUT = _LEFT_OVER.where(notifications.c.channel.not_in(CHANNELS)).limit(MOST)
FREE_AMONG = (
    select(notifications.c.id, notifications.c.tries)
    .where(notifications.c.id.in_(IDS), _free(NOW))
    .order_by(notifications.c.id)
    .with_for_update()
)
ADD = insert(notifications)
CHANGE = update(notifications).where(IS_OF_ID)
BEGIN = CHANGE.values(shows=case((notifications.c.shows == DOUBTFUL, NEVER_SHOWN), else_=notifications.c.shows))
BEGIN_FIRST = (
    update(notifications)
    .where(notifications.c.id.in_(IDS), notifications.c.tries == 0)
    .values(tries=1)
    .returning(notifications.c.id)
)
END = CHANGE.where(notifications.c.state == "waiting").returning(notifications)
OUTDATE = update(notifications).where(IS_OF_NUMBER, notifications.c.shows.is_not(None)).values(outdated=True)


class Notifications:
    """What is to be sent, what was, and what it shows. `live`: the channels whose messages are kept up to date."""

    def __init__(self, database: Database, live: frozenset[str] = frozenset()) -> None:
        self.database = database
        self.live = live
        self._moot = self._is_moot()
        self._first_moot = select(notifications.c.id).where(self._moot).limit(as_written(1))

    # --- what is to be sent ------------------------------------------------------------------------------------------

    @reads
    def of_transition(self, approval_id: int, transition: int) -> list[Row[Any]]:
        """The notifications of one transition that were not sent yet."""
        with self.database.reading() as connection:
            return list(unsent(connection, approval_id, transition))

    def left_over(
        self, now: datetime, limit: int, by: Collection[str] | None = None, but: Collection[str] = ()
    ) -> list[Row[Any]]:
        """Notifications still not sent that are due for another try, by these channels or by all `but` some.

        What asks about a settled request is asked no more. Where a message can be changed and may have got through, it
        is not left there as a question: sent again, it is found, and then says what became of it.
        """
        due, wanted = (LEFT_OVER_BY, by) if by is not None else (LEFT_OVER_BUT, but)
        asked = {"now": now, "channels": list(wanted), "most": limit}
        # Read first: a transaction that writes would hold up all others, and there is mostly nothing to write.
        with self.database.reading() as connection:
            rows = list(connection.execute(due, asked))
            changes = connection.execute(self._first_moot, {"now": now}).first() is not None
        if not changes:
            return rows
        with self.database.transaction() as connection:
            connection.execute(update(notifications).where(self._moot).values(state="moot"), {"now": now})
            return list(connection.execute(due, asked))

    def _is_moot(self) -> ColumnElement[bool]:
        """What still asks about a request that is settled, and is not on its way."""
        settled = exists().where(
            requests.c.approval_id == notifications.c.approval_id,
            requests.c.status != as_written(Status.WAITING.value),
        )
        may_be_there = (
            one_of(notifications.c.channel, sorted(self.live))
            & (notifications.c.event == as_written(Event.ASKED.value))
            & (notifications.c.tries > as_written(0))
        )
        return IS_WAITING & _free(NOW) & one_of(notifications.c.event, ASKING) & ~may_be_there & settled

    def hold(self, notification_ids: Collection[str], now: datetime) -> None:
        """Say that these are still being sent or changed."""
        held = notifications.c.id.in_(notification_ids) & notifications.c.held_until.is_not(None)
        with self.database.transaction() as connection:
            connection.execute(update(notifications).where(held).values(held_until=now + HELD_FOR))

    def release(self, notification_ids: Collection[str]) -> None:
        """Let others send or change these when they are due."""
        with self.database.transaction() as connection:
            connection.execute(
                update(notifications).where(notifications.c.id.in_(notification_ids)).values(held_until=None)
            )

    @reads
    def lost(self, approval_id: int) -> list[str]:
        """The people to whom no notification of a request got through, or will."""
        with self.database.reading() as connection:
            return sorted(lost_of(connection, approval_id))

    # --- what it shows -----------------------------------------------------------------------------------------------

    @reads
    def outdated(self, approval_id: int) -> list[Row[Any]]:
        """The messages about a request that show it as it was before."""
        return self._rows(_outdated().where(notifications.c.approval_id == approval_id))

    @reads
    def left_behind(self, now: datetime, limit: int) -> list[Row[Any]]:
        """The same of all requests, where another try is due."""
        due = _outdated().where(notifications.c.retry_at <= now, _free(now))
        return self._rows(due.order_by(notifications.c.retry_at).limit(limit))

    def show(self, changes: Sequence[Shown]) -> None:
        """Record what messages show now.

        Where another process changed a message meanwhile, nobody knows whose change came last: it is changed again.
        """
        with self.database.transaction() as connection:
            for one in sorted(changes, key=lambda one: one.notification_id):
                about = connection.execute(
                    select(notifications.c.approval_id).where(notifications.c.id == one.notification_id)
                )
                if (number := about.scalar_one_or_none()) is None:
                    continue  # it was forgotten meanwhile
                transition = last_transition_of(connection, number)
                kept = (notifications.c.id == one.notification_id) & notifications.c.shows.is_not(None)
                values = (
                    {"shows": None, "outdated": False} if one.now is None else _shows(one.before, one.now, transition)
                )
                connection.execute(update(notifications).where(kept).values(tries=0, **values))

    def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        with self.database.reading() as connection:
            return list(connection.execute(query))


def lost_of(connection: Connection, approval_id: int) -> set[str]:
    """The people to whom no notification of a request got through, or will."""
    told = select(notifications.c.person, notifications.c.state).where(notifications.c.approval_id == approval_id)
    states: dict[str, set[str]] = {}
    for row in connection.execute(told):
        states.setdefault(row.person, set()).add(row.state)
    return {one for one, had in states.items() if had == {"unreachable"} and not one.startswith(ROOM)}


def _outdated() -> Select[Any]:
    return select(notifications).where(notifications.c.outdated)


def _shows(before: int, now: int, transition: int) -> dict[str, Any]:
    shows = case(
        (notifications.c.shows == DOUBTFUL, DOUBTFUL), (notifications.c.shows == before, now), else_=NEVER_SHOWN
    )
    return {"shows": shows, "outdated": shows < transition}


def outdate(connection: Connection, approval_id: int) -> None:
    """Note that the messages about a request show it as it was before."""
    connection.execute(OUTDATE, {"number": approval_id})


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add notifications."""
    if rows:
        connection.execute(ADD, rows)


def add_new(connection: Connection, *rows: dict[str, Any]) -> int:
    """Add notifications, but for those that are there already; how many were new."""
    return insert_new(connection, notifications, *rows)


def free_among(connection: Connection, notification_ids: Sequence[str], now: datetime) -> Sequence[Row[str, int]]:
    """Id and tries of those of these notifications that nobody is sending or changing.

    Locked until the transaction ends.
    """
    return connection.execute(FREE_AMONG, {"ids": notification_ids, "now": now}).all()


def begin(connection: Connection, notification_id: str, **values: Any) -> None:
    """Change these columns of a notification that is sent or changed now.

    What was doubtful until then is so no more.
    """
    connection.execute(BEGIN, {"notification": notification_id, **values})


def begin_first(connection: Connection, notification_ids: Sequence[str], **values: Any) -> set[str]:
    """Change these columns of notifications that are sent now for the first time.

    Returns those that were not sent before.
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
    """Change these columns of a notification that was not sent yet; None where it was, or was given up."""
    return connection.execute(END, {"notification": notification_id, **values}).one_or_none()


def waiting_since_try(connection: Connection, notification_id: str, tries: int) -> Row[Any] | None:
    """A notification that still waits after so many tries; None where another has begun one since."""
    same = (notifications.c.id == notification_id) & (notifications.c.tries == tries)
    return connection.execute(select(notifications).where(same, notifications.c.state == "waiting")).one_or_none()


def doubt(connection: Connection, notification_ids: Sequence[str], retry_at: datetime) -> None:
    """Note that nobody knows what these messages show, nor will until then."""
    given_up = notifications.c.id.in_(notification_ids) & notifications.c.shows.is_not(None)
    values = {"shows": DOUBTFUL, "outdated": True, "retry_at": retry_at}
    connection.execute(update(notifications).where(given_up).values(values))


def outdate_others(connection: Connection, asking: Row[Any]) -> None:
    """Have the messages that can be changed say anew who was not told yet, as one that asks failed or got through."""
    if asking.event not in ASKING:
        return
    others = (notifications.c.approval_id == asking.approval_id) & (notifications.c.id != asking.id)
    # A change under way may have been made without it: as nobody knows what the message shows, it is changed again.
    shows = case((notifications.c.shows == DOUBTFUL, DOUBTFUL), else_=NEVER_SHOWN)
    stale = update(notifications).where(others, notifications.c.shows.is_not(None))
    connection.execute(stale.values(shows=shows, outdated=True))


def written_since(connection: Connection, person: str, event: Event, since: datetime, indexed: Sequence[Event]) -> int:
    """How many notifications of an event somebody was written since a moment; the event is one of the `indexed`."""
    recent = select(func.count()).where(
        one_of(notifications.c.event, indexed),
        notifications.c.person == person,
        notifications.c.event == event,
        notifications.c.written_at > since,
    )
    return connection.execute(recent).scalar_one()


def shown_of(connection: Connection, approval_ids: Collection[int]) -> Sequence[Row[Any]]:
    """The messages about these requests that are kept up to date, in the order they were written."""
    shown = notifications.c.approval_id.in_(approval_ids), notifications.c.shows.is_not(None)
    return connection.execute(select(notifications).where(*shown).order_by(notifications.c.written_at)).all()


def of_request(connection: Connection, approval_id: int, limit: int) -> Sequence[Row[Any]]:
    """The notifications about a request, in the order in which they were written."""
    own = select(notifications).where(notifications.c.approval_id == approval_id)
    return connection.execute(own.order_by(notifications.c.written_at, notifications.c.id).limit(limit)).all()


def unsent(connection: Connection, approval_id: int, transition: int) -> Sequence[Row[Any]]:
    """The notifications of one transition that were not sent yet."""
    return connection.execute(UNSENT, {"number": approval_id, "transition": f"{approval_id}.{transition}."}).all()


def lost_among(connection: Connection, numbers: Collection[int] | None) -> Sequence[Row[int, str, str]]:
    """Who could be told of a waiting request by no notification of it, in the form of a signal."""
    other = notifications.alias()
    reached = (
        exists()
        .where(other.c.approval_id == notifications.c.approval_id, other.c.person == notifications.c.person)
        .where(other.c.state != "unreachable")
    )
    lost = (
        select(notifications.c.approval_id, notifications.c.person, notifications.c.state)
        .join(requests, requests.c.approval_id == notifications.c.approval_id)
        .where(
            requests.c.status == Status.WAITING,
            among(notifications.c.approval_id, numbers),
            notifications.c.state == as_written("unreachable"),
            ~reached,
        )
    )
    return connection.execute(lost).all()
