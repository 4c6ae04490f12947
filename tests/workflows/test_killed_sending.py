"""The worker is killed while it sends mails: each comes, and hardly one comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.workflows.deployment import Deployment, Request, insist, new_namespace, until
from tests.workflows.people import policy
from tests.workflows.test_killed import WorkerProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

PEOPLE = [f"person-{n}" for n in range(24)]
# One, and a few more if the machine is so busy that the next mail begins before the previous one is recorded.
MOST_COPIES = 3


@pytest_asyncio.fixture(loop_scope="session")
async def crowd(temporal_address: str, sqlite_url: str) -> AsyncIterator[Deployment]:
    """An engine without a worker, where 24 people are asked about a router."""
    namespace = await new_namespace(temporal_address)
    async with Deployment(temporal_address, namespace, sqlite_url, awake=False) as deployment:
        users = {one: {"name": one.title(), "email": f"{one}@example.test"} for one in PEOPLE}
        group = {"routers": {"managers": PEOPLE, "require_managerial_approval": True}}
        deployment.apply(policy(users=users, device_groups=group))
        yield deployment


@pytest.mark.whole
@pytest.mark.parametrize("delivered", [8, 16])
async def test_a_kill_while_mails_are_sent_loses_none_and_repeats_few(
    crowd: Deployment, tmp_path: Path, delivered: int
) -> None:
    process = WorkerProcess(crowd, tmp_path / "worker.log")
    await process.start()
    try:
        question = crowd.question("carol", "routers")
        asking = asyncio.create_task(insist(lambda: crowd.client.ask(question, "ask")))
        await until(lambda: crowd.mail.delivered >= delivered)
        await process.kill()
        await process.start()
        request = Request(crowd, question, await asking)
        told = [*PEOPLE, "carol"]
        await until(lambda: len(request.lines("noticed")) == len(told))
        copies = crowd.mail.delivered - len(told)
        assert 0 <= copies <= MOST_COPIES
        inboxes = [await asyncio.to_thread(crowd.person(one).inbox) for one in PEOPLE]
        assert {len(inbox) for inbox in inboxes} <= {1, 2}
    finally:
        await process.kill()
