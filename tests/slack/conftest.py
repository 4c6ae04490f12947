from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from countersign import rates
from sandbox.slack.tool import NoSlack
from tests.slack.context import Context, slack_deployment, slack_policy
from tests.slack.forge.aim import Genuine, genuine_ones


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["socket", "http"])
async def shared_context(
    request: pytest.FixtureRequest, temporal_address: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Context]:
    """All of Countersign with Slack, once for each way in which Slack may reach it."""
    try:
        async with slack_deployment(temporal_address, tmp_path_factory.mktemp("slack"), request.param) as context:
            yield context
    except NoSlack as error:
        pytest.skip(str(error))


@pytest_asyncio.fixture(loop_scope="session")
async def context(shared_context: Context, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Context]:
    """The same under the plain policy, with nothing failing; everything that can't be read is answered each time."""
    await shared_context.until_connected()
    monkeypatch.setattr(rates, "HOUR_SECONDS", 0.0)
    shared_context.deployment.apply(slack_policy())
    yield shared_context
    shared_context.slack.faults.clear()
    shared_context.slack.state.modals.clear()
    shared_context.deployment.mail.faults.refused.clear()
    shared_context.deployment.mail.forget_mail_of_people()
    shared_context.count_anew()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def genuine(shared_context: Context) -> AsyncIterator[Genuine]:
    """What Slack itself sent under the plain policy, for forgers to start from; it is made before `context`."""
    shared_context.deployment.apply(slack_policy())
    await shared_context.until_connected()
    yield await genuine_ones(shared_context)
