"""Rows of the record.

When something is refused again and again, the first few refusals in an hour get a row each and the others share one, so
that nobody can fill up the record. Notifications, and each answer that was stored, are kept all the same.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from countersign.models import GeneralEvent
from countersign.transitions import AuditEvent, Kind
from store import repeats
from store.database import Database
from store.events import append
from store.tables import LONGEST_WHO

# The channel of what people do on the portal.
PORTAL = "portal"
# How many events that are alike get a row of their own in each window; any more are counted until it is over.
WRITTEN_EACH = 10
WINDOW = timedelta(hours=1)
SUMMED_UP_AT_ONCE = 200


def event(
    kind: Kind | GeneralEvent, who: str, detail: str, proof: Mapping[str, str], at: datetime, channel: str = ""
) -> AuditEvent:
    """A row before it is written."""
    return AuditEvent(kind=kind, at=at, who=who, detail=detail, channel=channel, proof=dict(proof))


def record(
    connection: Connection,
    kind: Kind | GeneralEvent,
    who: str,
    detail: str,
    proof: Mapping[str, str],
    at: datetime,
    channel: str = "",
) -> None:
    """Add a row that is about no request. Call it last in a transaction, like `append`."""
    append(connection, None, [event(kind, who, detail, proof, at, channel)])


def append_or_count(connection: Connection, approval_id: int | None, event: AuditEvent, *whose: object) -> None:
    """Add a row to the record, unless there were WRITTEN_EACH in this window with the same kind, channel and `whose`.

    Call it last in a transaction, like `append`.
    """
    what = "|".join(map(str, (event.kind, event.channel, *whose)))
    counted = repeats.rows.find(connection, what, lock=True)
    if counted is not None and counted.begun_at > event.at - WINDOW:
        repeats.rows.change(connection, what, times=counted.times + 1, last_at=event.at)
        if counted.times < WRITTEN_EACH:
            append(connection, approval_id, [event])
        return
    about = {"approval_id": approval_id, "kind": event.kind, "channel": event.channel, "who": event.who[:LONGEST_WHO]}
    repeats.begin(connection, {"what": what, **about, "begun_at": event.at, "last_at": event.at, "times": 1})
    if counted is not None:
        _sum_up(connection, counted)
    append(connection, approval_id, [event])


def sum_up(database: Database, now: datetime | None = None) -> None:
    """For each window that is over, write one row for the events that were only counted in it."""
    begun_until = (now or datetime.now(UTC)) - WINDOW
    with database.reading() as connection:
        if not repeats.are_any(connection, begun_until):
            return
    with database.transaction() as connection:
        for row in repeats.take(connection, begun_until, SUMMED_UP_AT_ONCE):
            _sum_up(connection, row)


def _sum_up(connection: Connection, row: Row[Any]) -> None:
    more = row.times - WRITTEN_EACH
    if more <= 0:
        return
    when = f"from {row.begun_at:%H:%M} to {row.last_at:%H:%M} UTC"
    detail = f"{more} more like the rows before, {when}, were counted and not written one by one."
    now, proof = datetime.now(UTC), {"times": str(more)}
    append(connection, row.approval_id, [event(row.kind, row.who, detail, proof, now, row.channel)])
