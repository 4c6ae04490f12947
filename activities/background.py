"""Work that never ends: watching the mailbox, and the chores for what a crash or an outage left."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.chores import Chore, repeating

BEAT_SECONDS = 1.0

Listen = Callable[[Callable[[], None]], Awaitable[None]]


class BackgroundActivities:
    """`listen(beat)` reads the mailbox until cancelled; the `chores` are done by one worker at a time.

    Both activities end as their worker stops, and not by an error: each restart of an activity that failed would wait
    for longer than the one before.
    """

    def __init__(self, listen: Listen | None, chores: Sequence[Chore]) -> None:
        self.listen = listen
        self.chores = chores

    @activity.defn(name="watch_mailbox")
    async def watch_mailbox(self) -> None:
        """Read the mailbox until this worker stops; then another goes on."""
        if self.listen is None:
            raise ApplicationError("This worker has no mailbox in its settings.")
        listening = asyncio.ensure_future(self.listen(activity.heartbeat))
        await _either(activity.wait_for_worker_shutdown(), listening)
        if not listening.cancelled():
            listening.result()
        if not activity.is_worker_shutdown():
            raise ApplicationError("The watcher stopped by itself; it is started again.")

    @activity.defn(name="sweep")
    async def sweep(self) -> None:
        """Do the chores until this worker stops."""
        async with repeating(self.chores):
            while not activity.is_worker_shutdown():
                activity.heartbeat()
                await _either(activity.wait_for_worker_shutdown(), asyncio.sleep(BEAT_SECONDS))


async def _either(*works: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
