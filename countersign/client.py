"""Countersign over Temporal: ask, wait, decide a stored answer, cancel, revoke.

    client = await Client.connect("localhost:7233")
    question = Question(requester="alice", device="db-1", protocol="ssh", reason="backup")
    asked = await client.ask(question, asked_by="alice")
    outcome = await client.wait(question)

Whoever can do this is an admin of Countersign: the Temporal namespace is closed to all but the worker, the portal and
trusted starters.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import (
    Client as TemporalClient,
)
from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from countersign.error_codes import ErrorCode
from countersign.errors import NotFound, Refused, Unavailable, refused_with
from countersign.models import STARTED_IN_TEMPORAL, Answer, Asked, Judgement, Outcome, Question, QuestionBy
from countersign.steps import Cancel, GrantTerms, Revoke

TASK_QUEUE = "countersign"
# How long one update may take; without a worker it waits this long, and is then told to try again.
UPDATE_SECONDS = timedelta(seconds=20)
# A killed worker is felt for at most this long by a workflow that it was busy with (Temporal's own default is 10 s).
TASK_SECONDS = timedelta(seconds=5)
# How long a health check may take.
HEALTH_SECONDS = timedelta(seconds=2)
# A question that meets the end of the request before it is put again, as a new one.
ASK_TRIES = 5
# How long a program that starts beside its Temporal server waits for it, and how often it tries.
START_PATIENCE = timedelta(seconds=60)
START_PAUSE_SECONDS = 0.5

R = TypeVar("R")


class Client:
    """What a program needs to ask; all methods may raise Unavailable (no server, or no worker, within the timeout)."""

    def __init__(self, temporal: TemporalClient, task_queue: str = TASK_QUEUE) -> None:
        self.temporal = temporal
        self.task_queue = task_queue

    @classmethod
    async def connect(
        cls, address: str, namespace: str = "default", task_queue: str = TASK_QUEUE, **options: Any
    ) -> Client:
        """Connect to a Temporal server; `options` go to temporalio's own `Client.connect` (tls, api_key...)."""
        try:
            temporal = await TemporalClient.connect(
                address, namespace=namespace, data_converter=pydantic_data_converter, **options
            )
        except RuntimeError as error:
            raise Unavailable(f"Temporal can't be reached at {address}; is it running?") from error
        return cls(temporal, task_queue)

    @classmethod
    async def connect_when_up(cls, address: str, patience: timedelta = START_PATIENCE, **options: Any) -> Client:
        """Connect, waiting for a server that is still starting; Unavailable when `patience` is over."""
        over = time.monotonic() + patience.total_seconds()
        while True:
            try:
                return await cls.connect(address, **options)
            except Unavailable:
                if time.monotonic() > over:
                    raise
                await asyncio.sleep(START_PAUSE_SECONDS)

    async def ask(self, question: Question, request_id: str = "", asked_by: str = "") -> Asked:
        """Open the request for this question, or join the one that is open.

        The same `request_id` asks only once. `asked_by`: who asks, for the record and all who are told; the requester,
        or who asks for them. Raises Refused, in words, where the rules refuse the question.
        """
        fields = question.model_dump() | {"asked_by": asked_by or STARTED_IN_TEMPORAL}
        question_by = QuestionBy.model_validate(fields)
        for _ in range(ASK_TRIES):
            try:
                return await self._ask(question_by, request_id or uuid.uuid4().hex)
            except NotFound:
                continue  # it ended while we asked; the next try opens a new one
        raise Unavailable("The request ended while it was asked; ask again.")

    async def _ask(self, question: QuestionBy, update_id: str) -> Asked:
        start: WithStartWorkflowOperation[Any, Outcome] = WithStartWorkflowOperation(
            "ConnectionApproval",
            question.model_dump(mode="json"),
            id=question.workflow_id,
            task_queue=self.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=TASK_SECONDS,
            result_type=Outcome,
        )
        update = self.temporal.execute_update_with_start_workflow(
            "ask",
            question,
            start_workflow_operation=start,
            id=update_id,
            result_type=Asked,
            rpc_timeout=UPDATE_SECONDS,
        )
        return await _in_our_words(update)

    async def wait(self, question: Question) -> Outcome:
        """Wait for the decision on the newest request for this question, however long it takes."""
        handle = self.temporal.get_workflow_handle(question.workflow_id, result_type=Outcome)
        try:
            return await _in_our_words(handle.result())
        except WorkflowFailureError as error:
            raise _refusal(error.cause) from None

    async def decide(self, workflow_id: str, answer: Answer) -> Judgement:
        """Have a stored answer judged. Raises Refused with the reason, NotFound when the request has ended."""
        return await self._update(workflow_id, "decide", answer, Judgement, answer.id)

    async def cancel(self, workflow_id: str, wish: Cancel) -> Judgement:
        """Withdraw a request that waits. Raises Refused, NotFound."""
        return await self._update(workflow_id, "cancel", wish, Judgement)

    async def revoke(self, wish: Revoke) -> None:
        """End a grant early. Raises Refused, NotFound."""
        await self._update(f"grant:{wish.approval_id}", "revoke", wish, None)

    async def reachable(self) -> bool:
        """Whether the server answers now, within seconds."""
        with suppress(RPCError, RuntimeError, TimeoutError):
            return await self.temporal.service_client.check_health(timeout=HEALTH_SECONDS)
        return False

    async def last_polled(self) -> datetime | None:
        """When a worker last asked our task queue for work; None where none did of late. A live one does each minute.

        https://docs.temporal.io/task-queue; the server forgets a worker some five minutes after its last poll.
        """
        kinds = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
        seen = await asyncio.gather(*(self._last_polled(kind) for kind in kinds))
        return min((at for at in seen if at), default=None) if all(seen) else None

    async def _last_polled(self, kind: TaskQueueType.ValueType) -> datetime | None:
        asked = DescribeTaskQueueRequest(
            namespace=self.temporal.namespace, task_queue=TaskQueue(name=self.task_queue), task_queue_type=kind
        )
        call = self.temporal.workflow_service.describe_task_queue(asked, timeout=HEALTH_SECONDS)
        pollers = (await _in_our_words(call)).pollers
        return max((each.last_access_time.ToDatetime(UTC) for each in pollers), default=None)

    async def start_grant(self, terms: GrantTerms) -> None:
        """Start the workflow of a grant, unless it was started before."""
        start = self.temporal.start_workflow(
            "Grant",
            terms,
            id=f"grant:{terms.approval_id}",
            task_queue=self.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            task_timeout=TASK_SECONDS,
            start_delay=max(terms.ends_at - datetime.now(UTC), timedelta(0)),
        )
        with suppress(WorkflowAlreadyStartedError):
            await start

    async def look_again(self, workflow_id: str, approval_id: int) -> None:
        """Have an open request look again at who may act. Raises Refused, NotFound."""
        await self._update(workflow_id, "look_again", approval_id, None)

    async def _update(
        self, workflow_id: str, name: str, argument: Any, result: type[R] | None, update_id: str | None = None
    ) -> R:
        handle: WorkflowHandle[Any, Any] = self.temporal.get_workflow_handle(workflow_id)
        update = handle.execute_update(name, argument, id=update_id, result_type=result, rpc_timeout=UPDATE_SECONDS)
        return await _in_our_words(update)


async def _in_our_words(call: Awaitable[R]) -> R:
    """Await a call to Temporal; its errors become ours."""
    try:
        return await call
    except WorkflowUpdateFailedError as error:
        if isinstance(error.cause, ApplicationError) and error.cause.type == "AcceptedUpdateCompletedWorkflow":
            raise NotFound("The request has ended.") from None
        raise _refusal(error.cause) from None
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from None  # the library says the same of both
        words = "No worker answered in time; try again, and see that one is running."
        raise Unavailable(words, ErrorCode.NO_WORKER) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotFound("There is no such open request.") from None
        raise Unavailable(f"Temporal did not answer: {error.status.name.lower()}; try again.") from error
    except RuntimeError as error:  # of a client that was made lazily, and can't connect now
        raise Unavailable("Temporal can't be reached; try again, and see that it is running.") from error


def _refusal(cause: BaseException | None) -> Refused:
    if isinstance(cause, ApplicationError):
        return refused_with(cause.message, next(iter(cause.details), None))
    return Refused(str(cause))
