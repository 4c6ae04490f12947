"""What is refused again and again: the first few in an hour have a row of the record each, the others one together.

So nobody can fill the record. What was told to whom, and each answer that was stored, is kept all the same.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Row, delete, select, update

from countersign.transitions import AuditEvent
from store.database import StorePart, insert_new
from store.events import append
from store.tables import LONGEST_WHO, repeats

# So many rows of their own in each window; what comes beyond is counted until the window is over.
WRITTEN_EACH = 10
WINDOW = timedelta(hours=1)
AT_ONCE = 200


def append_or_count(connection: Connection, approval_id: int | None, event: AuditEvent, *whose: object) -> None:
    """Add a row to the record, unless there were WRITTEN_EACH in this window with the same kind, channel and `whose`.

    Call it last in a transaction, as `append`.
    """
    of = repeats.c.what == _key(event, whose)
    counted = connection.execute(select(repeats).where(of).with_for_update()).one_or_none()
    if counted is not None and counted.begun_at > event.at - WINDOW:
        connection.execute(update(repeats).where(of).values(times=counted.times + 1, last_at=event.at))
        if counted.times < WRITTEN_EACH:
            append(connection, approval_id, [event])
        return
    row = {
        "what": _key(event, whose),
        "approval_id": approval_id,
        "kind": event.kind,
        "channel": event.channel,
        "who": event.who[:LONGEST_WHO],
        "begun_at": event.at,
        "last_at": event.at,
        "times": 1,
    }
    connection.execute(delete(repeats).where(of))
    insert_new(connection, repeats, row)
    if counted is not None:
        _sum_up(connection, counted)
    append(connection, approval_id, [event])


class Repeats(StorePart):
    """What was counted."""

    def record(self, event: AuditEvent, *whose: object) -> None:
        """Add a row about no request to the record, or count it."""
        with self.database.transaction() as connection:
            append_or_count(connection, None, event, *whose)

    def sum_up(self, now: datetime | None = None) -> None:
        """Write one row for each that was only counted, once its window is over."""
        over = repeats.c.begun_at <= (now or datetime.now(UTC)) - WINDOW
        with self.database.reading() as connection:
            if connection.execute(select(repeats.c.what).where(over).limit(1)).first() is None:
                return
        with self.database.transaction() as connection:
            rows = connection.execute(select(repeats).where(over).limit(AT_ONCE).with_for_update()).all()
            connection.execute(delete(repeats).where(over, repeats.c.what.in_([row.what for row in rows])))
            for row in rows:
                _sum_up(connection, row)


def _sum_up(connection: Connection, row: Row[tuple[object, ...]]) -> None:
    more = row.times - WRITTEN_EACH
    if more <= 0:
        return
    when = f"from {row.begun_at:%H:%M} to {row.last_at:%H:%M} UTC"
    detail = f"{more} more like the rows before, {when}, were counted and not written one by one."
    proof = {"times": str(more)}
    event = AuditEvent(
        kind=row.kind, at=datetime.now(UTC), who=row.who, channel=row.channel, detail=detail, proof=proof
    )
    append(connection, row.approval_id, [event])


def _key(event: AuditEvent, whose: tuple[object, ...]) -> str:
    return "|".join(map(str, (event.kind, event.channel, *whose)))
