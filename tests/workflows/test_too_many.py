"""More requests for one person within an hour than allowed: refused however they are made, and nobody is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from countersign.errors import TooMany
from countersign.models import Status
from countersign.permissions import Principal
from engine.credentials.tokens import TokenActions
from portal.__main__ import plan
from portal.app import create_app
from portal.server import Server
from store.tokens import Owner
from tests.portal.context import Portal, serving
from tests.workflows.deployment import Deployment, new_namespace

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def deployment(temporal_address: str, sqlite_url: str) -> AsyncIterator[Deployment]:
    namespace = await new_namespace(temporal_address)
    async with Deployment(temporal_address, namespace, sqlite_url, requests_an_hour=2, portal_port=0) as deployment:
        yield deployment


async def test_more_requests_than_may_be_are_refused_with_when_to_try_again(deployment: Deployment) -> None:
    first = await deployment.ask("alice")
    await deployment.engine.cancel(first.id, Principal("alice"), "page")
    second = await deployment.ask("alice")
    with pytest.raises(TooMany) as raised:
        await deployment.client.ask(deployment.question("alice"))
    assert raised.value.fields["limit"] == 2
    assert (await deployment.ask_for(second.question)).asked.status is Status.WAITING
    assert (await deployment.ask("bob")).status is Status.WAITING


async def test_over_http_that_is_429_with_retry_after(deployment: Deployment) -> None:
    token = TokenActions(deployment.store).create(Owner(kind="person", name="alice"), "tests")
    async with serving(Server(create_app(plan(deployment.settings)), "127.0.0.1", 0)) as url:
        portal = Portal(url, {"alice": token})
        asked = [deployment.question("alice").model_dump(mode="json", exclude={"requester"}) for _ in range(3)]
        replies = [await portal.post("alice", "/requests", body, f"key-{n}") for n, body in enumerate(asked)]
        assert [one.status_code for one in replies] == [201, 201, 429]
        assert replies[2].json()["type"] == "/api/v1/problems/too-many-requests"
        assert 3500 < int(replies[2].headers["Retry-After"]) <= 3600
        await portal.aclose()
