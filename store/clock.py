"""The database's clock, with which several machines compare theirs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, type_coerce

from store.database import Database, reads
from store.tables import Instant

# Clocks that differ by more than this make an answer look late that came in time, or the other way round.
MOST_APART = timedelta(seconds=5)

APART = "is {:.0f} seconds {} that of {}: set all clocks by NTP, or answers that come in time may count as late"


@dataclass(frozen=True)
class Reading:
    """The database's time, and by how much at least this process' clock is ahead of it."""

    at: datetime
    ahead: timedelta


@reads
def read_clock(database: Database) -> Reading:
    """Compare the database's clock with ours. SQLite has none of its own, so there they are the same."""
    before = datetime.now(UTC)
    if database.is_sqlite:
        return Reading(before, timedelta(0))
    with database.reading() as connection:
        at = connection.execute(select(type_coerce(func.clock_timestamp(), Instant))).scalar_one()
    return Reading(at, apart(at, before, datetime.now(UTC)))


def apart(theirs: datetime, before: datetime, after: datetime) -> timedelta:
    """By how much at least our clock is ahead (below zero: behind) of one that was read between two moments of ours."""
    if theirs < before:
        return before - theirs
    return min(after - theirs, timedelta(0))


def difference_message(ahead: timedelta, other: str) -> str:
    """The warning about a clock that is so far ahead of another; "" where that does no harm."""
    if abs(ahead) <= MOST_APART:
        return ""
    way = "ahead of" if ahead > timedelta(0) else "behind"
    return APART.format(abs(ahead.total_seconds()), way, other)
