"""How tries to send notifications go: begun, tried again, given up, and told by another way."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from countersign.models import Event
from countersign.notifications import Notification, Result
from countersign.transitions import AuditEvent, Kind
from engine.notifications import notifying
from engine.notifications.messages import Messages
from engine.rules import Rules
from store import Store, approvers, notifications, requests
from store.events import append
from store.notifications import HELD_FOR, NEVER_SHOWN
from store.tables import ROOM

LONGEST_RETRY = timedelta(minutes=10)
MOST_DOUBLINGS = 10
# A notification is given up when a try failed and it is as old as this; and when it may have got through so often.
GIVEN_UP_AFTER = timedelta(days=1)
MOST_UNCONFIRMED = 2
# What a notification that is written for another channel has of the one that was lost.
AS_LOST = ("approval_id", "level", "message", "in_reply_to", "fields")


class Deliveries(Rules):
    """What becomes of notifications. Each method is one transaction."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.messages = Messages(store)

    def begin_transition(
        self, approval_id: int, transition: int, but: Collection[str], now: datetime
    ) -> list[tuple[str, Notification]]:
        """Record that the notifications of a transition are sent now, for the first time, and read what they say.

        What another has begun is left out, and what goes by the channels `but`.
        """
        with self.database.transaction() as connection:
            unsent = notifications.unsent(connection, approval_id, transition)
            new = [row.id for row in unsent if not row.tries and row.channel not in but]
            begun = notifications.begin_first(connection, new, retry_at=now + _wait(0), held_until=now + HELD_FOR)
            return self.messages.read(connection, [row for row in unsent if row.id in begun])

    def begin(self, notification_ids: Sequence[str], now: datetime) -> dict[str, int]:
        """Write down that these are being sent, or changed, now; returns how often each was, with this time.

        What another is at is left out. Each is held for a while (`hold`), and due again after twice as long each time.
        What was doubtful until now is so no more.
        """
        with self.database.transaction() as connection:
            rows = notifications.free_among(connection, notification_ids, now)
            for row in rows:
                values = {"tries": row.tries + 1, "retry_at": now + _wait(row.tries), "held_until": now + HELD_FOR}
                notifications.begin(connection, row.id, **values)
        return {row.id: row.tries + 1 for row in rows}

    def doubt(self, notification_ids: Sequence[str]) -> None:
        """Record that changes of these messages were given up and may yet be made: change them once more after that."""
        with self.database.transaction() as connection:
            notifications.doubt(connection, notification_ids, retry_at=datetime.now(UTC) + notifying.FIRST_RETRY)

    def mark(self, approval_id: int | None, results: Sequence[Result], channels: Sequence[str] = ()) -> None:
        """Record how tries to send notifications ended.

        Who can't be reached by one of `channels` is told by the others.
        """
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            transition = requests.last_transition_of(connection, approval_id) if approval_id else 0
            events = [event for one in results for event in _mark(connection, one, channels, now, transition)]
            append(connection, approval_id, events)


def _mark(
    connection: Connection, result: Result, channels: Sequence[str], now: datetime, transition: int
) -> list[AuditEvent]:
    if result.state == "waiting":
        given_up = _try_again(connection, result, now)
        return _mark(connection, given_up, channels, now, transition) if given_up else []
    row = _end(connection, result, now, transition)
    if row is None:
        return []  # sent twice, by the workflow and the sweeper; the first is on record
    kind: Kind = "noticed"
    proof = {"reference": result.text}
    if result.state == "unreachable":
        kind, proof = "unreachable", {"error": result.text}
        # Who asked knows it, and only a live channel shows it.
        if row.event != Event.OPENED or requests.was_asked_by_another(connection, row.approval_id):
            _tell_otherwise(connection, row, channels, now)
    if result.state == "unreachable" or row.tries > 1:
        notifications.outdate_others(connection, row)
    return [AuditEvent(kind=kind, at=now, who=row.person, channel=row.channel, detail=row.event, proof=proof)]


def _end(connection: Connection, result: Result, now: datetime, transition: int) -> Row[Any] | None:
    values: dict[str, Any] = {"state": result.state, "reference": result.text[:1000], "shows": result.shows}
    values |= {"outdated": result.shows is not None and result.shows < transition, "held_until": None}
    if result.shows == NEVER_SHOWN:
        values["retry_at"] = now
    return notifications.end(connection, result.notification_id, **values)


def _try_again(connection: Connection, failed: Result, now: datetime) -> Result | None:
    """Have it tried again later; or what comes of it where it is given up."""
    row = notifications.waiting_since_try(connection, failed.notification_id, failed.tries)
    if row is None:
        return None  # another took it over meanwhile
    unconfirmed = row.unconfirmed + failed.unconfirmed
    if unconfirmed >= MOST_UNCONFIRMED or now - row.written_at > GIVEN_UP_AFTER:
        text = f"given up after {failed.tries} tries: {failed.text}"
        return failed.model_copy(update={"state": "unreachable", "text": text})
    retry_at = now + _wait(row.tries - 1)
    notifications.change(connection, row.id, retry_at=retry_at, held_until=None, unconfirmed=unconfirmed)
    if row.tries == 1:
        notifications.outdate_others(connection, row)
    return None


def _tell_otherwise(connection: Connection, lost: Row[Any], channels: Sequence[str], now: datetime) -> None:
    """Write what can't be delivered for the other channels, or for each person of a room, unless it is written."""
    about = lost.id.removesuffix(f".{lost.person}.{lost.channel}").removesuffix(f".{lost.channel}")
    same = {name: getattr(lost, name) for name in AS_LOST}
    for person, channel in _other_ways(connection, lost, channels):
        notification_id = f"{about}.{person}.{channel}"
        again = notifying.notification(notification_id, lost.event, person, channel, now, retry_at=now, **same)
        notifications.add_new(connection, again)


def _other_ways(connection: Connection, lost: Row[Any], channels: Sequence[str]) -> list[tuple[str, str]]:
    if not lost.person.startswith(ROOM):
        return [(lost.person, channel) for channel in channels if channel != lost.channel]
    return [(person, lost.channel) for person in approvers.at_level(connection, lost.approval_id, lost.level)]


def _wait(tries: int) -> timedelta:
    """How long after a try the next one is due, where there were so many before it."""
    return min(notifying.FIRST_RETRY * (1 << min(tries, MOST_DOUBLINGS)), LONGEST_RETRY)
