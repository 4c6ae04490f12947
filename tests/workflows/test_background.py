"""The background work goes on wherever a worker runs, however many came and went before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker

from activities.background import background
from tests.workflows.deployment import WAIT_SECONDS, new_namespace
from tests.workflows.sandboxed import sandboxed
from workflows.background import BackgroundWork

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUEUE = "background"
WORKERS = 4


async def one_worker(client: TemporalClient) -> WorkflowHandle[BackgroundWork, None]:
    """Run a worker until its sweeper has begun."""
    began = asyncio.Event()

    async def sweep(beat: Callable[[], None]) -> None:
        beat()
        began.set()
        await asyncio.Event().wait()

    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[BackgroundWork],
        activities=[background("sweep", sweep)],
        workflow_runner=sandboxed(),
        graceful_shutdown_timeout=timedelta(seconds=WAIT_SECONDS),
    )
    async with worker:
        handle = await client.start_workflow(
            BackgroundWork.run,
            "sweep",
            id="standing:sweep",
            task_queue=QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        await asyncio.wait_for(began.wait(), WAIT_SECONDS)
    return handle


async def test_a_restart_does_not_wait_longer_the_more_workers_there_were(temporal_address: str) -> None:
    client = await TemporalClient.connect(temporal_address, namespace=await new_namespace(temporal_address))
    for _ in range(WORKERS):
        handle = await one_worker(client)
    events = [event async for event in handle.fetch_history_events()]
    begun = [one for one in events if one.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED]
    failures = [one.activity_task_started_event_attributes.last_failure for one in begun]
    assert begun  # an activity that ends by an error begins again and again, without an event
    # If the machine stood still, Temporal took its worker for dead; that isn't a failure of the work.
    assert not [one for one in failures if one.message and not one.HasField("timeout_failure_info")]
    scheduled = [one for one in events if one.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
    policy = scheduled[-1].activity_task_scheduled_event_attributes.retry_policy
    assert (policy.backoff_coefficient, policy.initial_interval.ToTimedelta().total_seconds()) == (1.0, 1.0)
    await handle.terminate()
