"""How workflows run activities: first as local ones, and if that fails as normal ones with endless retries."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

# A local activity holds up the next update, so it gets about a second and two tries.
LOCAL_TIMEOUT = timedelta(seconds=2)
LOCAL_TRIES = RetryPolicy(maximum_attempts=2, initial_interval=timedelta(milliseconds=50))
DURABLE_TIMEOUT = timedelta(seconds=30)
DURABLE_TRIES = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30))

with workflow.unsafe.imports_passed_through():
    from countersign.errors import CountersignError, refused_with

A = TypeVar("A")
R = TypeVar("R")


async def execute(method: Callable[[Any, A], Awaitable[R]], argument: A) -> R:
    """Run an activity, retried while what it needs is down. Raises FailureError only for a refusal or cancellation.

    The first line of the activity's docstring is what Temporal's pages show of it.
    """
    summary = _summary(method)
    try:
        return await workflow.execute_local_activity_method(
            method, argument, start_to_close_timeout=LOCAL_TIMEOUT, retry_policy=LOCAL_TRIES, summary=summary
        )
    except FailureError as error:
        if is_cancelled_exception(error) or refusal_in(error):
            raise
    return await workflow.execute_activity_method(
        method, argument, start_to_close_timeout=DURABLE_TIMEOUT, retry_policy=DURABLE_TRIES, summary=summary
    )


def _summary(method: Callable[..., Any]) -> str:
    """The first line of a method's docstring; "" if Python left it out (-OO)."""
    return (method.__doc__ or "").partition("\n")[0].rstrip(".")


def refusal_in(error: FailureError) -> CountersignError | None:
    """The refusal that an activity raised; None when it failed for another reason.

    A local activity's error comes bare, a normal one's inside an ActivityError.
    """
    cause = error.cause if isinstance(error, ActivityError) else error
    if not (isinstance(cause, ApplicationError) and cause.non_retryable):
        return None
    return refused_with(cause.message, next(iter(cause.details), None))
