"""Real servers for the tests: Temporal and PostgreSQL once per session, a fresh database per test."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import warnings
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path
from zlib import crc32

import pytest

from garbage import collect_seldom
from sandbox.postgres import Cluster, NoPostgres, throwaway_postgres
from sandbox.temporal_tool import find_temporal
from tests.databases import new_sqlite, postgres_template
from tests.run_again import pytest_report_teststatus, pytest_runtest_protocol, pytest_terminal_summary
from tests.temporal_servers import FOLDER, SERVERS, TemporalInThread
from tests.whole import IS_WHOLE

# pytest hooks that are defined elsewhere.
__all__ = ["pytest_report_teststatus", "pytest_runtest_protocol", "pytest_terminal_summary"]

# A shell without job control makes its background jobs ignore Ctrl-C, and programs the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Output must be as wide as the test says, not as the developer's terminal; readline, which pytest imports, sets these.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)
# The events that Python raises for audit hooks when a server or another program is started.
STARTS = {"socket.bind", "subprocess.Popen"}
NOT_WHOLE = "it takes long, and another like it runs: set COUNTERSIGN_TEST_WHOLE=1 to run all, as CI does"
NOT_ALL = "the same runs with other parameters: set COUNTERSIGN_TEST_WHOLE=1 to run all, as CI does"
EITHER = {
    "sqlite",
    "postgres",
    "sqlite_url",
    "postgres_url",
    "empty_sqlite_url",
    "empty_postgres_url",
    "socket",
    "http",
    "nginx",
    "caddy",
}
# Files with tests that take a minute or more, most of it waiting. Tests of the gates take as long.
LONGEST = {
    "test_kills.py",
    "test_races.py",
    "test_demo.py",
    "test_running.py",
    "test_killed_in_time.py",
    "test_slow_mail.py",
    "test_recorded.py",
}
GATES = Path(__file__).parent / "countersign" / "gates"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report a failure with Python's own traceback if pytest can't make one, which would end the whole run.

    pytest parses the failing source, and before Python 3.11.8 `ast.parse` raises SystemError if two threads call it
    at once (https://github.com/python/cpython/issues/106905), as the workers' own threads do when they import.
    """
    try:
        return (yield)
    except SystemError:
        item.config.option.tbstyle = "native"
        return pytest.TestReport.from_item_and_call(item, call)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Run a test marked `no_cover` without measuring, which pytest-cov fails to stop in xdist's workers.

    It starts measuring twice there, and its own `no_cover` stops only the second (pytest-cov 7.1).
    """
    if not item.get_closest_marker("no_cover"):
        return (yield)
    ours, of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(ours)
        threading.settrace(of_threads)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-servers",
        action="store_true",
        help="skip each test as soon as it, or a fixture of it, starts a server or another program",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--no-servers"):
        sys.addaudithook(skip_at_server)
        # A skipped test doesn't close what it had opened by then.
        config.addinivalue_line("filterwarnings", "ignore::pytest.PytestUnraisableExceptionWarning")
        warnings.simplefilter("ignore", pytest.PytestUnraisableExceptionWarning)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have every second process begin with the tests that mostly wait, while the others compute; none ends with them.

    xdist gives each process a part of the list, and lets a process that is done take from another (its `worksteal`).
    """
    if not IS_WHOLE:
        for item in items:
            if item.get_closest_marker("whole"):
                item.add_marker(pytest.mark.skip(reason=NOT_WHOLE))
        if not config.getoption("--no-servers"):  # then the other is left out anyway
            for item in like_another(items):
                item.add_marker(pytest.mark.skip(reason=NOT_ALL))
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    waiting: dict[Path, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.path.name in LONGEST or item.path.parent == GATES:
            waiting[item.path].append(item)
    others = iter([item for item in items if item.path not in waiting])
    left = len(items)
    items.clear()
    for number in range(processes):
        size = left // (processes - number)
        first = list(chain(*[*waiting.values()][number // 2 :: (processes + 1) // 2])) if number % 2 == 0 else []
        items += [*first, *islice(others, max(size - len(first), 0))]
        left -= size
    items += others


def like_another(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    """All but one of each group of tests that differ only in the database, the proxy or the way to Slack.

    Tests that use Temporal take seconds each, so those that differ in any parameters form a group. Which test stays
    depends on its name, so that each kind is left out equally often.
    """
    alike: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        test, _, parameters = item.nodeid.partition("[")
        others = [one for one in parameters.rstrip("]").split("-") if one not in EITHER]
        if "temporal_address" in getattr(item, "fixturenames", ()):
            others.clear()
        if parameters and not item.get_closest_marker("whole"):
            alike["-".join([test, *others])].append(item)
    for name, group in alike.items():
        stays = group[crc32(name.encode()) % len(group)]
        yield from (item for item in group if item is not stays)


def pytest_collection_finish() -> None:
    """Collect garbage as seldom as worker and portal do: everything imported and collected so far stays to the end."""
    collect_seldom()


def skip_at_server(event: str, _: object) -> None:
    """Skip the running test when it starts a server or program: no test needs a mark, so none can be forgotten.

    A server binds a socket (https://docs.python.org/3/library/audit_events.html). Threads are ignored: they may outlive
    the test that started them.
    """
    if event not in STARTS or threading.current_thread() is not threading.main_thread():
        return
    if os.environ.get("PYTEST_CURRENT_TEST", "").endswith(("(setup)", "(call)")):
        pytest.skip("it starts a server or another program")


@pytest.fixture(scope="session")
def temporal_tool() -> Path:
    """The real `temporal` command line tool."""
    return find_temporal()


@pytest.fixture(scope="session")
def temporal_address() -> Iterator[str]:
    """Where a real Temporal server answers, with our search attributes; its state ends with the session."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder, TemporalInThread(Path(folder)) as server:
        if "TEMPORAL_ADDRESS" not in os.environ:  # we may not restart a server that was there before
            SERVERS[server.address] = server
        yield server.address
        SERVERS.pop(server.address, None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A throwaway PostgreSQL cluster; without one, the tests that need it are skipped with the reason."""
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(throwaway_postgres())
        except NoPostgres as error:
            pytest.skip(str(error))
        yield cluster


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Cluster) -> Iterator[str]:
    """The name of a PostgreSQL database that has all tables; the others are copies of it."""
    with postgres_template(postgres) as name:
        yield name


@pytest.fixture
def postgres_url(postgres: Cluster, migrated_postgres: str) -> Iterator[str]:
    """A new PostgreSQL database with all tables, empty."""
    with postgres.database(migrated_postgres) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A new SQLite database in a file, with all tables, empty."""
    return new_sqlite(tmp_path / "countersign.db")


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A new database of each kind that the store supports: a test that takes this runs on both."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def empty_postgres_url(postgres: Cluster) -> Iterator[str]:
    """A new PostgreSQL database without tables."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'countersign.db'}"


@pytest.fixture(params=["empty_sqlite_url", "empty_postgres_url"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """A database without tables of each kind that the store supports."""
    url: str = request.getfixturevalue(request.param)
    return url
