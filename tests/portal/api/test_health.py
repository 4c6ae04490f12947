"""`/health` and `doctor` with the real programs: without a worker, with a full disk, with clocks that differ."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from countersign.client import Client
from engine.credentials.tokens import TokenActions
from engine.heartbeat import this_worker, write_heartbeat
from portal.app import create_app
from portal.context import Plan
from portal.server import Server
from sandbox.mail_server import MailServer
from store import Store
from store.clock import apart
from store.tokens import Owner
from tests.portal.context import Portal, serving, without_temporal
from tests.portal.test_main import process
from tests.portal.test_main import run as command
from tests.workflows.deployment import environment_for, new_namespace

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def asking(plan: Plan) -> AsyncIterator[Portal]:
    """A portal of its own, and somebody who may look at everything."""
    store = Store(plan.database_url)
    token = TokenActions(store).create(Owner(kind="person", name="root", is_admin=True), "tests")
    store.close()
    async with serving(Server(create_app(plan), "127.0.0.1", 0)) as url:
        portal = Portal(url, {"root": token})
        yield portal
        await portal.aclose()


@asynccontextmanager
async def working(environment: dict[str, str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python worker.py`."""
    told = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}} | environment
    with log.open("ab") as file:
        running = await asyncio.create_subprocess_exec(
            sys.executable, ROOT / "worker.py", cwd=ROOT, env=told, stdout=file, stderr=file
        )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def until_health(portal: Portal, **wanted: object) -> None:
    """Poll until `/health` says so; fail after two minutes."""
    async with asyncio.timeout(120):
        while not wanted.items() <= (await portal.get("nobody", "/health")).json().items():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def findings(portal: Portal, state: str) -> dict[str, str]:
    """The doctor's findings with this state: the words of each, by what it is about."""
    return {one["about"]: one["words"] for one in (await portal.get("root", "/doctor")).json() if one["state"] == state}


async def test_a_worker_that_dies_is_missed_and_one_that_ends_is_at_once(
    temporal_address: str, sqlite_url: str, tmp_path: Path
) -> None:
    namespace = await new_namespace(temporal_address)
    plan = Plan(sqlite_url, lambda: Client.connect(temporal_address, namespace, lazy=True))
    async with AsyncExitStack() as stack:
        mail = await stack.enter_async_context(MailServer())
        portal = await stack.enter_async_context(asking(plan))
        environment = environment_for(sqlite_url, temporal_address, namespace, mail)
        assert "python worker.py" in (await findings(portal, "problem"))["worker"]
        async with working(environment, tmp_path / "log") as first:
            await until_health(portal, worker=True)
            assert "sends by email" in (await findings(portal, "ok"))["worker"]
            first.kill()
            await until_health(portal, worker=False)
            assert (await portal.get("nobody", "/health")).status_code == 503
        async with working(environment, tmp_path / "log") as second:
            await until_health(portal, worker=True)
            second.terminate()
            assert await second.wait() == 0, (tmp_path / "log").read_text()
            assert (await portal.get("nobody", "/health")).json()["worker"] is False
            assert "worker" in await findings(portal, "problem")


async def test_a_worker_of_another_namespace_is_told_from_none(temporal_address: str, sqlite_url: str) -> None:
    namespace = await new_namespace(temporal_address)
    async with asking(Plan(sqlite_url, lambda: Client.connect(temporal_address, namespace, lazy=True))) as portal:
        store = Store(sqlite_url)
        write_heartbeat(store, this_worker(["email"], "countersign"))
        store.close()
        await until_health(portal, worker=True)
        assert "TEMPORAL_NAMESPACE" in (await findings(portal, "problem"))["worker"]


async def test_a_namespace_that_is_none_is_told(temporal_address: str, sqlite_url: str) -> None:
    async with asking(Plan(sqlite_url, lambda: Client.connect(temporal_address, "nowhere", lazy=True))) as portal:
        assert "TEMPORAL_NAMESPACE" in (await findings(portal, "problem"))["server"]


async def test_a_database_that_only_reads_is_told(postgres_url: str) -> None:
    Store(postgres_url).close()
    engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    engine.dispose()
    async with serving(Server(create_app(without_temporal(postgres_url)), "127.0.0.1", 0)) as url:
        portal = Portal(url)
        reply = await portal.get("nobody", "/health")
        assert (reply.status_code, reply.json()["database"], reply.json()["writable"]) == (503, True, False)
        await portal.aclose()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux changes the limits of another process")
async def test_a_disk_on_which_nothing_can_be_written_is_told_and_so_is_its_recovery(
    sqlite_url: str, free_tcp_port: int
) -> None:
    environment = {"COUNTERSIGN_DATABASE_URL": sqlite_url}
    token = command(environment, "token", "create", "--person", "ada", "--admin").stdout.strip()
    async with process(environment, free_tcp_port) as serving_here:
        portal = Portal(f"http://127.0.0.1:{free_tcp_port}", {"root": token})
        await until_health(portal, writable=True)
        # Files may not grow any more, as on a full disk; Python ignores the signal that comes with it.
        resource.prlimit(serving_here.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        await until_health(portal, database=True, writable=False)
        assert "disk" in (await findings(portal, "problem"))["database"]
        resource.prlimit(serving_here.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await until_health(portal, writable=True)
        await portal.aclose()


NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("theirs", "ahead"),
    [
        (NOON + SECOND, 0),  # read somewhere between: nothing is sure
        (NOON - 30 * SECOND, 30),
        (NOON + 30 * SECOND, -28),
    ],
)
async def test_clocks_are_compared_by_what_is_sure(theirs: datetime, ahead: int) -> None:
    assert apart(theirs, NOON, NOON + 2 * SECOND) == ahead * SECOND


async def test_a_worker_whose_clock_is_wrong_is_told(temporal_address: str, sqlite_url: str) -> None:
    plan = Plan(sqlite_url, lambda: Client.connect(temporal_address, "default", task_queue="q", lazy=True))
    async with asking(plan) as portal:
        store = Store(sqlite_url)
        wrong = this_worker(["email"], "q").model_copy(update={"ahead_seconds": -42.0, "host": "vm-7 process 1"})
        write_heartbeat(store, wrong)
        store.close()
        assert "42 seconds behind" in (await findings(portal, "problem"))["vm-7 process 1"]
