"""One change of a request or grant, carried out: written, then told. Doing it twice changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import activity

from activities.errors import refusals_are_final
from countersign.errors import NotFound
from countersign.transitions import GrantEnd, Transition, TransitionResult

if TYPE_CHECKING:  # workflows import this module, and are to be loaded without a database
    from engine.engine import Engine


class TransitionActivities:
    """What the workflows run for each change: one activity a change, since each costs a trip through the worker."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @activity.defn(name="take_step")
    async def carry_out(self, transition: Transition) -> TransitionResult:
        """Write one change of a request, start its grant if it opened one, and tell those whom it concerns."""
        with refusals_are_final(NotFound):
            written = await self.engine.run(self.engine.transitions.write, transition)
        return await self.engine.carry_out(transition, written)

    @activity.defn(name="end_grant")
    async def end_grant(self, end: GrantEnd) -> None:
        """End or revoke a grant, and tell those whom it concerns."""
        await self.engine.end_grant(end)
