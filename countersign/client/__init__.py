"""Countersign over Temporal: ask, wait, decide a stored answer, cancel, revoke.

    client = await Client.connect("localhost:7233")
    question = ConnectionQuestion(requester="alice", device="db-1", protocol="ssh", reason="backup")
    asked = await client.ask(question, asked_by="alice")
    outcome = await client.wait(question)

Whoever can do this is an admin of Countersign, so only the worker, the portal and trusted starters may have access to
the Temporal namespace.
"""

import asyncio
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeWorkflowExecutionRequest
from temporalio.client import Client as TemporalClient
from temporalio.client import WithStartWorkflowOperation, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from countersign.client.errors import refusal, with_our_errors
from countersign.client.library import DATA_CONVERTER
from countersign.client.turns import Turns
from countersign.error_codes import ErrorCode
from countersign.errors import BadSetting, CountersignError, Delayed, NotFound, Refused, Unavailable
from countersign.grant_reuse import must_be_for
from countersign.kinds import KINDS, kind_of
from countersign.models import STARTED_IN_TEMPORAL, Answer, Asked, Judgement, Outcome, Question
from countersign.question import QuestionBy
from countersign.transitions import Cancel, GrantTerms, Revoke
from countersign.unreachable import why_unreachable

TASK_QUEUE = "countersign"
# How long one update may take. Without a worker it waits this long, and then its caller is told to try again.
UPDATE_TIMEOUT = timedelta(seconds=20)
# How long a workflow may take to withdraw its request, or end its grant; then the engine does it in the database alone.
UNDO_TIMEOUT = timedelta(seconds=5)
# How long a killed worker delays a workflow that it was working on (Temporal's default is 10 s).
TASK_TIMEOUT = timedelta(seconds=5)
# How long a health check may take.
HEALTH_TIMEOUT = timedelta(seconds=2)
# How long the worker may take to tell the server's time.
CLOCK_TIMEOUT = timedelta(seconds=5)
# How long one page of a list of workflows may take.
VISIBILITY_TIMEOUT = timedelta(seconds=10)
# How a run may have ended.
OVER = (
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
)
BACKGROUND = "standing"  # what the ids of background workflows begin with
CLOCK_WORKFLOW = f"{BACKGROUND}:sweep"
CLOCK_UPDATE = "clock"
# How many times asking is tried, as the request that it joins may end at that very moment.
ASK_TRIES = 5
# How long a program that starts beside its Temporal server waits for it, and how often it tries.
START_PATIENCE = timedelta(seconds=60)
START_PAUSE_SECONDS = 0.5
OPEN_WITHOUT_WORKER = "The request is open, but nobody is working on it; it goes on as soon as a worker is back."


R = TypeVar("R")


class Client:
    """What a program needs to ask; methods may raise Unavailable (no server, or no worker, within the timeout)."""

    def __init__(self, temporal: TemporalClient, task_queue: str = TASK_QUEUE) -> None:
        self.temporal = temporal
        self.task_queue = task_queue
        self._turns = Turns()

    @classmethod
    async def connect(
        cls, address: str, namespace: str = "default", task_queue: str = TASK_QUEUE, **options: Any
    ) -> "Client":
        """Connect to a Temporal server; `options` go to temporalio's own `Client.connect` (tls, api_key...)."""
        try:
            temporal = await TemporalClient.connect(
                address, namespace=namespace, data_converter=DATA_CONVERTER, **options
            )
        except ValueError:
            raise BadSetting("TEMPORAL_ADDRESS must be HOST:PORT, such as 127.0.0.1:7233.") from None
        except RuntimeError as error:
            raise why_unreachable(str(error), address) from error
        return cls(temporal, task_queue)

    @classmethod
    async def connect_when_up(cls, address: str, patience: timedelta = START_PATIENCE, **options: Any) -> "Client":
        """Connect, waiting for a server that is still starting; Unavailable when `patience` is over.

        Raises BadSetting at once if the server answers, but doesn't know the namespace or refuses our login.
        """
        over = time.monotonic() + patience.total_seconds()
        client: Client | None = None
        while True:
            try:
                client = client or await cls.connect(address, **options)
                await client.check()
                return client
            except BadSetting:
                raise
            except Unavailable:
                if time.monotonic() > over:
                    raise
                await asyncio.sleep(START_PAUSE_SECONDS)

    async def ask(self, question: Question, request_id: str = "", asked_by: str = "") -> Asked:
        """Open the request for this question, or join the one that is open.

        Calls with the same `request_id` ask only once. `asked_by` is who asks, for the record and for everyone
        who is notified: the requester, or somebody on their behalf. Raises Refused if the rules refuse the question,
        and Delayed if the request is open but there is no worker.
        """
        question_by = QuestionBy(question, asked_by or STARTED_IN_TEMPORAL)
        for _ in range(ASK_TRIES):
            try:
                asked = await self._ask(question_by, request_id or uuid.uuid4().hex)
            except NotFound:
                continue  # it ended while we asked; the next try opens a new one
            must_be_for(asked.grant, question.source_address)
            return asked
        raise Unavailable("The request ended while it was asked; ask again.")

    async def _ask(self, asked: QuestionBy, update_id: str) -> Asked:
        question, sent = asked.question, asked.sent()
        start: WithStartWorkflowOperation[Any, Outcome] = WithStartWorkflowOperation(
            kind_of(question).workflow,
            sent,
            id=question.workflow_id,
            task_queue=self.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=TASK_TIMEOUT,
            result_type=Outcome,
            static_summary=f"{question.requester} asks for {question.subject}",
        )
        update = partial(
            self.temporal.execute_update_with_start_workflow,
            "ask",
            sent,
            start_workflow_operation=start,
            id=update_id,
            result_type=Asked,
        )
        try:
            return await with_our_errors(self._turns.take(question.workflow_id, update, UPDATE_TIMEOUT))
        except Unavailable as error:
            if error.code == ErrorCode.NO_WORKER and await self._is_open(question.workflow_id):
                raise Delayed(OPEN_WITHOUT_WORKER) from None
            raise
        finally:
            # The library may keep the same error for this handle, too, and asyncio logs errors that nobody retrieves.
            with suppress(Exception, asyncio.CancelledError):
                async with asyncio.timeout(0):
                    await start.workflow_handle()

    async def _is_open(self, workflow_id: str) -> bool:
        """Whether a request is open, as far as can be known now."""
        with suppress(CountersignError):
            return bool(await self.open_run(workflow_id))
        return False

    async def open_run(self, workflow_id: str) -> str:
        """The first run of an open workflow, even if no worker has begun it; "" if there is none. Raises Unavailable.

        The server keeps what was started: as soon as a worker is there, it goes on.
        """
        try:
            newest = await self._newest(workflow_id)
        except NotFound:
            return ""
        return "" if is_over(newest.status) else newest.first_run_id

    async def wait(self, question: Question) -> Outcome:
        """Wait for the decision on the newest request for this question, however long it takes.

        Raises Refused if the rules refuse the question, or if the approval is for another source address.
        """
        handle = self.temporal.get_workflow_handle(question.workflow_id, result_type=Outcome)
        try:
            outcome: Outcome = await with_our_errors(handle.result())
        except WorkflowFailureError as error:
            raise refusal(error.cause) from None
        must_be_for(outcome.grant, question.source_address)
        return outcome

    async def decide(self, workflow_id: str, answer: Answer) -> Judgement:
        """Have a stored answer judged. Raises Refused with the reason, NotYet, NotFound when the request has ended."""
        return await self._update(workflow_id, "decide", answer, Judgement, answer.id)

    async def cancel(self, workflow_id: str, cancellation: Cancel) -> Judgement:
        """Withdraw a request that waits. Raises Refused, NotFound."""
        return await self._update(workflow_id, "cancel", cancellation, Judgement, cancellation.id or None, UNDO_TIMEOUT)

    async def revoke(self, revocation: Revoke, run: str = "") -> None:
        """End a grant early. Raises Refused, NotFound."""
        workflow_id = grant_workflow(revocation.approval_id, run)
        await self._update(workflow_id, "revoke", revocation, None, revocation.id or None, UNDO_TIMEOUT)

    async def end(self, workflow_id: str, run: str) -> None:
        """Have the workflow of a request end, as soon as a worker is there. Raises NotFound, Unavailable."""
        handle: WorkflowHandle[Any, Any] = self.temporal.get_workflow_handle(workflow_id, first_execution_run_id=run)
        await with_our_errors(handle.cancel(rpc_timeout=HEALTH_TIMEOUT))

    async def is_workflow_lost(self, workflow_id: str, run_id: str) -> bool:
        """Whether nothing decides a request any more: its workflow has ended, or was lost. Raises Unavailable."""
        try:
            newest = await self._newest(workflow_id)
        except NotFound:
            return True
        # A reset workflow has a new run, and the same first run; another request for the same question has its own.
        return is_over(newest.status) or run_id not in (newest.first_run_id, newest.execution.run_id)

    async def _newest(self, workflow_id: str) -> WorkflowExecutionInfo:
        """The newest run of a workflow, from the server's API, as the library has no status for a paused one.

        Raises NotFound, Unavailable.
        """
        asked = DescribeWorkflowExecutionRequest(
            namespace=self.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        )
        described = self.temporal.workflow_service.describe_workflow_execution(asked, timeout=HEALTH_TIMEOUT)
        return (await with_our_errors(described)).workflow_execution_info

    async def reachable(self) -> bool:
        """Whether the server answers now, within seconds."""
        with suppress(RPCError, RuntimeError, TimeoutError):
            return await self.temporal.service_client.check_health(timeout=HEALTH_TIMEOUT)
        return False

    @property
    def namespace(self) -> str:
        """The namespace of all requests."""
        return self.temporal.namespace

    async def check(self) -> None:
        """Check that the server answers, accepts our login and knows the namespace; raises Unavailable."""
        asked = DescribeNamespaceRequest(namespace=self.namespace)
        await with_our_errors(self.temporal.workflow_service.describe_namespace(asked, timeout=HEALTH_TIMEOUT))

    async def server_time(self) -> datetime:
        """The server's time, asked through a worker without a trace. Raises NotFound if no worker ever ran here.

        It comes as the message of a refused update, as only a refusal leaves nothing in the history.
        """
        handle: WorkflowHandle[Any, Any] = self.temporal.get_workflow_handle(CLOCK_WORKFLOW)
        try:
            # One id for all callers: while no worker answers, they all wait for the same update.
            await with_our_errors(handle.execute_update(CLOCK_UPDATE, id=CLOCK_UPDATE, rpc_timeout=CLOCK_TIMEOUT))
        except Refused as reply:
            with suppress(ValueError):
                return datetime.fromisoformat(str(reply))
        raise Unavailable("The worker could not tell the time: it is older than this program; start it again.")

    async def highest_number(self, newest: int, opened_at: datetime | None) -> int:
        """A number that no request known to the server exceeds.

        `newest` is the highest number on record, of a request opened at `opened_at`. It is returned as it is, unless
        requests were opened since that are not on record, as after the database was restored to an earlier moment. The
        id of a grant's workflow holds its number; requests without a grant can only be counted. Raises Unavailable.
        """
        since = f' AND StartTime > "{opened_at.isoformat()}"' if opened_at else ""
        # Only a request that got a number has this search attribute.
        workflows = ", ".join(f'"{kind.workflow}"' for kind in KINDS.values())
        wanted = f"WorkflowType IN ({workflows}) AND CountersignStatus IS NOT NULL{since}"
        counted = self.temporal.count_workflows(wanted, rpc_timeout=VISIBILITY_TIMEOUT)
        opened = (await with_our_errors(counted)).count
        return await with_our_errors(self._highest_grant(newest, since)) + opened

    async def _highest_grant(self, highest: int, since: str) -> int:
        grants = self.temporal.list_workflows(f'WorkflowType = "Grant"{since}', rpc_timeout=VISIBILITY_TIMEOUT)
        async for grant in grants:
            number = grant.id.split(":")[1:2]
            highest = max(highest, *(int(one) for one in number if one.isdecimal()), 0)
        return highest

    async def keep_background_work(self, activities: Iterable[str]) -> None:
        """Start the workflows that keep these activities running for ever, unless they run already."""
        for name in activities:
            start = self.temporal.start_workflow(
                "StandingWork",
                name,
                id=f"{BACKGROUND}:{name}",
                task_queue=self.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
            await with_our_errors(start)

    async def start_grant(self, terms: GrantTerms) -> None:
        """Start the workflow of a grant, unless it was started before."""
        start = self.temporal.start_workflow(
            "Grant",
            terms,
            id=grant_workflow(terms.approval_id, terms.run),
            task_queue=self.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            task_timeout=TASK_TIMEOUT,
            start_delay=max(terms.ends_at - datetime.now(UTC), timedelta(0)),
            static_summary=f"The grant of #{terms.approval_id}, until {terms.ends_at:%Y-%m-%d %H:%M:%S} UTC",
        )
        with suppress(WorkflowAlreadyStartedError):
            await with_our_errors(start)

    async def recheck(self, workflow_id: str, approval_id: int) -> None:
        """Have an open request check again who may act. Raises Refused, NotFound."""
        await self._update(workflow_id, "look_again", approval_id, None)

    async def _update(
        self,
        workflow_id: str,
        name: str,
        argument: Any,
        result: type[R] | None,
        update_id: str | None = None,
        within: timedelta = UPDATE_TIMEOUT,
    ) -> R:
        handle: WorkflowHandle[Any, Any] = self.temporal.get_workflow_handle(workflow_id)
        update = partial(handle.execute_update, name, argument, id=update_id, result_type=result)
        return await with_our_errors(self._turns.take(workflow_id, update, within))


def is_over(status: WorkflowExecutionStatus.ValueType) -> bool:
    """Whether a run has ended, whatever ended it; one that is paused has not."""
    return status in OVER


def grant_workflow(approval_id: int, run: str = "") -> str:
    """The id of a grant's workflow; it names the request's run, as a request's number may be used again."""
    return f"grant:{approval_id}:{run}" if run else f"grant:{approval_id}"
