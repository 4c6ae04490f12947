"""The background work goes on wherever a worker is, however many came and went before."""

from __future__ import annotations

import asyncio

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

from activities.background import BackgroundActivities
from tests.workflows.deployment import WAIT_SECONDS, new_namespace
from tests.workflows.sandboxed import sandboxed
from workflows.background import BackgroundWork

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUEUE = "standing"
WORKERS = 4


async def one_worker(client: TemporalClient) -> tuple[WorkflowHandle[BackgroundWork, None], int]:
    """A worker's life: the attempt under which its sweeper ran."""
    began: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    class Noting(BackgroundActivities):
        @activity.defn(name="sweep")
        async def sweep(self) -> None:
            began.set_result(activity.info().attempt)
            await super().sweep()

    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[BackgroundWork],
        activities=[Noting(None, []).sweep],
        workflow_runner=sandboxed(),
    )
    async with worker:
        handle = await client.start_workflow(
            BackgroundWork.run,
            "sweep",
            id="standing:sweep",
            task_queue=QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        attempt = await asyncio.wait_for(began, WAIT_SECONDS)
    return handle, attempt


async def test_a_restart_does_not_wait_longer_the_more_workers_there_were(temporal_address: str) -> None:
    client = await TemporalClient.connect(temporal_address, namespace=await new_namespace(temporal_address))
    for _ in range(WORKERS):
        handle, attempt = await one_worker(client)
        assert attempt == 1
    events = [event async for event in handle.fetch_history_events()]
    scheduled = [one for one in events if one.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
    policy = scheduled[-1].activity_task_scheduled_event_attributes.retry_policy
    assert (policy.backoff_coefficient, policy.initial_interval.ToTimedelta().total_seconds()) == (1.0, 1.0)
    await handle.terminate()
