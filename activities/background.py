"""Work that never ends: watching the mailbox, and the chores for what a crash or an outage left."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.chores import Chore, repeating
from countersign.tasks import first_of

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
        await first_of(activity.wait_for_worker_shutdown(), listening)
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
                await first_of(activity.wait_for_worker_shutdown(), asyncio.sleep(BEAT_SECONDS))
