"""Frequent queries read no more if five times as much is long over, by the work that the databases report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import event, text

from benchmarks.history import MOST_STATEMENTS, Cost, end_by, over_limits
from benchmarks.plans import plan_of, statements
from benchmarks.queries import LIVE, Kind, Query, queries
from engine.policy import apply_policy
from sandbox.history import policy, write_history
from store import Store
from store.tables import FIRST_APPROVAL_ID

# Even LITTLE, divided among twenty people, is more for each than the rows that a page reads and leaves out.
LITTLE, MUCH, WAITING, MOST_READ = 2_500, 10_000, 30, 100
WAITS = FIRST_APPROVAL_ID + LITTLE + WAITING // 2
# At times an index grows by a level, and the newest rows are not always alike.
TOLERANCE = 1.5
# PostgreSQL's driver is slow for each row, so a list has it read no more than a page of them.
MOST_FETCHED = 60


@pytest.fixture(scope="module")
def used_store(module_url: str) -> Iterator[Store]:
    with closing(Store(module_url, live=LIVE)) as store:
        yield store


def work(store: Store, thing: Callable[[], object]) -> int:
    """How much work a call makes for the database."""
    return (_steps if store.database.is_sqlite else _rows)(store, thing)


def _steps(store: Store, thing: Callable[[], object]) -> int:
    """How many tens of instructions SQLite's virtual machine runs."""
    count = 0

    def note() -> int:
        nonlocal count
        count += 1
        return 0

    pooled = store.database.engine.raw_connection()
    driver: Any = pooled.driver_connection
    pooled.close()  # it goes back to the pool, which has no other
    driver.set_progress_handler(note, 10)
    try:
        thing()
    finally:
        driver.set_progress_handler(None, 0)
    return count


def _rows(store: Store, thing: Callable[[], object]) -> int:
    """The rows that PostgreSQL reads, including those that it then leaves out."""
    asked = [one for one in statements(store, thing) if one[0].lstrip("( ").startswith("SELECT")]
    with store.database.transaction() as connection:
        # Tables as small as these are rightly read as a whole, as large ones are not: plan as for large ones.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plans = [
            connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters).scalar_one()
            for statement, parameters in asked
        ]
    return sum(_read_by(plan[0]["Plan"]) for plan in plans)


def _read_by(node: dict[str, Any]) -> int:
    below = sum(_read_by(one) for one in node.get("Plans", []))
    if "Scan" not in node["Node Type"] or node["Node Type"] == "Bitmap Index Scan":  # its rows are read once, above it
        return below
    left_out = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return below + int((node["Actual Rows"] + left_out) * node["Actual Loops"])


def test_what_is_over_makes_nothing_dearer_and_no_table_that_grows_is_read_as_a_whole(
    used_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.listing.MOST_READ", MOST_READ)
    store = used_store
    apply_policy(store, policy(), "ada")
    write_history(store, LITTLE, WAITING, lasting=20)
    before = _worked(store)
    write_history(store, MUCH, 0)
    after = _worked(store)
    # PostgreSQL knows its tables by a sample, so it may use another index than before, and then reads the bounded part
    # of a list once more. A query whose cost grows would read thousands of rows.
    bounded = 2 * MOST_READ
    dearer = {name: (before[name], now) for name, now in after.items() if now > before[name] * TOLERANCE + bounded}
    assert not dearer
    for query in queries(store, WAITS):
        query.ask()  # a sweep's first run looks at all that is open
        assert plan_of(store, query.ask, small=True).scanned == set(), query.name
        if query.kind in MOST_STATEMENTS:
            assert len(statements(store, query.ask)) <= MOST_STATEMENTS[query.kind], query.name
        if query.kind == "list" and not store.database.is_sqlite:
            assert _fetched(store, query.ask) <= MOST_FETCHED, query.name


def test_a_limit_that_is_broken_is_named_and_ends_the_benchmark_with_1() -> None:
    def cost(name: str, half: float, *scanned: str, kind: Kind = "sweep", asked: int = 3) -> Cost:
        return Cost(Query(name, kind, lambda: None), asked, half, 50 + half, 1.0, set(), set(scanned))

    found = [
        *(cost("fast", 4.9), cost("slow", 5.1), cost("list", 1.0, kind="list")),
        *(cost("whole", 1.0, "requests", "events"), cost("many", 1.0, asked=4)),
    ]
    broken = over_limits("SQLite", found)
    assert broken == [
        "SQLite: slow takes 5.1 ms; it may take 5",
        "SQLite: list takes 51.0 ms; it may take 50",
        "SQLite: many takes 4 statements; it may take 3",
        "SQLite: whole reads all of events, requests",
    ]
    said = Console(file=StringIO(), width=200)
    for over, code in ((broken, 1), ([], 0)):
        with pytest.raises(SystemExit) as ended:
            end_by(over, said)
        assert ended.value.code == code
    assert isinstance(said.file, StringIO)
    assert "slow takes 5.1 ms" in said.file.getvalue()


def _fetched(store: Store, thing: Callable[[], object]) -> int:
    """The rows that the driver reads."""
    counts: list[int] = []

    def note(_: object, cursor: Any, *__: object) -> None:
        counts.append(cursor.rowcount)

    event.listen(store.database.engine, "after_cursor_execute", note)
    try:
        thing()
    finally:
        event.remove(store.database.engine, "after_cursor_execute", note)
    return sum(counts)


def _worked(store: Store) -> dict[str, int]:
    if not store.database.is_sqlite:  # it has no statistics unless somebody makes them
        with store.database.transaction() as connection:
            connection.execute(text("ANALYZE"))
    found = queries(store, WAITS)
    for query in found:
        query.ask()  # a sweep's first run looks at all that is open
    return {query.name: work(store, query.ask) for query in found}
