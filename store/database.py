"""One SQLAlchemy engine for SQLite (WAL) or PostgreSQL; every public function of the store is one transaction on it."""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.pool import QueuePool

from countersign.errors import Unavailable

# How long a writer waits for another process' transaction before it gives up, in milliseconds.
SQLITE_BUSY_MS = 5_000
# Threads, and so connections, a process uses on PostgreSQL; SQLite has one writer anyway.
POSTGRES_THREADS = 4
ONLY_READS = "countersign_only_reads"


class Database:
    """Where all of Countersign's rows are. `executor` is where an event loop runs its transactions."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        threads = 1 if self.is_sqlite else POSTGRES_THREADS
        self.engine = create_engine(self.url, poolclass=QueuePool, pool_size=threads, pool_pre_ping=not self.is_sqlite)
        self.executor: Executor = ThreadPoolExecutor(threads, thread_name_prefix="store")
        if self.is_sqlite:
            event.listen(self.engine, "connect", _tune_sqlite)
            event.listen(self.engine, "begin", _begin_immediate)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction; Unavailable when the database can't be reached or is locked for too long."""
        with self._errors_in_words(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, and so waits for no writer."""
        with self._errors_in_words(), self.engine.connect() as connection:
            yield connection.execution_options(**{ONLY_READS: True})

    @contextmanager
    def _errors_in_words(self) -> Iterator[None]:
        try:
            yield
        # PostgreSQL's driver says InterfaceError when nobody listens there.
        except (OperationalError, InterfaceError) as error:
            raise Unavailable(
                f"the database at {self.url.render_as_string(hide_password=True)} is unavailable"
            ) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Unavailable("the connection to the database was lost") from error
            raise

    def close(self) -> None:
        """End the threads and connections."""
        self.executor.shutdown()
        self.engine.dispose()


def _tune_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transactions start deferred and fail when they turn to writing; `_begin_immediate` starts ours.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get(ONLY_READS)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")
