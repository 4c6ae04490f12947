"""Operators reset, signal and delete workflows by Temporal's own means: what is on record stays so."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest, ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from countersign.client import grant_workflow
from countersign.errors import Refused
from countersign.models import GrantStatus, Status
from countersign.permissions import Principal
from countersign.transitions import WORKFLOW_LOST, Opening
from tests.workflows.deployment import POLL_SECONDS, WAIT_SECONDS, Deployment, Request, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


def workflow_of(request: Request) -> WorkflowHandle[object, object]:
    return request.deployment.client.temporal.get_workflow_handle(request.question.workflow_id)


async def grant_of(request: Request) -> WorkflowHandle[object, object]:
    view = request.deployment.store.reading.request(request.id)
    return request.deployment.client.temporal.get_workflow_handle(grant_workflow(request.id, view.token_run))


async def reset(client: Client, workflow: WorkflowHandle[object, object]) -> None:
    """Reset a workflow to its beginning."""
    history = await workflow.fetch_history()
    completed = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    first = next(one.event_id for one in history.events if one.event_type == completed)
    wanted = ResetWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=workflow.id, run_id=(await workflow.describe()).run_id),
        reason="a test",
        workflow_task_finish_event_id=first,
        request_id=uuid.uuid4().hex,
    )
    await client.workflow_service.reset_workflow_execution(wanted)


async def delete(client: Client, workflow: WorkflowHandle[object, object]) -> None:
    """Delete a workflow, with all that Temporal knows about it."""
    execution = WorkflowExecution(workflow_id=workflow.id)
    wanted = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
    await client.workflow_service.delete_workflow_execution(wanted)
    async with asyncio.timeout(WAIT_SECONDS):
        while await is_known(workflow):  # noqa: ASYNC110 - the server tells nobody of it
            await asyncio.sleep(POLL_SECONDS)


async def is_known(workflow: WorkflowHandle[object, object]) -> bool:
    try:
        await workflow.describe()
    except RPCError as error:
        return error.status is not RPCStatusCode.NOT_FOUND
    return True


async def test_a_request_that_is_reset_keeps_its_number_and_asks_nobody_again(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await request.until_mailed(grace=["asked"])
    await reset(deployment.client.temporal, workflow_of(request))
    await deployment.engine.settle_lost()
    again = await deployment.ask_for(request.question)
    assert (again.id, again.asked.joined, request.status) == (request.id, True, Status.WAITING)
    assert (await request.says("grace")).status is Status.APPROVED
    await request.until_mailed(grace=["asked", "settled"])
    assert request.lines("opened", "level_started", "answered", "approved") == [
        "opened alice",
        "level_started countersign",
        "answered grace",
        "approved grace",
    ]


async def test_what_counted_before_a_reset_counts_once(deployment: Deployment) -> None:
    request = await deployment.ask("alice", "databases")
    assert (await request.says("grace")).accepted
    await until(lambda: request.asked_people(2))
    await reset(deployment.client.temporal, workflow_of(request))
    assert (await request.says("heidi", level=2)).accepted
    assert (await request.says("ivan", level=2)).status is Status.APPROVED
    assert request.decided() == ["grace approve 1", "heidi approve 2", "ivan approve 2"]
    assert request.lines("answered") == ["answered grace", "answered heidi", "answered ivan"]


async def test_what_is_settled_stays_so_when_it_is_reset(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await request.says("grace")
    before = await request.outcome()
    record = request.lines()
    await reset(deployment.client.temporal, workflow_of(request))
    after = await request.outcome()
    assert (after.approval_id, after.status, after.grant) == (before.approval_id, before.status, before.grant)
    assert request.lines() == record


async def test_a_request_that_is_reset_after_it_was_given_up_stays_cancelled(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await workflow_of(request).terminate()
    await deployment.engine.settle_lost()
    await until(lambda: request.status is Status.CANCELLED)
    await reset(deployment.client.temporal, workflow_of(request))
    outcome = await request.outcome()
    assert (outcome.status, outcome.message, request.status) == (Status.CANCELLED, WORKFLOW_LOST, Status.CANCELLED)


async def test_a_revoked_grant_that_is_reset_stays_revoked(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await request.says("grace")
    await request.outcome()
    await deployment.engine.revoke(request.id, Principal("grace"), "page", "enough")
    workflow = await grant_of(request)
    await workflow.result()
    await reset(deployment.client.temporal, workflow)
    assert await workflow.result() == GrantStatus.REVOKED
    assert request.lines("grant_revoked", "grant_ended") == ["grant_revoked grace"]


async def test_signals_change_nothing(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    for signal in ("decide", "cancel", "anything"):
        await workflow_of(request).signal(signal, {"approval_id": request.id, "verdict": "approve"})
    assert request.status is Status.WAITING
    assert (await request.says("grace")).status is Status.APPROVED
    await request.outcome()
    await (await grant_of(request)).signal("revoke", {"approval_id": request.id})
    await deployment.engine.revoke(request.id, Principal("grace"), "page")
    assert request.lines("grant_revoked") == ["grant_revoked grace"]


async def test_a_request_whose_workflow_was_deleted_is_cancelled_and_can_be_asked_anew(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await delete(deployment.client.temporal, workflow_of(request))
    assert (await request.says("grace")).status is Status.CANCELLED
    newer = await deployment.ask_for(request.question)
    assert (newer.id != request.id, newer.status) == (True, Status.WAITING)


async def test_a_grant_whose_workflow_was_deleted_can_be_revoked(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    await request.says("grace")
    await request.outcome()
    await delete(deployment.client.temporal, await grant_of(request))
    await deployment.engine.revoke(request.id, Principal("grace"), "page")
    assert request.lines("grant_revoked") == ["grant_revoked grace"]


async def test_a_terminated_run_that_opens_late_leaves_the_newer_request_alone(deployment: Deployment) -> None:
    request = await deployment.ask("alice")
    question = request.question
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    late = Opening(question=question, workflow_id=question.workflow_id, run_id="an earlier run", started_at=long_ago)
    with pytest.raises(Refused, match=f"#{request.id} has been opened since for the same question"):
        deployment.transactions.opener.open(late)
    assert request.status is Status.WAITING
    assert (await request.says("grace")).status is Status.APPROVED
