"""Heartbeats: which workers run, and which channels they can send by."""

import os
import socket
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update

from countersign.models import Model
from countersign.version import version
from store.clock import read_clock
from store.database import StorePart, insert_or_change, reads
from store.tables import workers

# A worker writes its heartbeat so often, and counts as dead when it has missed two.
HEARTBEAT_EVERY = timedelta(seconds=5)
DEAD_AFTER = 3 * HEARTBEAT_EVERY
# While any worker runs, a channel counts as set up for so long after the last worker with it was seen: the time that a
# restart takes.
CHANNEL_KEPT = timedelta(minutes=2)
# The rows of dead workers are kept for so long.
FORGOTTEN_AFTER = timedelta(days=1)
LONGEST_HOST = 200


class Worker(Model):
    """A process of `worker.py`, as it was last seen.

    `seen_at` is by the database's clock; the worker's own is `ahead_seconds` ahead of it. `ended_at` is set where it
    was stopped, and not where it died.
    """

    id: str
    host: str
    channels: list[str]
    version: str = ""
    task_queue: str = ""
    started_at: datetime
    seen_at: datetime
    ahead_seconds: float = 0.0
    ended_at: datetime | None = None


class Workers(StorePart):
    """One row for each worker."""

    def sign(self, worker: Worker) -> None:
        """Write that this worker is there, as of its `seen_at`; forget those that were not seen for a day."""
        row = worker.model_dump(exclude={"ended_at"})
        with self.database.transaction() as connection:
            insert_or_change(connection, workers, row, row)
            # Not at its start: after a long stop their channels still count as set up.
            if worker.seen_at - worker.started_at > CHANNEL_KEPT:
                connection.execute(delete(workers).where(workers.c.seen_at < worker.seen_at - FORGOTTEN_AFTER))

    def renew(self, worker: Worker) -> Worker:
        """Write that this worker is there now; returns what was written, with how its clock compares."""
        clock = read_clock(self.database)
        seen = worker.model_copy(update={"seen_at": clock.at, "ahead_seconds": clock.ahead.total_seconds()})
        self.sign(seen)
        return seen

    def end(self, worker: Worker) -> None:
        """Write that this worker ends. Its row stays for a while: its channels count as set up during a restart."""
        ended = update(workers).where(workers.c.id == worker.id).values(ended_at=read_clock(self.database).at)
        with self.database.transaction() as connection:
            connection.execute(ended)

    @reads
    def living(self, task_queue: str) -> list[Worker]:
        """The workers that work at this task queue now, the one seen last first."""
        seen = self.seen_since(read_clock(self.database).at - DEAD_AFTER)
        return [one for one in seen if one.task_queue == task_queue and one.ended_at is None]

    @reads
    def seen_since(self, moment: datetime) -> list[Worker]:
        """The workers that were seen since a moment, the one seen last first."""
        return self._seen(workers.c.seen_at >= moment)

    @reads
    def channels(self, now: datetime) -> frozenset[str]:
        """The channels that this installation can send by: those of all workers that were seen lately.

        Time without any worker does not count: after a long stop the first workers to come back leave the others'
        channels to them until those had time to start.
        """
        known = self._seen()
        began = min((one.started_at for one in known if one.seen_at >= now - DEAD_AFTER), default=now)
        since = now - CHANNEL_KEPT
        if began >= since:
            since = min(since, max((one.seen_at for one in known if one.seen_at < began), default=now) - CHANNEL_KEPT)
        return frozenset(name for one in known if one.seen_at >= since for name in one.channels)

    def _seen(self, *when: ColumnElement[bool]) -> list[Worker]:
        query = select(workers).where(*when).order_by(workers.c.seen_at.desc())
        with self.database.reading() as connection:
            return [Worker.model_validate(dict(row._mapping)) for row in connection.execute(query)]


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
