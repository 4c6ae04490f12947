from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import delete

from countersign import rates
from sandbox.slack.tool import NoSlack
from store.tables import repeats
from tests.databases import new_sqlite
from tests.notifiers.slack.way_in import WayIn, way_in
from tests.workflows.deployment import Deployment, new_namespace


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def slack_deployment(
    temporal_address: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """One engine for all of Slack's tests."""
    url = new_sqlite(tmp_path_factory.mktemp("slack") / "countersign.db")
    async with Deployment(temporal_address, await new_namespace(temporal_address), url) as deployment:
        yield deployment


@pytest_asyncio.fixture(scope="package", loop_scope="session", params=["socket", "http"])
async def shared_way_in(slack_deployment: Deployment, request: pytest.FixtureRequest) -> AsyncIterator[WayIn]:
    """A Slack that reaches us by socket, then one that does by HTTP; without one, tests are skipped with the reason."""
    try:
        async with way_in(slack_deployment, request.param) as made:
            yield made
    except NoSlack as error:
        pytest.skip(str(error))


@pytest_asyncio.fixture(loop_scope="session")
async def way(shared_way_in: WayIn, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WayIn]:
    """The way in, with nothing failing and nothing refused yet, as repeated refusals share one row of the record.

    An hour takes no time, so whoever sends something unreadable is told so each time.
    """
    monkeypatch.setattr(rates, "HOUR_SECONDS", 0.0)
    await shared_way_in.forget()
    with shared_way_in.deployment.store.database.transaction() as connection:
        connection.execute(delete(repeats))
    yield shared_way_in
