"""Notices: written with the change they tell of, sent afterwards, so that none is lost and none is written twice."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, case, exists, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from countersign.models import Event, Route, Status
from countersign.notices import Result, Shown
from countersign.steps import Kind, Line, Tell
from store.database import Database
from store.events import append
from store.tables import ROOM, approvers, as_written, notices, requests

# What is younger may still be in the hands of the workflow that wrote it.
FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(minutes=10)
MOST_TRIES = 30  # is where counting ends, not trying
ASKING = (Event.ASKED, Event.REMINDED)
# What else there is to say stands below these, or in them.
FIRST_SAID = (Event.ASKED, Event.OPENED)
# Before any step: nobody knows what the message shows.
NEVER_SHOWN = 0
# Nor will anybody for a while: a change was given up, and may yet be made, after the ones that come next.
DOUBTFUL = -1
# What a notice that is written for another channel has of the one that was lost.
AS_LOST = ("approval_id", "event", "level", "words", "in_reply_to", "written_at")
IS_WAITING = notices.c.state == as_written("waiting")


class Notices:
    """What is to be sent, what was, and what it shows. `live`: the channels whose messages are kept up to date."""

    def __init__(self, database: Database, live: frozenset[str] = frozenset()) -> None:
        self.database = database
        self.live = live
        self._insert = (sqlite if database.is_sqlite else postgresql).insert

    # --- what is to be sent ------------------------------------------------------------------------------------------

    def write(
        self, connection: Connection, request: Row[Any], level: int, step: int, at: datetime, tell: Sequence[Tell]
    ) -> None:
        """Write one notice for each person, or room, and channel that is on; what was sent before is outdated now."""
        shown = (notices.c.approval_id == request.approval_id) & notices.c.shows.is_not(None)
        connection.execute(update(notices).where(shown).values(outdated=True))
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
            connection.execute(insert(notices), rows)

    def of_step(self, approval_id: int, step: int) -> list[Row[Any]]:
        """The notices of one step that were not sent yet."""
        return self._rows(unsent_of(approval_id, step))

    def left_over(self, now: datetime, limit: int) -> list[Row[Any]]:
        """Notices still not sent that are due for another try; what asks about a settled request is asked no more.

        Where a message can be changed and may have got through, it is not left there as a question: sent again, it is
        found, and then says what became of it.
        """
        due = _waiting().where(notices.c.retry_at <= now).order_by(notices.c.retry_at).limit(limit)
        moot = self._moot()
        # Read first: a transaction that writes would hold up all others, and there is mostly nothing to write.
        with self.database.reading() as connection:
            rows = list(connection.execute(due))
            changes = connection.execute(select(notices.c.id).where(moot).limit(1)).first() is not None
        if not changes:
            return rows
        with self.database.transaction() as connection:
            connection.execute(update(notices).where(moot).values(state="moot"))
            return list(connection.execute(due))

    def _moot(self) -> ColumnElement[bool]:
        """What still asks about a request that is settled."""
        settled = exists().where(requests.c.approval_id == notices.c.approval_id, requests.c.status != Status.WAITING)
        may_be_there = notices.c.channel.in_(self.live) & (notices.c.event == Event.ASKED) & (notices.c.tries > 0)
        return IS_WAITING & notices.c.event.in_(ASKING) & ~may_be_there & settled

    def put_off(self, notice_ids: Sequence[str], now: datetime) -> None:
        """Try these again later, after twice as long each time. What was doubtful until now is so no more."""
        tried = select(notices.c.id, notices.c.tries).where(notices.c.id.in_(notice_ids))
        shows = case((notices.c.shows == DOUBTFUL, NEVER_SHOWN), else_=notices.c.shows)
        with self.database.transaction() as connection:
            for row in connection.execute(tried).all():
                wait = min(FIRST_RETRY * 2**row.tries, LONGEST_RETRY)
                later = update(notices).where(notices.c.id == row.id)
                values = {"tries": min(row.tries + 1, MOST_TRIES), "retry_at": now + wait, "shows": shows}
                connection.execute(later.values(values))

    # --- what was sent -----------------------------------------------------------------------------------------------

    def mark(self, approval_id: int, results: Sequence[Result], channels: Sequence[str] = ()) -> None:
        """Record what became of notices. Who can't be reached by one of `channels` is told by the others."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            step = _step_of(connection, approval_id)
            lines = [line for one in results for line in self._mark(connection, one, channels, now, step)]
            append(connection, approval_id, lines)

    def _mark(
        self, connection: Connection, result: Result, channels: Sequence[str], now: datetime, step: int
    ) -> list[Line]:
        change = update(notices).where(notices.c.id == result.notice_id, notices.c.state == "waiting")
        values: dict[str, Any] = {"state": result.state, "reference": result.text[:1000], "shows": result.shows}
        values["outdated"] = result.shows is not None and result.shows < step
        if result.shows == NEVER_SHOWN:
            values["retry_at"] = now
        row = connection.execute(change.values(values).returning(notices)).one_or_none()
        if row is None:
            return []  # sent twice, by the workflow and the sweeper; the first is on record
        kind: Kind = "noticed"
        proof = {"reference": result.text}
        if result.state == "unreachable":
            kind, proof = "unreachable", {"error": result.text}
            # Who asked knows it, and only a live channel shows it.
            if row.event != Event.OPENED or _asked_by_another(connection, row.approval_id):
                self._tell_otherwise(connection, row, channels)
        return [Line(kind=kind, at=now, who=row.person, channel=row.channel, words=row.event, proof=proof)]

    def _tell_otherwise(self, connection: Connection, lost: Row[Any], channels: Sequence[str]) -> None:
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
                "tries": 0,
                "retry_at": lost.written_at,
            }
            connection.execute(self._insert(notices).values(again).on_conflict_do_nothing())

    # --- what it shows -----------------------------------------------------------------------------------------------

    def outdated(self, approval_id: int) -> list[Row[Any]]:
        """The messages about a request that show it as it was before."""
        return self._rows(_outdated().where(notices.c.approval_id == approval_id))

    def left_behind(self, now: datetime, limit: int) -> list[Row[Any]]:
        """The same of all requests, where another try is due."""
        return self._rows(_outdated().where(notices.c.retry_at <= now).order_by(notices.c.retry_at).limit(limit))

    def show(self, changes: Sequence[Shown]) -> None:
        """Record what messages show now.

        Where another process changed a message meanwhile, nobody knows whose change came last: it is changed again.
        """
        with self.database.transaction() as connection:
            for one in sorted(changes, key=lambda one: one.notice_id):
                about = connection.execute(select(notices.c.approval_id).where(notices.c.id == one.notice_id))
                step = _step_of(connection, about.scalar_one())
                kept = (notices.c.id == one.notice_id) & notices.c.shows.is_not(None)
                values = {"shows": None, "outdated": False} if one.now is None else _shows(one.before, one.now, step)
                connection.execute(update(notices).where(kept).values(tries=0, **values))

    def doubt(self, notice_ids: Sequence[str]) -> None:
        """Record that changes of these messages were given up and may yet be made: change them once more after that."""
        given_up = notices.c.id.in_(notice_ids) & notices.c.shows.is_not(None)
        values = {"shows": DOUBTFUL, "outdated": True, "retry_at": datetime.now(UTC) + FIRST_RETRY}
        with self.database.transaction() as connection:
            connection.execute(update(notices).where(given_up).values(values))

    def _rows(self, query: Select[Any]) -> list[Row[Any]]:
        with self.database.reading() as connection:
            return list(connection.execute(query))


def _heard(tell: Sequence[Tell], opened: bool, requester: str, room: str) -> Iterator[tuple[str, Tell]]:
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


def _row(tell: Tell, whom: str, approval_id: int, step: int, channel: str, level: int, at: datetime) -> dict[str, Any]:
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


def unsent_of(approval_id: int, step: int) -> Select[Any]:
    """The notices of one step that were not sent yet."""
    return _waiting().where(notices.c.approval_id == approval_id, notices.c.id.startswith(f"{approval_id}.{step}."))


def _waiting() -> Select[Any]:
    """Not sent yet; what comes of a request waits for what asked or opened, where that was tried and may be there."""
    first = notices.alias()
    same = [first.c[name] == notices.c[name] for name in ("approval_id", "person", "channel")]
    unsaid = exists().where(*same, first.c.state == "waiting", first.c.event.in_(FIRST_SAID), first.c.tries > 0)
    return select(notices).where(IS_WAITING, notices.c.event.in_(FIRST_SAID) | ~unsaid)


def _outdated() -> Select[Any]:
    return select(notices).where(notices.c.outdated)


def _shows(before: int, now: int, step: int) -> dict[str, Any]:
    shows = case((notices.c.shows == DOUBTFUL, DOUBTFUL), (notices.c.shows == before, now), else_=NEVER_SHOWN)
    return {"shows": shows, "outdated": shows < step}


def _step_of(connection: Connection, approval_id: int) -> int:
    """The step that a request has come to; it takes no other until this transaction ends."""
    step = select(requests.c.step).where(requests.c.approval_id == approval_id)
    known: int = connection.execute(step.with_for_update(read=True)).scalar_one()
    return known
