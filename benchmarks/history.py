"""What a long past costs: lists, views, sweeps and events with many settled requests and 10,000 that wait.

A part of `make bench`; by itself, `python -m benchmarks.history --help`.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple, NoReturn

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from sqlalchemy import text

from benchmarks.plans import plan_of, statements
from benchmarks.queries import KEPT, LIMITS, LIVE, Kind, Query, queries
from engine.policy import apply_policy
from garbage import collect_seldom
from sandbox.history import policy, write_history
from sandbox.postgres import NoPostgres, throwaway_postgres
from store import Store, postgres
from store.retention import Retention
from store.tables import FIRST_APPROVAL_ID

# How many settled requests. A million take half an hour and 10 GB of disk; `make bench PAST=20000` writes fewer.
PAST = int(os.environ.get("PAST", "1000000"))
WAITING, LASTING = 10_000, 500
TIMES, SECONDS = 100, 5.0
WARM = 3
# How many of the queries that use an index are named.
NAMED = 3
DATABASES = ("SQLite", "PostgreSQL")
MOST_STATEMENTS: dict[Kind, int] = {"list": 6, "event": 3, "sweep": 3}

Say = Callable[[str], None]


class Cost(NamedTuple):
    """What a query takes, in milliseconds: the median, the 99th percentile, and processor time in this process."""

    query: Query
    statements: int
    half: float
    nearly_all: float
    processor: float
    indexes: set[str]
    scanned: set[str]

    @property
    def limited(self) -> float:
        """The figure that the limit applies to: of a sweep the median, as machines pause for longer than one takes."""
        return self.half if self.query.kind == "sweep" else self.nearly_all


def costs(database: str, past: int, say: Say) -> list[Cost]:
    """Fill an empty database and measure it."""
    with _empty(database) as url:
        store = Store(url, live=LIVE)
        apply_policy(store, policy(), "bench")
        write_history(store, past, WAITING, LASTING, lambda done: say(f"{database}: {done}"))
        say(f"{database}: what is kept no longer is forgotten")
        retention = Retention(store.database)
        while retention.forget_some(KEPT.oldest(datetime.now(UTC))):  # as workers have done meanwhile
            pass
        if not store.database.is_sqlite:
            _vacuum(store)
        say(f"{database}: measuring")
        found = measured(store, FIRST_APPROVAL_ID + past + WAITING // 2)
        store.close()
    return found


@contextmanager
def _empty(database: str) -> Iterator[str]:
    if database == "SQLite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'history.db'}"
        return
    with throwaway_postgres() as cluster, cluster.database() as url:
        yield url


def _vacuum(store: Store) -> None:
    """Vacuum, as autovacuum does after so many rows; and write all changes to disk, as happens after some minutes."""
    engine = postgres.patient(store.database.url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))
    engine.dispose()


def measured(store: Store, waiting_id: int) -> list[Cost]:
    """All queries, one after another."""
    return [_cost(store, query) for query in queries(store, waiting_id)]


def _cost(store: Store, query: Query) -> Cost:
    for _ in range(WARM):
        query.ask()
    plan, asked = plan_of(store, query.ask), statements(store, query.ask)
    times: list[float] = []
    over, processor = time.perf_counter() + SECONDS, time.thread_time()
    while len(times) < TIMES and (len(times) < 2 or time.perf_counter() < over):
        started = time.perf_counter()
        query.ask()
        times.append((time.perf_counter() - started) * 1000)
    processor = (time.thread_time() - processor) * 1000 / len(times)
    nearly_all = quantiles(times, n=100, method="inclusive")[-1]
    return Cost(query, len(asked), median(times), nearly_all, processor, plan.indexes, plan.scanned)


def milliseconds_of_history(say: Say, console: Console) -> tuple[dict[str, float], list[str]]:
    """The most expensive query of each kind, on each available database, by its limited figure. Prints all queries.

    Also returns messages about those that broke a limit.
    """
    figures: dict[str, float] = {}
    broken: list[str] = []
    for database in DATABASES:
        try:
            found = costs(database, PAST, say)
        except NoPostgres as error:
            say(str(error))
            continue
        console.print(_table(database, PAST, found), _relied_on(found))
        broken += over_limits(database, found)
        for kind in ("list", "view", "event", "sweep"):
            dearest = max(one.limited for one in found if one.query.kind == kind)
            figures[f"{PAST:,} past: dearest {kind}, {database}, ms"] = dearest
    return figures, broken


def over_limits(database: str, found: Sequence[Cost]) -> list[str]:
    """Messages about queries that take too long, or too many statements, or read all of a table that grows."""
    slow = [
        f"{database}: {one.query.name} takes {one.limited:.1f} ms; it may take {LIMITS[one.query.kind]:.0f}"
        for one in found
        if one.limited > LIMITS[one.query.kind]
    ]
    many = [
        f"{database}: {one.query.name} takes {one.statements} statements; it may take {most}"
        for one in found
        if one.statements > (most := MOST_STATEMENTS.get(one.query.kind, one.statements))
    ]
    whole = [
        f"{database}: {one.query.name} reads all of {', '.join(sorted(one.scanned))}" for one in found if one.scanned
    ]
    return slow + many + whole


def end_by(broken: Sequence[str], console: Console) -> NoReturn:
    """Print which limits are broken, and end the program, with 1 if there are any."""
    for one in broken:
        console.print(f"[red]Over its limit:[/red] {one}")
    sys.exit(1 if broken else 0)


def _table(database: str, past: int, found: list[Cost]) -> Table:
    table = Table(
        "what",
        *(Column(name, justify="right") for name in ("SQL", "p50", "p99", "CPU", "limit")),
        title=f"{database}: {past:,} past, {WAITING:,} waiting; milliseconds",
        caption="SQL: statements; CPU: of this process; a sweep's limit is for its p50",
        box=SIMPLE,
    )
    for one in found:
        times = (one.half, one.nearly_all, one.processor)
        row = [str(one.statements), *(f"{time:.1f}" for time in times), f"{LIMITS[one.query.kind]:.0f}"]
        table.add_row(one.query.name, *row, style="red" if over_limits(database, [one]) else "")
    return table


def _relied_on(found: list[Cost]) -> Table:
    table = Table("index", "used by", title="What these queries rely on", box=SIMPLE)
    for index in sorted({index for one in found for index in one.indexes}):
        used_by = [one.query.name for one in found if index in one.indexes]
        more = f" and {len(used_by) - NAMED} more" if len(used_by) > NAMED else ""
        table.add_row(index, "; ".join(used_by[:NAMED]) + more)
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--past", type=int, default=PAST, metavar="N", help="settled requests (default: %(default)s)")
    parser.add_argument("--database", choices=DATABASES, action="append", help="only this database")
    options = parser.parse_args()
    console = Console()
    collect_seldom()
    started = time.monotonic()
    broken: list[str] = []
    for database in options.database or DATABASES:
        found = costs(
            database,
            options.past,
            lambda what: console.print(f"[dim]{time.monotonic() - started:4.0f} s[/dim]  {what}"),
        )
        console.print(_table(database, options.past, found), _relied_on(found))
        broken += over_limits(database, found)
    end_by(broken, console)


if __name__ == "__main__":
    main()
