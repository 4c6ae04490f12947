"""Heartbeats, by which others see which workers are alive, and by which channels these send."""

import logging
import os
import socket
import uuid
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from countersign.errors import Refused
from countersign.policy.channels import channels_on
from countersign.version import version
from engine.notifications.outbox import Outbox
from store import Store
from store.clock import read_clock
from store.database import reads
from store.workers import Worker

# How often a worker writes its heartbeat. It counts as dead when it has missed two.
HEARTBEAT_EVERY = timedelta(seconds=5)
DEAD_AFTER = 3 * HEARTBEAT_EVERY
# While any worker runs, a channel counts as set up for this long after the last worker with it was seen: the time that
# a restart takes.
CHANNEL_KEPT = timedelta(minutes=2)
# How long the rows of dead workers are kept.
FORGOTTEN_AFTER = timedelta(days=1)
LONGEST_HOST = 200

log = logging.getLogger(__name__)


class Heartbeat:
    """Writes that this worker is alive, reads which channels others have, and warns of those that it lacks."""

    def __init__(self, store: Store, outbox: Outbox, task_queue: str) -> None:
        self._store = store
        self._outbox = outbox
        self._worker = this_worker(outbox.senders, task_queue)
        self._logged = ""

    async def beat(self) -> None:
        """Write the heartbeat, and read which channels other workers have."""
        channels, used = await self._store.database.run(self._renewed)
        elsewhere = self._outbox.elsewhere = channels - self._outbox.senders.keys()
        message = "; ".join(_lacking(name, elsewhere) for name in used if name not in self._outbox.senders)
        if message and message != self._logged:
            log.warning("channels of the policy that this worker lacks: %s", message)
        self._logged = message

    async def end(self) -> None:
        """Write that this worker stops: its channels count as set up during a restart. Raises Unavailable."""
        await self._store.database.run(self._end)

    def _end(self) -> None:
        self._store.workers.end(self._worker.id, read_clock(self._store.database).at)

    def _renewed(self) -> tuple[frozenset[str], list[str]]:
        clock = read_clock(self._store.database)
        ahead_seconds = clock.ahead.total_seconds()
        write_heartbeat(
            self._store, self._worker.model_copy(update={"seen_at": clock.at, "ahead_seconds": ahead_seconds})
        )
        try:
            used = channels_on(self._store.policies.current()[1])
        except Refused:  # no policy was ever applied
            used = []
        return channels_set_up(self._store, clock.at), used


def _lacking(channel: str, elsewhere: Collection[str]) -> str:
    if channel in elsewhere:
        return f"{channel}, which is left to the workers that have it"
    return f"{channel}, which no worker has, so that nobody can be reached by it"


def this_worker(channels: Iterable[str], task_queue: str = "") -> Worker:
    """This process, as a worker that starts now."""
    now = datetime.now(UTC)
    return Worker(
        id=uuid.uuid4().hex,
        host=f"{socket.gethostname()} process {os.getpid()}"[:LONGEST_HOST],
        channels=sorted(channels),
        version=version(),
        task_queue=task_queue,
        started_at=now,
        seen_at=now,
    )


def write_heartbeat(store: Store, worker: Worker) -> None:
    """Write that this worker is alive, as of its `seen_at`; forget workers that were not seen for a day."""
    # Nothing is forgotten at its start: after a long stop, the channels of other workers still count as set up.
    is_new = worker.seen_at - worker.started_at <= CHANNEL_KEPT
    store.workers.write(worker, None if is_new else worker.seen_at - FORGOTTEN_AFTER)


@reads
def living_workers(store: Store, task_queue: str) -> list[Worker]:
    """The workers that work at this task queue now, the most recently seen first."""
    seen = store.workers.seen(read_clock(store.database).at - DEAD_AFTER)
    return [one for one in seen if one.task_queue == task_queue and one.ended_at is None]


@reads
def channels_set_up(store: Store, now: datetime) -> frozenset[str]:
    """The channels that this installation can send by: those of all workers that were seen lately.

    Time without any worker does not count: after a long stop, the channels of workers that aren't back yet stay set up
    until these workers have had time to start.
    """
    known = store.workers.seen()
    began = min((one.started_at for one in known if one.seen_at >= now - DEAD_AFTER), default=now)
    since = now - CHANNEL_KEPT
    if began >= since:
        since = min(since, max((one.seen_at for one in known if one.seen_at < began), default=now) - CHANNEL_KEPT)
    return frozenset(name for one in known if one.seen_at >= since for name in one.channels)
