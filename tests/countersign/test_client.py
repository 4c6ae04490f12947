"""The Python client when something it needs is missing: it says so plainly, and in time."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.api.enums.v1 import WorkflowExecutionStatus

from countersign.client import OPEN_WITHOUT_WORKER, TASK_QUEUE, Client, is_over
from countersign.errors import CountersignError, Delayed, NotFound, Refused, Unavailable
from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.transitions import Cancel, Revoke
from sandbox.temporal_server import free_port
from tests.workflows.deployment import new_namespace

QUESTION = ConnectionQuestion(requester="alice", device="db-1", protocol=ConnectionProtocol.SSH)
CANCEL = Cancel(approval_id=1, who="alice", channel="")


@pytest.mark.parametrize("name", WorkflowExecutionStatus.keys())
def test_only_a_run_that_has_ended_is_over(name: str) -> None:
    still_there = ("UNSPECIFIED", "RUNNING", "PAUSED", "CONTINUED_AS_NEW")
    assert is_over(WorkflowExecutionStatus.Value(name)) is not name.endswith(still_there)


async def test_a_server_that_does_not_answer_is_named() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(
        Unavailable, match=f"Temporal can't be reached: nothing listens at {address}. Is Temporal running"
    ):
        await Client.connect(address)


async def test_a_client_made_before_its_server_runs_says_so_at_each_call() -> None:
    client = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
    assert not await client.reachable()
    for call in (client.ask(QUESTION), client.wait(QUESTION), client.cancel(QUESTION.workflow_id, CANCEL)):
        with pytest.raises(Unavailable, match="Temporal can't be reached"):
            await call


async def test_without_a_worker_every_call_says_so_in_time(temporal_address: str) -> None:
    client = await Client.connect(temporal_address, namespace=await new_namespace(temporal_address))
    assert await client.reachable()
    id_ = QUESTION.workflow_id
    await client.temporal.start_workflow("ConnectionApproval", QUESTION, id=id_, task_queue=TASK_QUEUE)
    calls = (client.ask(QUESTION), client.cancel(id_, CANCEL), client.recheck(id_, 1))
    asked, *others = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(asked, Delayed)
    assert str(asked) == "The request is open, but nobody is working on it; it goes on as soon as a worker is back."
    for error in others:
        assert isinstance(error, Unavailable)
        assert "Nobody is working on this now, so it is not done yet" in str(error)


async def test_many_who_ask_at_once_wait_for_one_another_as_temporal_takes_only_so_many(temporal_address: str) -> None:
    namespace = await new_namespace(temporal_address)
    client = await Client.connect(temporal_address, namespace=namespace)
    calls = await asyncio.gather(*(client.ask(QUESTION) for _ in range(12)), return_exceptions=True)
    assert {type(one) for one in calls} == {Delayed}
    # Calls from several programs are too many; one that the server aborts may still go through.
    other = QUESTION.model_copy(update={"device": "db-2"})
    clients = [await Client.connect(temporal_address, namespace=namespace) for _ in range(3)]
    calls = await asyncio.gather(*(one.ask(other) for one in clients for _ in range(5)), return_exceptions=True)
    busy = "The system is busy; try again in a moment."
    assert busy in {str(one) for one in calls} <= {busy, OPEN_WITHOUT_WORKER, "Temporal did not answer; try again."}


async def test_what_does_not_exist_is_not_found(temporal_address: str) -> None:
    client = await Client.connect(temporal_address, namespace=await new_namespace(temporal_address))
    revoke = Revoke(approval_id=7, who="ada", channel="")
    for call in (client.cancel(QUESTION.workflow_id, CANCEL), client.revoke(revoke), client.wait(QUESTION)):
        with pytest.raises(NotFound, match="There is no such open request"):
            await call


async def test_who_gives_up_a_call_is_not_told_that_no_worker_answered(temporal_address: str) -> None:
    client = await Client.connect(temporal_address, namespace=await new_namespace(temporal_address))
    asking = asyncio.create_task(client.ask(QUESTION))
    await asyncio.wait({asking}, timeout=0.2)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_request_that_failed_is_refused_with_its_words(temporal_address: str) -> None:
    client = await Client.connect(temporal_address, namespace=await new_namespace(temporal_address))
    handle = await client.temporal.start_workflow(
        "ConnectionApproval", QUESTION, id=QUESTION.workflow_id, task_queue=TASK_QUEUE
    )
    await handle.terminate("cleared away")
    with pytest.raises(Refused) as error:
        await client.wait(QUESTION)
    assert isinstance(error.value, CountersignError)
