"""An installation for the portal's tests: the real server, worker, mail server and database, and the API over HTTP."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import worker
from engine.credentials.tokens import TokenActions
from engine.heartbeat import living_workers
from engine.policy import apply_policy
from portal.__main__ import plan
from portal.app import create_app
from portal.server import Server
from sandbox.mail_server import MailServer
from settings import Settings
from store import Store
from store.tokens import Owner
from tests.databases import new_sqlite
from tests.portal.context import MARK, POLICY, Portal, serving, until
from tests.workflows.sandboxed import sandboxed


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def settings(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    """The settings of an installation whose mail server runs."""
    database = tmp_path_factory.mktemp("portal") / "countersign.db"
    async with MailServer() as server:
        yield Settings(
            TEMPORAL_ADDRESS=temporal_address,
            database_url=new_sqlite(database),
            task_queue=f"portal-{MARK}",
            portal_port=0,
            public_url="https://access.example.test",
            rdp_gate="rdp.example.test:3390",
            requests_an_hour=0,
            refusals_an_hour=0,
            mail_keys=f"a1:{MARK * 4}",
            mail_sender="approvals@example.test",
            smtp_host=server.host,
            smtp_port=server.smtp_port,
            smtp_security="none",
            smtp_username="countersign",
            smtp_password=server.password,
        )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def portal(settings: Settings) -> AsyncIterator[Portal]:
    """The portal, with a worker behind it."""
    store = Store(settings.database_url)
    _number_from(store, random.randrange(10**6, 10**9))
    apply_policy(store, POLICY, "ada")
    stop = asyncio.Event()
    work = asyncio.create_task(worker.run(settings, stop, runner=sandboxed()))
    async with serving(Server(create_app(plan(settings)), settings.portal_host, settings.portal_port)) as url:
        here = Portal(url)
        here.store = store
        _hand_out(here)
        await until(lambda: work.done() or bool(living_workers(store, settings.task_queue)))
        yield here
        await here.aclose()
    stop.set()
    await work
    store.close()


def _number_from(store: Store, first: int) -> None:
    with store.database.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE sqlite_sequence SET seq = {first} WHERE name = 'requests'")


def _hand_out(portal: Portal) -> None:
    for person in ("ada", "grace", "heidi", "alice", "bob", "carol", "dora"):
        portal.tokens[person] = TokenActions(portal.store).create(Owner(kind="person", name=person), "tests")
    portal.tokens["root"] = TokenActions(portal.store).create(
        Owner(kind="person", name="grace", is_admin=True), "tests"
    )
    bastion = Owner(kind="gateway", name="bastion", target_groups=["web", "short"], variants=["ssh", "sftp"])
    portal.tokens["bastion"] = TokenActions(portal.store).create(bastion, "tests")
    gate = Owner(kind="gateway", name="vpn-1", variants=["device"])
    portal.tokens["gate"] = TokenActions(portal.store).create(gate, "tests")
    # A gateway with the name of a person still isn't a person.
    portal.tokens["twin"] = TokenActions(portal.store).create(
        Owner(kind="gateway", name="alice", target_groups=["web"], variants=["ssh"]), "tests"
    )
