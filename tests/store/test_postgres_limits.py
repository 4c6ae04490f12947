"""A process that stops in mid-transaction stops no other: reads go on, and writes soon say that they can't."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from countersign.client import Client
from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from portal.app import create_app
from portal.context import Plan
from portal.server import Server
from sandbox.postgres import Cluster
from store import Store, postgres
from store.database import POSTGRES_THREADS, Database
from store.database_errors import DatabaseUnavailable
from store.tokens import Owner
from tests.portal.context import Portal, serving
from tests.proxy import Proxy
from tests.store.requests import opened
from tests.workflows.people import policy

# A writer that takes the feed's lock, as every writer does, and stops like a machine that is suspended.
FROZEN = """
import os, signal, sys
from sqlalchemy import text
from store.database import Database
with Database(sys.argv[1]).transaction() as connection:
    connection.execute(text("UPDATE feed SET version = version"))
    print("holds the lock", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""


@contextmanager
def frozen_writer(url: str) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", FROZEN, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "holds the lock\n"
        try:
            yield
        finally:
            os.kill(process.pid, signal.SIGKILL)


@pytest.fixture
def filled(postgres_url: str) -> Iterator[Store]:
    store = Store(postgres_url)
    apply_policy(store, policy(), "ada")
    opened(store)
    yield store
    store.close()


async def until(happens: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(happens):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def writes(store: Store) -> bool:
    try:
        opened(store, device="web-2")
    except DatabaseUnavailable:
        return False
    return True


async def test_reads_and_health_answer_and_writes_say_so_until_the_server_ends_the_stopped_transaction(
    filled: Store, postgres_url: str
) -> None:
    token = TokenActions(filled).create(Owner(kind="person", name="ada", is_admin=True), "tests")
    plan = Plan(postgres_url, lambda: Client.connect("127.0.0.1:1", lazy=True))
    async with serving(Server(create_app(plan), "127.0.0.1", 0)) as url:
        portal = Portal(url)
        portal.tokens["ada"] = token
        # Each writer has a token of its own, as one token may have only few such calls under way.
        writers = [f"writer {n}" for n in range(POSTGRES_THREADS[0])]
        for one in writers:
            portal.tokens[one] = TokenActions(filled).create(Owner(kind="person", name="ada", is_admin=True), "tests")
        with frozen_writer(postgres_url):
            writing = [
                asyncio.create_task(portal.client(one).post("/policy", content=policy(), timeout=60)) for one in writers
            ]
            started = time.monotonic()
            for _ in range(20):
                assert (await portal.get("ada", "/requests")).status_code == 200
            assert time.monotonic() - started < postgres.LOCK_SECONDS
            health = (await portal.get("nobody", "/health")).json()
            assert (health["database"], health["writable"]) == (True, False)
            assert {(await reply).status_code for reply in writing} == {503}
            await until(lambda: writes(filled), 3 * postgres.IDLE_IN_TRANSACTION_SECONDS)
        await portal.aclose()


def test_the_limits_hold_on_every_connection_but_not_while_tables_are_made(postgres_url: str) -> None:
    database = Database(postgres_url)
    for name, seconds in postgres.LIMITS.items():
        with database.reading() as connection:
            assert connection.execute(text(f"SHOW {name}")).scalar_one() == f"{seconds}s"
        with postgres.patient(database.url).connect() as connection:
            assert connection.execute(text(f"SHOW {name}")).scalar_one() == "0"
    database.close()


def test_no_statement_waits_for_the_network_or_for_more_processes(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.reading() as connection:
        for name, value in postgres.HOW.items():
            assert connection.execute(text(f"SHOW {name}")).scalar_one().split(",")[0] == value
        driver: Any = connection.connection.driver_connection
        assert driver._usock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert driver._usock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    database.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_moments_are_read_whatever_way_the_server_would_write_them(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.transaction() as connection:
        connection.execute(text(f"ALTER DATABASE \"{database.url.database}\" SET datestyle = 'German'"))
    database.close()
    store = Store(postgres_url)
    apply_policy(store, policy(), "ada")
    request = opened(store)
    assert store.reading.request(request.approval_id).opened_at == request.opened_at
    store.close()


def test_a_server_that_falls_silent_is_given_up(postgres: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a firewall that forgot the connection: nothing comes back, not even an error."""
    monkeypatch.setattr("store.postgres.READ_SECONDS", 0.5)
    with postgres.database() as url:
        server = Database(url)
        address = server.url
        assert address.host
        assert address.port
        with Proxy((address.host, address.port)) as proxy:
            there = address.set(host=proxy.host, port=proxy.port).render_as_string(hide_password=False)
            database = Database(there)
            with database.reading() as connection:
                connection.execute(text("SELECT 1"))
            with pytest.raises(DatabaseUnavailable) as caught, database.reading() as connection:
                connection.execute(text("SELECT pg_sleep(3)"))
            assert caught.value.why.endswith("it does not answer in time")
            with database.reading() as connection:  # on another connection: nobody gets the late answer
                assert connection.execute(text("SELECT 7")).scalar_one() == 7
            database.close()
        server.close()
    # The driver leaves the sockets of broken connections to the garbage collector, which warns of each.
    gc.collect()
