"""The workers that were seen, and by which channels they can send."""

from datetime import datetime

from sqlalchemy import delete, select, update

from countersign.models import Model
from store.database import StorePart, insert_or_change, reads
from store.tables import workers


class Worker(Model):
    """A process of `worker.py`, as it was last seen.

    `seen_at` is by the database's clock; the worker's own is `ahead_seconds` ahead of it. `ended_at` is set if it
    was stopped, and not if it died.
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

    def write(self, worker: Worker, forget_before: datetime | None = None) -> None:
        """Write a worker as it is now; forget those that were last seen before a moment."""
        row = worker.model_dump(exclude={"ended_at"})
        with self.database.transaction() as connection:
            insert_or_change(connection, workers, row, row)
            if forget_before:
                connection.execute(delete(workers).where(workers.c.seen_at < forget_before))

    def end(self, worker_id: str, at: datetime) -> None:
        """Write that a worker ends."""
        with self.database.transaction() as connection:
            connection.execute(update(workers).where(workers.c.id == worker_id).values(ended_at=at))

    @reads
    def seen(self, since: datetime | None = None) -> list[Worker]:
        """The workers that are known, or only those that were seen since a moment; the most recently seen first."""
        when = [workers.c.seen_at >= since] if since else []
        query = select(workers).where(*when).order_by(workers.c.seen_at.desc())
        with self.database.reading() as connection:
            return [Worker.model_validate(dict(row._mapping)) for row in connection.execute(query)]
