"""What Temporal is told of our errors: a refusal is final and keeps its words; anything else is tried again."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from countersign.errors import NotFound, Refused, TooMany


@contextmanager
def refusals_are_final() -> Iterator[None]:
    """Turn a refusal into an ApplicationError that no retry policy repeats."""
    try:
        yield
    except (Refused, NotFound, TooMany) as error:
        raise ApplicationError(
            str(error),
            error.details,
            type=type(error).__name__,
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        ) from None
