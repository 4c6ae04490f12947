"""The audit record, which is the feed too: append-only, numbered in the order of commits, without gaps."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from countersign.transitions import AuditEvent
from countersign.views import AuditEventView
from store.database import HAPPENED, Happened, StorePart, reads
from store.tables import LONGEST_WHO, events, feed

# What the log calls some kinds of events.
SAID = {"noticed": "told"}
COUNT = update(feed).values(version=feed.c.version + bindparam("more")).returning(feed.c.version)
ADD = insert(events)
LOCK = select(feed.c.version).with_for_update()


def lock_feed(connection: Connection) -> None:
    """Wait until no other transaction adds rows or devices: what is counted now stays so until this one ends."""
    connection.execute(LOCK)


def append(connection: Connection, approval_id: int | None, audit_events: Sequence[AuditEvent]) -> int:
    """Add rows to the record; returns the version of the last.

    Call it last in a transaction: the feed's lock, which keeps versions in the order of commits, is held from here on.
    """
    last: int = connection.execute(COUNT, {"more": len(audit_events)}).scalar_one()
    if audit_events:
        first = last - len(audit_events) + 1
        rows = [
            {"version": first + n, "approval_id": approval_id, **event.model_dump(by_alias=False)}
            for n, event in enumerate(audit_events)
        ]
        connection.execute(ADD, [row | {"who": row["who"][:LONGEST_WHO]} for row in rows])
        connection.get_execution_options()[HAPPENED].extend(_logged(approval_id, event) for event in audit_events)
    return last


def _logged(approval_id: int | None, event: AuditEvent) -> Happened:
    """What the log says of an event once it is committed."""
    number = f"#{approval_id} " if approval_id else ""
    channel = f" by {event.channel}" if event.channel else ""
    detail = f": {event.detail}" if event.detail else ""
    fields = {"event": event.kind, "approval_id": approval_id, "who": event.who, "channel": event.channel}
    kind = SAID.get(event.kind, event.kind.replace("_", " "))
    return Happened(f"{number}{kind}, {event.who}{channel}{detail}", fields)


def view(row: Row[Any]) -> AuditEventView:
    """A row of the record as people see it."""
    return AuditEventView.model_validate(dict(row._mapping))


class Events(StorePart):
    """Reading the record."""

    @reads
    def last_version(self) -> int:
        """The version of the newest row."""
        with self.database.reading() as connection:
            return last_version(connection)

    @reads
    def since(self, version: int, limit: int = 1000) -> list[AuditEventView]:
        """The events after `version`, oldest first."""
        newer = select(events).where(events.c.version > version).order_by(events.c.version).limit(limit)
        with self.database.reading() as connection:
            return [view(row) for row in connection.execute(newer)]

    @reads
    def of(self, approval_id: int, after: int = 0, limit: int | None = None) -> list[AuditEventView]:
        """The timeline of one request after a version, oldest first."""
        own = select(events).where(events.c.approval_id == approval_id, events.c.version > after)
        own = own.order_by(events.c.version).limit(limit)
        with self.database.reading() as connection:
            return [view(row) for row in connection.execute(own)]

    def record(self, approval_id: int | None, event: AuditEvent) -> int:
        """Add one event in a transaction of its own, such as a refused attempt."""
        with self.database.transaction() as connection:
            return append(connection, approval_id, [event])


def last_version(connection: Connection) -> int:
    """The version of the newest row."""
    last: int = connection.execute(select(feed.c.version)).scalar_one()
    return last


def requests_between(connection: Connection, after: int, through: int) -> set[int]:
    """The requests that the rows after one version, up to another, are about."""
    rows = select(events.c.approval_id).where(events.c.version > after, events.c.version <= through)
    return {number for number in connection.execute(rows).scalars() if number is not None}


def written_since(connection: Connection, approval_id: int, kind: str, who: str, since: datetime) -> int:
    """How many events of this kind, by somebody about this request, the record has since a moment."""
    same = events.c.approval_id == approval_id, events.c.who == who, events.c.kind == kind
    return connection.execute(select(func.count()).where(*same, events.c.at > since)).scalar_one()


def is_known(connection: Connection, approval_id: int | None, kind: str, who: str) -> bool:
    """Whether the record has an event of this kind by somebody about this request."""
    same = events.c.approval_id == approval_id, events.c.who == who, events.c.kind == kind
    return connection.execute(select(events.c.version).where(*same).limit(1)).first() is not None


def deliveries_of(connection: Connection, approval_id: int, limit: int) -> Sequence[Row[Any]]:
    """Which notifications about a request got through or were given up, oldest first."""
    own = events.c.approval_id == approval_id, events.c.kind.in_(("noticed", "unreachable"))
    return connection.execute(select(events).where(*own).order_by(events.c.version).limit(limit)).all()
