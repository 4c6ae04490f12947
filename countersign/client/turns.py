"""Limits how many updates of one workflow are under way at once, as Temporal refuses too many."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar
from weakref import WeakValueDictionary

# Temporal refuses more than 10 from all clients together (`history.maxInFlightUpdates`).
MOST_AT_ONCE = 5
# The least time that an update gets when its turn comes late.
SHORTEST_SECONDS = 1.0

R = TypeVar("R")


class Turns:
    """The turns of all workflows that a client updates now."""

    def __init__(self) -> None:
        self._of_one: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def take(self, workflow_id: str, update: Callable[..., Awaitable[R]], within: timedelta) -> R:
        """Make an update of a workflow as soon as fewer than MOST_AT_ONCE are under way; it gets the time that is left.

        Raises TimeoutError if those before it take too long, as they do without a worker.
        """
        loop, turn = asyncio.get_running_loop(), self._of_one.setdefault(workflow_id, asyncio.Semaphore(MOST_AT_ONCE))
        over = loop.time() + within.total_seconds()
        async with asyncio.timeout_at(over):
            await turn.acquire()
        try:
            return await update(rpc_timeout=timedelta(seconds=max(over - loop.time(), SHORTEST_SECONDS)))
        finally:
            turn.release()
