"""What a long past costs: lists, sweeps and watchers with 100,000 settled requests and 10,000 that wait.

`python -m benchmarks.history` measures both databases ; it is no part of `make bench`, for its length.
"""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table
from sqlalchemy import event, text

from countersign.models import Event, Status
from countersign.notifications import Person, RejectedInput
from engine.policy import apply_policy
from engine.transactions import Transactions
from sandbox.history import APPROVER, policy, requester, write_history
from sandbox.postgres import throwaway_postgres
from store import Store
from store.listing import LONGEST_LIST
from store.retention import Kept, Retention
from store.tables import FIRST_APPROVAL_ID
from store.visibility import Visibility

PAST, WAITING, LASTING = 100_000, 10_000, 500
TIMES = 5
KEPT = Kept(*3 * [timedelta(days=3650)])
LIVE = frozenset({"slack"})

console = Console()


def things(store: Store, some_id: int) -> dict[str, Callable[[], object]]:
    """What is done often, and must not cost more for what is over; `some_id` is a request that waits."""
    newest = store.events.last_version()
    mine, gateway = (
        Visibility(person=APPROVER),
        Visibility(devices=frozenset({"device-1100"}), protocols=frozenset({"ssh"})),
    )
    reading, now = store.reading, datetime.now(UTC)
    refused = RejectedInput(
        channel="email",
        source_id="<m@x>",
        approval_id=some_id,
        who=APPROVER,
        person=Person(id=APPROVER, name="Grace", email="grace@example.test"),
        event=Event.HELP,
        words="Which?",
    )
    return {
        f"list of {LONGEST_LIST}": lambda: reading.newest(limit=LONGEST_LIST),
        "list of 50 that wait": lambda: reading.newest(Status.WAITING),
        "list of 50 asked of one": lambda: reading.newest(approver=APPROVER),
        "list of 50 that one may see": lambda: reading.newest(visibility=mine),
        "list of 5 of one requester": lambda: reading.newest(requester=requester(7), limit=5),
        "list of 50 that a gateway may see": lambda: reading.newest(visibility=gateway),
        "what waits for one, at most 200": lambda: reading.waiting_for(APPROVER),
        "what one may revoke": lambda: reading.revocable_by(APPROVER),
        "one request": lambda: reading.request(some_id),
        "an event, for one who watches": lambda: store.seen.since(newest - 1, mine, 500),
        "a list of those cancelled": lambda: reading.newest(Status.CANCELLED, approver=APPROVER, limit=5),
        "sweep: who must look again": reading.to_look_at,
        "sweep: grants to revoke": Transactions(store).granting.to_revoke,
        "sweep: answers left over": lambda: store.answers.waiting(now - timedelta(seconds=15)),
        "sweep: notices left over": lambda: store.notifications.left_over(now, 50),
        "sweep: messages left behind": lambda: store.notifications.left_behind(now, 50),
        "sweep: what is kept no longer": Retention(store.database, KEPT).forget_some,
        "a mail that is turned down": lambda: Transactions(store).rejected_inputs.record(refused),
        "at start: answers that counted": lambda: store.answers.counted(now),
        "who has an address": lambda: reading.person_at("user-19@example.test"),
    }


def measured(store: Store) -> dict[str, tuple[float, int]]:
    """The median in milliseconds of each of these, and how many statements it takes."""
    some_id = FIRST_APPROVAL_ID + PAST + WAITING // 2
    return {name: _median(store, thing) for name, thing in things(store, some_id).items()}


def _median(store: Store, thing: Callable[[], object]) -> tuple[float, int]:
    statements = 0

    def count(*_: object) -> None:
        nonlocal statements
        statements += 1

    thing()
    event.listen(store.database.engine, "before_cursor_execute", count)
    thing()
    event.remove(store.database.engine, "before_cursor_execute", count)
    return median(_milliseconds(thing) for _ in range(TIMES)), statements


def _milliseconds(thing: Callable[[], object]) -> float:
    started = time.perf_counter()
    thing()
    return (time.perf_counter() - started) * 1000


def of_database(url: str) -> dict[str, tuple[float, int]]:
    """Fill an empty database and measure it."""
    store = Store(url, live=LIVE)
    apply_policy(store, policy(), "bench")
    started = time.monotonic()
    write_history(store, PAST, WAITING, LASTING)
    with store.database.transaction() as connection:
        if not store.database.is_sqlite:  # as autovacuum soon would
            connection.execute(text("ANALYZE"))
    console.print(f"[dim]written in {time.monotonic() - started:.0f} s[/dim]")
    figures = measured(store)
    store.close()
    return figures


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        sqlite = of_database(f"sqlite:///{Path(folder) / 'history.db'}")
    with throwaway_postgres() as cluster, cluster.database() as url:
        postgres = of_database(url)
    table = Table("what", "SQLite, ms", "PostgreSQL, ms", "statements", title=f"{PAST:,} past, {WAITING:,} waiting")
    for name, (milliseconds, statements) in sqlite.items():
        table.add_row(name, f"{milliseconds:.1f}", f"{postgres[name][0]:.1f}", str(statements))
    console.print(table)


if __name__ == "__main__":
    main()
