"""Signs of life: which workers run, and which channels they can send by."""

import os
import socket
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from countersign.models import Model
from store.database import Database
from store.tables import workers

# A worker writes its sign of life so often, and is taken for dead when it left out two of them.
SIGN_EVERY = timedelta(seconds=5)
DEAD_AFTER = 3 * SIGN_EVERY
# A channel counts as set up for so long after the last worker with it was seen: as long as a restart takes.
CHANNEL_KEPT = timedelta(minutes=2)
# The rows of dead workers are kept for so long.
FORGOTTEN_AFTER = timedelta(days=1)
LONGEST_HOST = 200


class Worker(Model):
    """A process of `worker.py`, as it was last seen."""

    id: str
    host: str
    channels: list[str]
    started_at: datetime
    seen_at: datetime


class Workers:
    """One row for each worker."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._insert = (sqlite if database.is_sqlite else postgresql).insert

    def sign(self, worker: Worker) -> None:
        """Write that this worker is there, as of its `seen_at`; forget those that were not seen for a day."""
        row = worker.model_dump()
        write = self._insert(workers).values(row).on_conflict_do_update(index_elements=["id"], set_=row)
        with self.database.transaction() as connection:
            connection.execute(write)
            connection.execute(delete(workers).where(workers.c.seen_at < worker.seen_at - FORGOTTEN_AFTER))

    def seen_since(self, moment: datetime) -> list[Worker]:
        """The workers that gave a sign of life since a moment, the one seen last first."""
        query = select(workers).where(workers.c.seen_at >= moment).order_by(workers.c.seen_at.desc())
        with self.database.reading() as connection:
            return [Worker.model_validate(dict(row._mapping)) for row in connection.execute(query)]

    def channels(self, now: datetime) -> frozenset[str]:
        """The channels that this installation can send by: those of all workers that were seen lately."""
        return frozenset(name for one in self.seen_since(now - CHANNEL_KEPT) for name in one.channels)


def this_worker(channels: Iterable[str]) -> Worker:
    """The process that this runs in, as a worker that starts now."""
    now = datetime.now(UTC)
    host = f"{socket.gethostname()} process {os.getpid()}"[:LONGEST_HOST]
    return Worker(id=uuid.uuid4().hex, host=host, channels=sorted(channels), started_at=now, seen_at=now)
