"""What people who may write to Temporal's namespace do directly: nothing waits for ever, and everybody is notified."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowHandle

from countersign.models import GrantStatus, Status
from countersign.permissions import Principal
from countersign.transitions import WORKFLOW_LOST
from store.grants import overdue
from tests.workflows.deployment import Deployment, Request, refused, until
from workflows.change import CANCELLED_IN_TEMPORAL

pytestmark = pytest.mark.asyncio(loop_scope="session")


def workflow_of(request: Request) -> WorkflowHandle[object, object]:
    return request.deployment.client.temporal.get_workflow_handle(request.question.workflow_id)


async def granted(deployment: Deployment) -> tuple[Request, WorkflowHandle[object, object]]:
    request = await deployment.ask("alice")
    await request.says("grace")
    await request.outcome()
    open_grants = deployment.client.temporal.list_workflows('WorkflowType = "Grant" AND ExecutionStatus = "Running"')
    ids: list[str] = []

    async def listed() -> bool:
        ids[:] = [one.id async for one in open_grants if f":{request.id}" in one.id]
        return bool(ids)

    while not await listed():
        open_grants = deployment.client.temporal.list_workflows(
            'WorkflowType = "Grant" AND ExecutionStatus = "Running"'
        )
        await asyncio.sleep(0.1)
    return request, deployment.client.temporal.get_workflow_handle(ids[0])


async def test_a_request_that_is_cancelled_in_temporal_is_withdrawn(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    await workflow_of(request).cancel()
    outcome = await request.outcome()
    assert (outcome.status, outcome.message) == (Status.CANCELLED, CANCELLED_IN_TEMPORAL)
    assert request.lines() == [request.lines("opened")[0], "level_started countersign", "cancelled temporal"]
    await until(lambda: request.status is Status.CANCELLED)
    await until(lambda: {"noticed alice", "noticed grace"} <= set(request.lines("noticed")))
    assert not (await request.says("grace")).accepted
    newer = await deployment.ask_for(request.question)
    assert (newer.id != request.id, newer.status) == (True, Status.WAITING)


async def test_a_grant_that_is_cancelled_in_temporal_is_revoked(deployment: Deployment) -> None:
    request, workflow = await granted(deployment)
    await workflow.cancel()
    await until(lambda: request.lines("grant_revoked") == ["grant_revoked temporal"])
    grant = deployment.store.reading.request(request.id).grant
    assert grant is not None
    assert (grant.status, grant.message) == (GrantStatus.REVOKED, CANCELLED_IN_TEMPORAL)


async def test_a_request_whose_workflow_was_terminated_is_settled_by_the_sweeper(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await workflow_of(request).terminate()
    await deployment.engine.settle_lost()
    await until(lambda: request.status is Status.CANCELLED)
    view = deployment.store.reading.request(request.id)
    assert view.message == WORKFLOW_LOST
    await request.until_mailed(grace=["asked", "settled"])


async def test_an_answer_that_meets_no_workflow_settles_its_request(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await workflow_of(request).terminate()
    judged = await request.says("grace")
    assert (judged.accepted, judged.status) == (False, Status.CANCELLED)
    assert judged.message == f"#{request.id} is already Cancelled: {WORKFLOW_LOST}"


@pytest.mark.parametrize("by", ["answer", "cancel"])
async def test_the_sweeper_may_settle_it_in_the_same_moment(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    request = await deployment.ask("alice")
    await workflow_of(request).terminate()

    async def the_sweeper_was_first(*_: str) -> bool:
        monkeypatch.undo()
        while request.status is Status.WAITING:
            await deployment.engine.settle_lost()
        return True

    monkeypatch.setattr(deployment.engine._resources.client, "is_workflow_lost", the_sweeper_was_first)
    if by == "answer":
        judged = await request.says("grace")
        assert judged.message == f"#{request.id} is already Cancelled: {WORKFLOW_LOST}"
    else:
        judged = await deployment.engine.cancel(request.id, Principal("alice"), "page")
        assert (judged.accepted, judged.message) == (True, WORKFLOW_LOST)
    assert judged.status is Status.CANCELLED


async def test_no_second_request_opens_beside_one_whose_workflow_was_terminated(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await workflow_of(request).terminate()
    newer = await deployment.ask_for(request.question)
    assert (request.status, newer.status) == (Status.CANCELLED, Status.WAITING)
    assert not (await request.says("grace")).accepted
    assert (await newer.says("grace")).status is Status.APPROVED


async def test_what_runs_is_not_settled(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    for _ in range(3):
        await deployment.engine.settle_lost()
    assert (await request.says("grace")).status is Status.APPROVED


async def test_a_grant_whose_workflow_is_gone_can_be_revoked_and_ends_on_time(deployment: Deployment) -> None:
    request, workflow = await granted(deployment)
    await workflow.terminate()
    await deployment.engine.revoke(request.id, Principal("grace"), "page", "enough")
    grant = deployment.store.reading.request(request.id).grant
    assert grant is not None
    name = deployment.store.reading.person("grace").name
    assert (grant.status, grant.message) == (GrantStatus.REVOKED, f"Revoked by {name}: enough")
    over = f"The grant of #{request.id} is over already."
    assert await refused(deployment.engine.revoke(request.id, Principal("grace"), "page")) == over
    other, workflow = await granted(deployment)
    await workflow.terminate()
    assert other.id in overdue(deployment.store.database, datetime.now(UTC) + timedelta(days=1), 1000)
    assert other.id not in overdue(deployment.store.database, datetime.now(UTC), 1000)
