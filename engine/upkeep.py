"""Keeps an installation in order: the numbers of requests, the clocks, and what need not be kept any longer."""

import logging
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

from countersign.client import Client
from countersign.errors import Unavailable
from engine.record import sum_up
from store import Store
from store.clock import apart, read_clock
from store.retention import Retention
from store.tables import FIRST_APPROVAL_ID

# How often old rows are looked for, and in how many small steps at most they are deleted.
FORGET_EVERY = timedelta(minutes=10)
FORGET_AT_MOST = 500
# Clocks that differ by more than this can make an answer that came in time look late, or the other way round.
MOST_APART = timedelta(seconds=5)
APART = "is {:.0f} seconds {} that of {}: set all clocks by NTP, or answers that come in time may count as late"

log = logging.getLogger(__name__)


async def number_above_temporal(client: Client, store: Store) -> None:
    """Number new requests above all that Temporal knows, in case the database is new or was restored."""
    newest = await store.database.run(store.numbers.newest)
    number, opened_at = newest or (FIRST_APPROVAL_ID - 1, None)
    try:
        highest = await client.highest_number(number, opened_at)
    except Unavailable as error:  # even then an old message can't decide a new request with its number
        log.warning("which numbers Temporal knows can't be seen: %s", error)
        return
    if highest > number and await store.database.run(store.numbers.start_above, highest):
        log.warning("Temporal knows requests that the database does not: the next one is above #%d", highest)


async def compare_clocks(client: Client, store: Store) -> None:
    """Log by how much our clock differs from the database's and Temporal's, if that may do harm."""
    clock = await store.database.run(read_clock, store.database)
    before = datetime.now(UTC)
    theirs = await client.server_time()
    for ahead, other in ((clock.ahead, "the database"), (apart(theirs, before, datetime.now(UTC)), "Temporal")):
        if message := difference_message(ahead, other):
            log.warning("the clock of this machine %s", message)


def difference_message(ahead: timedelta, other: str) -> str:
    """The warning about a clock that is this far ahead of another; "" if that does no harm."""
    if abs(ahead) <= MOST_APART:
        return ""
    way = "ahead of" if ahead > timedelta(0) else "behind"
    return APART.format(abs(ahead.total_seconds()), way, other)


@dataclass(frozen=True)
class Kept:
    """How long things are kept: mails after they came, signals and notifications after their request and grant were
    over, sessions and credentials after their end. The record, which shows who signed in, is kept for ever.
    """

    mails: timedelta
    signals: timedelta
    notifications: timedelta
    sessions: timedelta = timedelta(days=30)
    tokens: timedelta = timedelta(days=30)
    # Longer than a code for a web application may be used.
    unused_codes: timedelta = timedelta(hours=1)
    # Replies of the API, for calls that are repeated.
    replies: timedelta = timedelta(days=1)

    def oldest(self, now: datetime) -> dict[str, datetime]:
        """For each kind, the moment before which things need not be kept."""
        return {one.name: now - getattr(self, one.name) for one in fields(self)}


async def forget(store: Store, retention: Retention, kept: Kept) -> None:
    """Forget, a little at a time, what need not be kept any longer; record what was only counted."""
    await store.database.run(sum_up, store.database)
    for _ in range(FORGET_AT_MOST):
        if not await store.database.run(retention.forget_some, kept.oldest(datetime.now(UTC))):
            return
