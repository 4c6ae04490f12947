"""Turns failed calls to Temporal into our own errors."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import TypeVar

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from countersign.error_codes import ErrorCode
from countersign.errors import BadSetting, CountersignError, NotFound, NotYet, Refused, Unavailable, refused_with
from countersign.unreachable import why_unreachable

# The statuses for a key that is wrong, or may not use this namespace.
NO_ENTRY = {RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED}
# An update that no worker has taken waits in the server's memory, and may be lost there.
NO_WORKER = "Nobody is working on this now, so it is not done yet; repeat it as soon as a worker is back."

R = TypeVar("R")

log = logging.getLogger(__name__)


async def with_our_errors(call: Awaitable[R]) -> R:
    """Await a call to Temporal, and raise our errors in place of the library's."""
    try:
        return await call
    except WorkflowUpdateFailedError as error:
        if isinstance(error.cause, ApplicationError) and error.cause.type == "AcceptedUpdateCompletedWorkflow":
            raise NotFound("The request has ended.") from None
        if isinstance(error.cause, ApplicationError) and error.cause.type == NotYet.__name__:
            raise NotYet(error.cause.message) from None
        if isinstance(error.cause, ApplicationError) and error.cause.type == NotFound.__name__:
            raise NotFound(error.cause.message) from None
        raise refusal(error.cause) from None
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from None  # the library raises the same error for both
        raise Unavailable(NO_WORKER, ErrorCode.NO_WORKER) from None
    except RPCError as error:
        raise _of_rpc(error) from error
    except RuntimeError as error:  # of a client that was made lazily, and can't connect now
        raise why_unreachable(str(error)) from error


def refusal(cause: BaseException | None) -> CountersignError:
    """The refusal with which a workflow ended or answered an update."""
    if isinstance(cause, ApplicationError):
        return refused_with(cause.message, next(iter(cause.details), None))
    return Refused(str(cause))


def _of_rpc(error: RPCError) -> CountersignError:
    """Our error for a call that failed: a missing namespace is told apart from a request that has ended."""
    if error.status is RPCStatusCode.NOT_FOUND:
        details = error.grpc_status.details
        if any(one.Is(NamespaceNotFoundFailure.DESCRIPTOR) for one in details):
            return BadSetting("Temporal has no such namespace; set TEMPORAL_NAMESPACE to one that exists.")
        return NotFound("There is no such open request.")
    if error.status in NO_ENTRY:
        return BadSetting("Temporal does not let us in; see COUNTERSIGN_TEMPORAL_API_KEY and TEMPORAL_NAMESPACE.")
    log.warning("A call to Temporal failed: %s", error.status.name)
    if error.status is RPCStatusCode.RESOURCE_EXHAUSTED:
        return Unavailable("The system is busy; try again in a moment.")
    return Unavailable("Temporal did not answer; try again.")
