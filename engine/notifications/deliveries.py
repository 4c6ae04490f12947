"""Tries to send notifications: begun, repeated, given up, and replaced by notifications on other channels."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from countersign.models import ASKING, Event
from countersign.notifications import Notification, Result, Shown
from countersign.transitions import AuditEvent, Kind
from engine.notifications import notifying
from engine.notifications.messages import Messages
from engine.part import EnginePart
from store import Store, approvers, notifications, requests, shown_messages
from store.events import append
from store.tables import NEVER_SHOWN, ROOM

# A worker keeps renewing its hold on what it sends (`hold`); without that for this long, another may send it.
HELD_FOR = timedelta(seconds=20)
LONGEST_RETRY = timedelta(minutes=10)
MOST_DOUBLINGS = 10
# A notification is given up when a try fails and it is older than this, or when this many tries may have got through.
GIVEN_UP_AFTER = timedelta(days=1)
MOST_UNCONFIRMED = 2
# What a notification for another channel copies from the one that was lost.
AS_LOST = ("approval_id", "level", "message", "in_reply_to", "fields")


class Deliveries(EnginePart):
    """Records tries to send notifications: begun, sent, due again, or given up. Each method is one transaction."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.messages = Messages(store)

    def left_over(
        self, now: datetime, limit: int, by: Collection[str] | None = None, but: Collection[str] = ()
    ) -> list[Row[Any]]:
        """Notifications still not sent that are due for another try, by these channels or by all `but` some.

        Ends those that ask about a settled request. A message that can be changed and may have got through must not
        stay there as a question, so it is sent again all the same: it is found, and then shows the outcome.
        """
        # Read first: a transaction that writes would hold up all others, and there is usually nothing to write.
        with self.database.reading() as connection:
            rows = notifications.left_over(connection, now, limit, by, but)
            if not notifications.ask_in_vain(connection, self.live, now):
                return rows
        with self.database.transaction() as connection:
            notifications.end_asking_in_vain(connection, self.live, now)
            return notifications.left_over(connection, now, limit, by, but)

    def begin_transition(
        self, approval_id: int, transition: int, but: Collection[str], now: datetime
    ) -> list[tuple[str, Notification]]:
        """Record that the notifications of a transition are sent now, for the first time, and read what they say.

        Leaves out those that another worker has begun, and those that go by the channels `but`.
        """
        with self.database.transaction() as connection:
            unsent = notifications.unsent(connection, approval_id, transition)
            new = [row.id for row in unsent if not row.tries and row.channel not in but]
            begun = notifications.begin_first(connection, new, retry_at=now + _wait(0), held_until=now + HELD_FOR)
            return self.messages.read(connection, [row for row in unsent if row.id in begun])

    def begin(self, notification_ids: Sequence[str], now: datetime) -> dict[str, int]:
        """Record that these are being sent, or changed, now; returns how often each was, including this time.

        Leaves out those that another worker is sending. Others may take these over after HELD_FOR without a renewal
        (`hold`); the pause before the next try doubles each time. What messages show is no longer UNCERTAIN.
        """
        with self.database.transaction() as connection:
            rows = notifications.free_among(connection, notification_ids, now)
            for row in rows:
                values = {"tries": row.tries + 1, "retry_at": now + _wait(row.tries), "held_until": now + HELD_FOR}
                notifications.begin(connection, row.id, **values)
        return {row.id: row.tries + 1 for row in rows}

    def mark_uncertain(self, notification_ids: Sequence[str]) -> None:
        """Record that changes of these messages were given up but may still happen: they are changed again later."""
        with self.database.transaction() as connection:
            retry_at = datetime.now(UTC) + notifying.FIRST_RETRY
            shown_messages.mark_uncertain(connection, notification_ids, retry_at)

    def show(self, changes: Sequence[Shown]) -> None:
        """Record what messages show now.

        If another process changed a message meanwhile, nobody knows whose change came last: it is changed again.
        """
        with self.database.transaction() as connection:
            for one in sorted(changes, key=lambda one: one.notification_id):
                number = shown_messages.request_of(connection, one.notification_id)
                if number is not None:  # it was not forgotten meanwhile
                    shown_messages.show(connection, one, requests.last_transition_of(connection, number))

    def mark(self, approval_id: int | None, results: Sequence[Result], channels: Sequence[str] = ()) -> None:
        """Record how tries to send notifications ended.

        People who can't be reached by one of `channels` are notified by the others.
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
        # Requesters know what they asked for, and only live channels confirm it to them.
        if row.event != Event.OPENED or requests.was_asked_by_another(connection, row.approval_id):
            _tell_otherwise(connection, row, channels, now)
    if result.state == "unreachable" or row.tries > 1:
        _outdate_others(connection, row)
    return [AuditEvent(kind=kind, at=now, who=row.person, channel=row.channel, detail=row.event, proof=proof)]


def _end(connection: Connection, result: Result, now: datetime, transition: int) -> Row[Any] | None:
    values: dict[str, Any] = {"state": result.state, "reference": result.text[:1000], "shows": result.shows}
    values |= {"outdated": result.shows is not None and result.shows < transition, "held_until": None}
    if result.shows == NEVER_SHOWN:
        values["retry_at"] = now
    return notifications.end(connection, result.notification_id, **values)


def _try_again(connection: Connection, failed: Result, now: datetime) -> Result | None:
    """Have a notification tried again later; if it is given up, return the result instead."""
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
        _outdate_others(connection, row)
    return None


def _outdate_others(connection: Connection, row: Row[Any]) -> None:
    """Have messages that can be changed show anew who was not notified yet, as one that asks failed or got through."""
    if row.event in ASKING:
        shown_messages.outdate_others(connection, row.approval_id, row.id)


def _tell_otherwise(connection: Connection, lost: Row[Any], channels: Sequence[str], now: datetime) -> None:
    """Write again what can't be delivered, for the other channels or each person of a room, unless that was done."""
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
    """How long after a try the next one is due; `tries` is how many there were before it."""
    return min(notifying.FIRST_RETRY * (1 << min(tries, MOST_DOUBLINGS)), LONGEST_RETRY)
