"""Notices: written with the change they tell of, sent afterwards, so that none is lost and none is written twice."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, case, exists, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from countersign.models import Event, Route, Status
from countersign.notifications import Result, Shown
from countersign.transitions import AuditEvent, Kind, Recipient
from store.database import Database, reads
from store.events import append
from store.tables import ROOM, approvers, as_written, notifications, one_of, requests

# What is younger may still be in the hands of the workflow that wrote it.
FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(minutes=10)
MOST_DOUBLINGS = 10
# Who sends a notice says so again and again (`hold`); another may send it when nothing was said for this long.
HELD_FOR = timedelta(seconds=20)
# A notice is given up when a try failed and it is as old as this; and when it may have got through so often.
GIVEN_UP_AFTER = timedelta(days=1)
MOST_UNCONFIRMED = 2
ASKING = (Event.ASKED, Event.REMINDED)
# What else there is to say stands below these, or in them.
FIRST_SAID = (Event.ASKED, Event.OPENED)
# Before any step: nobody knows what the message shows.
NEVER_SHOWN = 0
# Nor will anybody for a while: a change was given up, and may yet be made, after the ones that come next.
DOUBTFUL = -1
# What a notice that is written for another channel has of the one that was lost.
AS_LOST = ("approval_id", "event", "level", "words", "in_reply_to")
IS_WAITING = notifications.c.state == as_written("waiting")


class Notifications:
    """What is to be sent, what was, and what it shows. `live`: the channels whose messages are kept up to date."""

    def __init__(self, database: Database, live: frozenset[str] = frozenset()) -> None:
        self.database = database
        self.live = live
        self._insert = (sqlite if database.is_sqlite else postgresql).insert

    # --- what is to be sent ------------------------------------------------------------------------------------------

    def write(
        self, connection: Connection, request: Row[Any], level: int, step: int, at: datetime, tell: Sequence[Recipient]
    ) -> None:
        """Write one notice for each person, or room, and channel that is on; what was sent before is outdated now."""
        shown = (notifications.c.approval_id == request.approval_id) & notifications.c.shows.is_not(None)
        connection.execute(update(notifications).where(shown).values(outdated=True))
        if not tell:
            return
        route = Route.model_validate(request.route)
        for_another = request.asked_by not in ("", request.requester)
        rows = [
            _row(one, whom, request.approval_id, step, channel, level, at)
            for channel in (name for name, use in route.channels.items() if use != "off")
            for whom, one in _heard(
                tell, for_another or channel in self.live, request.requester, route.rooms.get(channel, "")
            )
        ]
        if rows:
            connection.execute(insert(notifications), rows)

    @reads
    def of_step(self, approval_id: int, step: int) -> list[Row[Any]]:
        """The notices of one step that were not sent yet."""
        return self._rows(unsent_of(approval_id, step))

    def left_over(
        self, now: datetime, limit: int, by: Collection[str] | None = None, but: Collection[str] = ()
    ) -> list[Row[Any]]:
        """Notices still not sent that are due for another try, by these channels or by all `but` some.

        What asks about a settled request is asked no more. Where a message can be changed and may have got through, it
        is not left there as a question: sent again, it is found, and then says what became of it.
        """
        wanted = notifications.c.channel.in_(by) if by is not None else notifications.c.channel.not_in(but)
        due = (
            _waiting()
            .where(notifications.c.retry_at <= now, _free(now), wanted)
            .order_by(notifications.c.retry_at)
            .limit(limit)
        )
        moot = self._moot(now)
        # Read first: a transaction that writes would hold up all others, and there is mostly nothing to write.
        with self.database.reading() as connection:
            rows = list(connection.execute(due))
            changes = connection.execute(select(notifications.c.id).where(moot).limit(1)).first() is not None
        if not changes:
            return rows
        with self.database.transaction() as connection:
            connection.execute(update(notifications).where(moot).values(state="moot"))
            return list(connection.execute(due))

    def _moot(self, now: datetime) -> ColumnElement[bool]:
        """What still asks about a request that is settled, and is not on its way."""
        settled = exists().where(
            requests.c.approval_id == notifications.c.approval_id, requests.c.status != Status.WAITING
        )
        may_be_there = (
            notifications.c.channel.in_(self.live)
            & (notifications.c.event == Event.ASKED)
            & (notifications.c.tries > 0)
        )
        return IS_WAITING & _free(now) & notifications.c.event.in_(ASKING) & ~may_be_there & settled

    def begin(self, notice_ids: Sequence[str], now: datetime) -> dict[str, int]:
        """Write down that these are being sent, or changed, now; returns how often each was, with this time.

        What another is at is left out. Each is held for a while (`hold`), and due again after twice as long each time.
        What was doubtful until now is so no more.
        """
        free = select(notifications.c.id, notifications.c.tries).where(notifications.c.id.in_(notice_ids), _free(now))
        shows = case((notifications.c.shows == DOUBTFUL, NEVER_SHOWN), else_=notifications.c.shows)
        with self.database.transaction() as connection:
            rows = connection.execute(free.order_by(notifications.c.id).with_for_update()).all()
            for row in rows:
                change = update(notifications).where(notifications.c.id == row.id)
                values = {"tries": row.tries + 1, "retry_at": now + _wait(row.tries), "held_until": now + HELD_FOR}
                connection.execute(change.values(shows=shows, **values))
        return {row.id: row.tries + 1 for row in rows}

    def hold(self, notice_ids: Collection[str], now: datetime) -> None:
        """Say that these are still being sent or changed."""
        held = notifications.c.id.in_(notice_ids) & notifications.c.held_until.is_not(None)
        with self.database.transaction() as connection:
            connection.execute(update(notifications).where(held).values(held_until=now + HELD_FOR))

    def release(self, notice_ids: Collection[str]) -> None:
        """Let others send or change these when they are due."""
        with self.database.transaction() as connection:
            connection.execute(update(notifications).where(notifications.c.id.in_(notice_ids)).values(held_until=None))

    # --- what was sent -----------------------------------------------------------------------------------------------

    def mark(self, approval_id: int, results: Sequence[Result], channels: Sequence[str] = ()) -> None:
        """Record how tries to send notices ended. Who can't be reached by one of `channels` is told by the others."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            step = _step_of(connection, approval_id)
            lines = [line for one in results for line in self._mark(connection, one, channels, now, step)]
            append(connection, approval_id, lines)

    def _mark(
        self, connection: Connection, result: Result, channels: Sequence[str], now: datetime, step: int
    ) -> list[AuditEvent]:
        if result.state == "waiting":
            given_up = self._try_again(connection, result, now)
            return self._mark(connection, given_up, channels, now, step) if given_up else []
        change = update(notifications).where(notifications.c.id == result.notice_id, notifications.c.state == "waiting")
        values: dict[str, Any] = {"state": result.state, "reference": result.text[:1000], "shows": result.shows}
        values |= {"outdated": result.shows is not None and result.shows < step, "held_until": None}
        if result.shows == NEVER_SHOWN:
            values["retry_at"] = now
        row = connection.execute(change.values(values).returning(notifications)).one_or_none()
        if row is None:
            return []  # sent twice, by the workflow and the sweeper; the first is on record
        kind: Kind = "noticed"
        proof = {"reference": result.text}
        if result.state == "unreachable":
            kind, proof = "unreachable", {"error": result.text}
            # Who asked knows it, and only a live channel shows it.
            if row.event != Event.OPENED or _asked_by_another(connection, row.approval_id):
                self._tell_otherwise(connection, row, channels, now)
        if result.state == "unreachable" or row.tries > 1:
            _outdate_others(connection, row)
        return [AuditEvent(kind=kind, at=now, who=row.person, channel=row.channel, words=row.event, proof=proof)]

    def _try_again(self, connection: Connection, failed: Result, now: datetime) -> Result | None:
        """Have it tried again later; or what comes of it where it is given up."""
        same = (notifications.c.id == failed.notice_id) & (notifications.c.tries == failed.tries)
        row = connection.execute(select(notifications).where(same, notifications.c.state == "waiting")).one_or_none()
        if row is None:
            return None  # another took it over meanwhile
        unconfirmed = row.unconfirmed + failed.unconfirmed
        if unconfirmed >= MOST_UNCONFIRMED or now - row.written_at > GIVEN_UP_AFTER:
            text = f"given up after {failed.tries} tries: {failed.text}"
            return failed.model_copy(update={"state": "unreachable", "text": text})
        values = {"retry_at": now + _wait(row.tries - 1), "held_until": None, "unconfirmed": unconfirmed}
        connection.execute(update(notifications).where(notifications.c.id == row.id).values(values))
        if row.tries == 1:
            _outdate_others(connection, row)
        return None

    @reads
    def lost(self, approval_id: int) -> list[str]:
        """The people to whom no notice of a request got through, or will."""
        with self.database.reading() as connection:
            return sorted(lost_of(connection, approval_id))

    def _tell_otherwise(self, connection: Connection, lost: Row[Any], channels: Sequence[str], now: datetime) -> None:
        """Write what can't be delivered for the other channels, or for each person of a room, unless it is written."""
        step = lost.id.split(".")[1]
        for person, channel in _other_ways(connection, lost, channels):
            again = {
                **{name: getattr(lost, name) for name in AS_LOST},
                "id": f"{lost.approval_id}.{step}.{lost.event}.{person}.{channel}",
                "person": person,
                "channel": channel,
                "state": "waiting",
                "reference": "",
                "written_at": now,
                "tries": 0,
                "retry_at": now,
            }
            connection.execute(self._insert(notifications).values(again).on_conflict_do_nothing())

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
            for one in sorted(changes, key=lambda one: one.notice_id):
                about = connection.execute(
                    select(notifications.c.approval_id).where(notifications.c.id == one.notice_id)
                )
                if (number := about.scalar_one_or_none()) is None:
                    continue  # it was forgotten meanwhile
                step = _step_of(connection, number)
                kept = (notifications.c.id == one.notice_id) & notifications.c.shows.is_not(None)
                values = {"shows": None, "outdated": False} if one.now is None else _shows(one.before, one.now, step)
                connection.execute(update(notifications).where(kept).values(tries=0, **values))

    def doubt(self, notice_ids: Sequence[str]) -> None:
        """Record that changes of these messages were given up and may yet be made: change them once more after that."""
        given_up = notifications.c.id.in_(notice_ids) & notifications.c.shows.is_not(None)
        values = {"shows": DOUBTFUL, "outdated": True, "retry_at": datetime.now(UTC) + FIRST_RETRY}
        with self.database.transaction() as connection:
            connection.execute(update(notifications).where(given_up).values(values))

    def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        with self.database.reading() as connection:
            return list(connection.execute(query))


def _outdate_others(connection: Connection, asking: Row[Any]) -> None:
    """Have the messages that can be changed say anew who was not told yet, as one that asks failed or got through."""
    if asking.event not in ASKING:
        return
    others = (notifications.c.approval_id == asking.approval_id) & (notifications.c.id != asking.id)
    # A change under way may have been made without it: as nobody knows what the message shows, it is changed again.
    shows = case((notifications.c.shows == DOUBTFUL, DOUBTFUL), else_=NEVER_SHOWN)
    stale = update(notifications).where(others, notifications.c.shows.is_not(None))
    connection.execute(stale.values(shows=shows, outdated=True))


def _heard(tell: Sequence[Recipient], opened: bool, requester: str, room: str) -> Iterator[tuple[str, Recipient]]:
    """Whom a channel tells of what; of the opening only where it is `opened` for that.

    Where a room is asked, its one message shows all approvers what becomes of it.
    """
    told: set[Event] = set()
    for one in tell:
        if one.event is Event.OPENED and not opened:
            continue
        if not room or one.person == requester:
            yield one.person, one
        elif one.event in ASKING and one.event not in told:
            told.add(one.event)
            yield f"{ROOM}{room}", one


def _asked_by_another(connection: Connection, approval_id: int) -> bool:
    another = requests.c.asked_by.not_in(["", requests.c.requester])
    asked = select(requests.c.approval_id).where(requests.c.approval_id == approval_id, another)
    return connection.execute(asked).first() is not None


def _other_ways(connection: Connection, lost: Row[Any], channels: Sequence[str]) -> list[tuple[str, str]]:
    if not lost.person.startswith(ROOM):
        return [(lost.person, channel) for channel in channels if channel != lost.channel]
    seats = (approvers.c.approval_id == lost.approval_id) & (approvers.c.level == lost.level)
    people = connection.execute(select(approvers.c.person).where(seats)).scalars()
    return [(person, lost.channel) for person in people]


def _row(
    tell: Recipient, whom: str, approval_id: int, step: int, channel: str, level: int, at: datetime
) -> dict[str, Any]:
    return {
        "id": f"{approval_id}.{step}.{tell.event}.{whom}.{channel}",
        "approval_id": approval_id,
        "event": tell.event,
        "level": level,
        "person": whom,
        "channel": channel,
        "words": tell.words,
        "in_reply_to": "",
        "state": "waiting",
        "reference": "",
        "written_at": at,
        "tries": 0,
        "retry_at": at + FIRST_RETRY,
    }


def row(
    notice_id: str,
    approval_id: int,
    event: Event,
    level: int,
    person: str,
    channel: str,
    words: str,
    in_reply_to: str,
    written_at: datetime,
) -> dict[str, Any]:
    """A notice that is written now, to be added."""
    return {
        "id": notice_id,
        "approval_id": approval_id,
        "event": event,
        "level": level,
        "person": person,
        "channel": channel,
        "words": words,
        "in_reply_to": in_reply_to,
        "state": "waiting",
        "reference": "",
        "written_at": written_at,
        "tries": 0,
        "retry_at": written_at + FIRST_RETRY,
    }


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add notices."""
    if rows:
        connection.execute(insert(notifications), rows)


def written_since(connection: Connection, person: str, event: Event, since: datetime, among: Sequence[Event]) -> int:
    """How many notices of an event somebody was written since a moment; the event is `among` those with an index."""
    recent = select(func.count()).where(
        one_of(notifications.c.event, among),
        notifications.c.person == person,
        notifications.c.event == event,
        notifications.c.written_at > since,
    )
    return connection.execute(recent).scalar_one()


def unsent_of(approval_id: int, step: int) -> Select[Any]:
    """The notices of one step that were not sent yet."""
    return _waiting().where(
        notifications.c.approval_id == approval_id, notifications.c.id.startswith(f"{approval_id}.{step}.")
    )


def _waiting() -> Select[Any]:
    """Not sent yet; what comes of a request waits for what asked or opened, where that was tried and may be there."""
    first = notifications.alias()
    same = [first.c[name] == notifications.c[name] for name in ("approval_id", "person", "channel")]
    unsaid = exists().where(*same, first.c.state == "waiting", first.c.event.in_(FIRST_SAID), first.c.tries > 0)
    return select(notifications).where(IS_WAITING, notifications.c.event.in_(FIRST_SAID) | ~unsaid)


def _free(now: datetime) -> ColumnElement[bool]:
    """Nobody is sending it, or changing its message."""
    return notifications.c.held_until.is_(None) | (notifications.c.held_until <= now)


def _wait(tries: int) -> timedelta:
    """How long after a try the next one is due, where there were so many before it."""
    return min(FIRST_RETRY * (1 << min(tries, MOST_DOUBLINGS)), LONGEST_RETRY)


def lost_of(connection: Connection, approval_id: int) -> set[str]:
    """The people to whom no notice of a request got through, or will."""
    told = select(notifications.c.person, notifications.c.state).where(notifications.c.approval_id == approval_id)
    states: dict[str, set[str]] = {}
    for row in connection.execute(told):
        states.setdefault(row.person, set()).add(row.state)
    return {one for one, had in states.items() if had == {"unreachable"} and not one.startswith(ROOM)}


def _outdated() -> Select[Any]:
    return select(notifications).where(notifications.c.outdated)


def _shows(before: int, now: int, step: int) -> dict[str, Any]:
    shows = case(
        (notifications.c.shows == DOUBTFUL, DOUBTFUL), (notifications.c.shows == before, now), else_=NEVER_SHOWN
    )
    return {"shows": shows, "outdated": shows < step}


def _step_of(connection: Connection, approval_id: int) -> int:
    """The step that a request has come to; it takes no other until this transaction ends."""
    step = select(requests.c.step).where(requests.c.approval_id == approval_id)
    known: int = connection.execute(step.with_for_update(read=True)).scalar_one()
    return known
