"""One change of a request or grant, carried out: written, then told. Doing it twice changes nothing."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, Protocol, TypeVar

from temporalio import activity

from activities.errors import refusals_are_final
from countersign.errors import NotFound
from countersign.transitions import GRANT_STEP, GrantEnd, GrantTerms, RecordedTransition, Transition, TransitionResult

T = TypeVar("T")


class TransitionStore(Protocol):
    """Where steps are written."""

    def write(self, step: Transition) -> RecordedTransition:
        """Write a step, once."""


class GrantBook(Protocol):
    """Where grants are written."""

    def end(self, end: GrantEnd) -> bool:
        """End a grant, once."""


class Starter(Protocol):
    """Who starts workflows."""

    async def start_grant(self, terms: GrantTerms) -> None:
        """Start the workflow of a grant, unless it runs already."""


class Teller(Protocol):
    """Who sends notices. `live` is empty where no message has to be kept up to date."""

    @property
    def live(self) -> Mapping[str, Any]:
        """The channels whose messages are kept up to date."""

    async def deliver(self, approval_id: int, step: int) -> list[str]:
        """Send the notices of a step; returns who can't be reached."""


class TransitionActivities:
    """What the workflows ask for each change: one activity, since each costs a trip through the worker."""

    def __init__(
        self, steps: TransitionStore, grants: GrantBook, starter: Starter, teller: Teller, executor: Executor
    ) -> None:
        self.steps = steps
        self.grants = grants
        self.starter = starter
        self.teller = teller
        self.executor = executor

    @activity.defn(name="take_step")
    async def take(self, step: Transition) -> TransitionResult:
        """Write one change of a request, start its grant if it opened one, and tell those whom it concerns.

        The grant's workflow is started here and not as a child: a parent that ends in the same task takes a child that
        has not started yet with it, whatever its close policy.
        """
        with refusals_are_final(NotFound):
            written = await self._run(self.steps.write, step)
        if written.grant is not None:
            await self.starter.start_grant(written.grant)
        is_written = not (written.instead or written.disabled)
        tell = (step.tell or self.teller.live) and is_written
        unreachable = await self.teller.deliver(step.approval_id, written.number) if tell else []
        return TransitionResult(**written.model_dump(), unreachable=unreachable)

    @activity.defn(name="end_grant")
    async def end_grant(self, end: GrantEnd) -> None:
        """End or revoke a grant, and tell those whom it concerns."""
        await self._run(self.grants.end, end)
        await self.teller.deliver(end.approval_id, GRANT_STEP)

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.executor, function, *args)
