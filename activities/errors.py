"""Our errors for Temporal: a refusal is final and keeps its message; anything else is tried again."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from countersign.errors import CountersignError, NotFound, Refused, TooMany

REFUSALS = (Refused, NotFound, TooMany)


@contextmanager
def refusals_are_final(*kinds: type[CountersignError]) -> Iterator[None]:
    """Turn a refusal, of one of these kinds where some are named, into an ApplicationError that is never retried."""
    kinds = kinds or REFUSALS
    try:
        yield
    except kinds as error:
        raise ApplicationError(
            str(error),
            error.details,
            type=type(error).__name__,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        ) from None
