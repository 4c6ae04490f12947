"""A channel that is not set up reaches nobody, and others are used; if only one worker lacks it, another sends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from countersign.models import Status
from engine.heartbeat import this_worker, write_heartbeat
from tests.store.requests import unsent
from tests.workflows.deployment import Deployment, new_namespace, until
from tests.workflows.people import policy, put_in_force

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def mute(temporal_address: str, sqlite_url: str) -> AsyncIterator[Deployment]:
    """An engine whose worker has no channel to send by; it is not started yet."""
    namespace = await new_namespace(temporal_address)
    async with Deployment(temporal_address, namespace, sqlite_url, awake=False) as deployment:
        deployment.settings = deployment.settings.model_copy(update={"smtp_host": ""})
        yield deployment


async def test_a_channel_that_is_not_set_up_is_made_good_by_the_others(deployment: Deployment) -> None:
    deployment.apply(policy(channels={"slack": "decide"}))
    request = await deployment.ask("alice", "vaults")
    await request.until_mailed(grace=["asked"], ivan=["asked"])
    assert "left_out grace" not in request.lines()
    assert sorted(request.lines("unreachable")) == ["unreachable grace", "unreachable ivan"]
    assert (await request.says("grace", channel="page")).status is Status.APPROVED
    await request.until_mailed(alice=["settled"], grace=["asked", "settled"], ivan=["asked", "settled"])


async def test_what_an_older_policy_misspelt_is_made_good_too(deployment: Deployment) -> None:
    put_in_force(deployment.store, policy(channels={"emial": "decide"}, rooms={"email": "C0123"}))
    request = await deployment.ask("alice", "vaults")
    await request.until_mailed(grace=["asked"], ivan=["asked"])
    assert {one.person: one.told for one in deployment.store.reading.request(request.id).approvers} == {
        "grace": True,
        "ivan": True,
    }
    assert (await request.says("ivan", channel="page")).status is Status.APPROVED
    await request.until_mailed(alice=["settled"], grace=["asked", "settled"], ivan=["asked", "settled"])


async def test_a_room_of_a_channel_that_has_none_is_made_good(deployment: Deployment) -> None:
    put_in_force(deployment.store, policy(channels={"email": "decide"}, rooms={"email": "C0123"}))
    request = await deployment.ask("alice", "vaults")
    await request.until_mailed(grace=["asked"], ivan=["asked"])


async def test_where_nobody_can_be_told_fallback_approvers_are_called_and_the_request_ends(mute: Deployment) -> None:
    mute.start_worker()
    request = await mute.ask("alice", "vaults")
    outcome = await request.outcome()
    assert outcome.status is Status.REJECTED
    assert "There is nobody to ask" in outcome.message
    assert "No message could reach Ivan I., Grace G., Ada A., Judy J.:" in outcome.message
    assert outcome.message.endswith("countersign doctor which channels work.")
    assert [line for line in request.lines() if line.startswith("fallback")] == ["fallback ada", "fallback judy"]


async def test_a_worker_leaves_to_others_what_it_lacks_and_says_so(
    mute: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    write_heartbeat(mute.store, this_worker(["email"]))
    mute.start_worker()
    request = await mute.ask("alice", "vaults")
    assert request.asked.status is Status.WAITING
    await until(lambda: "email, which is left to the workers that have it" in caplog.text)
    assert request.lines("unreachable", "noticed") == []
    assert not any(one.told for one in mute.store.reading.request(request.id).approvers)
    assert {row.state for row in unsent(mute.store, request.id, 1)} == {"waiting"}
