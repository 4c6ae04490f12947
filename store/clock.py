"""The database's clock, with which several machines compare theirs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, type_coerce

from store.database import Database, reads
from store.tables import Instant


@dataclass(frozen=True)
class ClockReading:
    """The database's time, and how far, at least, this process' clock is ahead of it."""

    at: datetime
    ahead: timedelta


@reads
def read_clock(database: Database) -> ClockReading:
    """Compare the database's clock with ours. SQLite has none of its own, so there they are the same."""
    before = datetime.now(UTC)
    if database.is_sqlite:
        return ClockReading(before, timedelta(0))
    with database.reading() as connection:
        at = connection.execute(select(type_coerce(func.clock_timestamp(), Instant))).scalar_one()
    return ClockReading(at, apart(at, before, datetime.now(UTC)))


def apart(theirs: datetime, before: datetime, after: datetime) -> timedelta:
    """How far, at least, our clock is ahead (below zero: behind) of one that was read between two moments of ours."""
    if theirs < before:
        return before - theirs
    return min(after - theirs, timedelta(0))
