from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.databases import new_sqlite
from tests.workflows.deployment import Deployment, new_namespace
from tests.workflows.people import policy


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_engine(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Deployment]:
    """One engine for all tests that do not stop its worker."""
    database = tmp_path_factory.mktemp("engine") / "countersign.db"
    async with Deployment(temporal_address, await new_namespace(temporal_address), new_sqlite(database)) as deployment:
        yield deployment


@pytest.fixture
def deployment(shared_engine: Deployment) -> Iterator[Deployment]:
    """The shared engine under the plain policy, with a mail server without faults or mail from the test before."""
    yield shared_engine
    shared_engine.mail.forget_mail_of_people()
    shared_engine.mail.faults.refused.clear()
    shared_engine.mail.faults.deferred.clear()
    shared_engine.apply(policy())


@pytest_asyncio.fixture(loop_scope="session")
async def asleep(temporal_address: str, sqlite_url: str) -> AsyncIterator[Deployment]:
    """An engine for one test, without a worker until the test starts it."""
    namespace = await new_namespace(temporal_address)
    async with Deployment(temporal_address, namespace, sqlite_url, awake=False) as deployment:
        yield deployment


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_quick_engine(
    temporal_address: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """One engine for the tests whose requests expire, and whose grants end, within seconds."""
    url = new_sqlite(tmp_path_factory.mktemp("quick") / "countersign.db")
    async with Deployment(temporal_address, await new_namespace(temporal_address), url) as deployment:
        yield deployment


@pytest_asyncio.fixture(loop_scope="session")
async def quick(shared_quick_engine: Deployment) -> AsyncIterator[Deployment]:
    """The engine under a policy by which a request expires after five seconds, and a grant ends after four."""
    shared_quick_engine.apply(policy(approval_status_change_to_expire="5s", grant_minutes="4s"))
    shared_quick_engine.store.inboxes.keep_only([])
    shared_quick_engine.mail.forget_mail_of_people()
    shared_quick_engine.start_worker()
    yield shared_quick_engine
