"""One SQLAlchemy engine for SQLite (WAL) or PostgreSQL; every public function of the store is one transaction on it."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, Row, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import QueuePool

from countersign.models import Model
from store import postgres
from store.database_errors import DatabaseUnavailable, in_our_terms
from store.file_permissions import close_database

# How long a writer waits for another process' transaction before it gives up, in milliseconds.
SQLITE_BUSY_MS = 5_000
# Threads that write, and threads that only read; each has a connection. SQLite has one writer anyway.
SQLITE_THREADS = 1, 1
POSTGRES_THREADS = 4, 2
ONLY_READS = "countersign_only_reads"
HAPPENED = "countersign_happened"

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M", bound=Model)
P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)
# Logs a line for each row of the audit record, once it is committed.
record = logging.getLogger("record")


class Happened(NamedTuple):
    """The log's text about a row of the audit record, for people, and its fields for programs."""

    text: str
    fields: dict[str, Any]


class Recorded(Exception):
    """`raise Recorded from error` commits the transaction, which then raises the error."""


def reads(function: F) -> F:
    """Mark a function that only reads, so that it never waits for a writer that waits for a lock."""
    function.only_reads = True  # type: ignore[attr-defined]
    return function


def only_reads(function: Callable[..., Any]) -> bool:
    """Whether a function is marked with `reads`."""
    return getattr(function, "only_reads", False)


class Threads(ThreadPoolExecutor):
    """Threads in which an event loop runs transactions; those that only read have threads of their own."""

    def __init__(self, writing: int, reading: int) -> None:
        super().__init__(writing, thread_name_prefix="store")
        self._reading = ThreadPoolExecutor(reading, thread_name_prefix="store-reading")

    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Run a function in a reading thread if it is marked with `reads`, else in a writing one."""
        if only_reads(function):
            return self._reading.submit(function, *args, **named)
        return super().submit(function, *args, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all threads."""
        self._reading.shutdown(wait, cancel_futures=cancel_futures)
        super().shutdown(wait, cancel_futures=cancel_futures)


class Database:
    """The database of all rows. `executor` is where an event loop runs its transactions."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        writing, reading = SQLITE_THREADS if self.is_sqlite else POSTGRES_THREADS
        self.engine = (_sqlite if self.is_sqlite else _postgres)(self.url, writing + reading)
        self.executor = Threads(writing, reading)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction, rolled back on any error but Recorded.

        Raises DatabaseUnavailable, which says why, and BadQuestion for what can't be stored.
        """
        happened: list[Happened] = []
        refused = None
        with _logged(), errors_in_our_terms(), self.engine.begin() as connection:
            try:
                yield connection.execution_options(**{HAPPENED: happened})
            except Recorded as recorded:
                refused = recorded.__cause__
        for one in happened:
            record.info(one.text, extra={"fields": one.fields})
        if refused is not None:
            raise refused

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, and so waits for no writer. Raises the same errors."""
        with _logged(), errors_in_our_terms(), self.engine.connect() as connection:
            yield connection.execution_options(**{ONLY_READS: True})

    async def run(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Do a transaction in a thread, so that the event loop goes on meanwhile."""
        return await run_in(self.executor, function, *args, **named)

    def close(self) -> None:
        """End the threads and connections."""
        self.executor.shutdown()
        self.engine.dispose()


class StorePart:
    """A part of the store. Each of its methods is one transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database


def from_row(kind: type[M], row: Row[Any], **more: Any) -> M:
    """A model made from the columns of a row that its fields are named after; `more` adds or replaces values."""
    return kind.model_validate({name: row._mapping[name] for name in kind.model_fields if name in row._mapping} | more)


async def run_in(executor: Executor, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """Do a transaction in a thread of this executor, so that the event loop goes on meanwhile."""
    return await asyncio.wrap_future(executor.submit(function, *args, **named))


def insert_new(connection: Connection, table: Table, *rows: Mapping[str, Any]) -> int:
    """Insert rows, in one statement, except those whose key is there already; returns how many were new."""
    insert = _insert_new(connection.dialect.name, table)
    found = connection.execute(insert, rows[0]) if len(rows) == 1 else connection.execute(insert.values(rows))
    return found.rowcount


def insert_or_change(connection: Connection, table: Table, row: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Insert a row; if there is one with its key already, make these changes to that one."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(table).values(row)
    connection.execute(insert.on_conflict_do_update(index_elements=[*table.primary_key], set_=changes))


@cache
def _insert_new(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    insert = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    return insert.on_conflict_do_nothing()


@contextmanager
def errors_in_our_terms() -> Iterator[None]:
    """Raise our errors in place of the database's; those that are our own fault stay as they are."""
    try:
        yield
    except Exception as error:
        if told := in_our_terms(error):
            raise told from error
        raise


@contextmanager
def _logged() -> Iterator[None]:
    """Log why the database fails; callers learn only that it does."""
    try:
        yield
    except DatabaseUnavailable as error:
        log.warning("%s", error.why)
        raise


def _sqlite(url: URL, connections: int) -> Engine:
    if url.database and url.database != ":memory:" and not url.database.startswith("file:"):
        close_database(Path(url.database))
    engine = create_engine(url, poolclass=QueuePool, pool_size=connections, hide_parameters=True)
    event.listen(engine, "connect", _tune_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _postgres(url: URL, connections: int) -> Engine:
    return postgres.limited(url, poolclass=QueuePool, pool_size=connections, pool_pre_ping=True)


def _tune_sqlite(connection: Any, _record: object) -> None:
    # The driver's transactions start deferred and may fail at their first write; `_begin_immediate` starts ours.
    connection.isolation_level = None
    # SQLite's own `lower` changes only the letters of ASCII.
    connection.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_MS}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get(ONLY_READS)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")
