"""The work that never ends: watching the mailbox, and sweeping up what a crash or an outage left."""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Sequence

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.chores import Chore, repeating

BEAT_SECONDS = 1.0

Watch = Callable[[threading.Event, Callable[[], None]], None]


class BackgroundActivities:
    """`watch(stop, beat)` blocks in a thread of its own; the `chores` are done by one worker at a time.

    Both activities end as their worker stops, and not by an error: each restart of an activity that failed would wait
    for longer than the one before.
    """

    def __init__(self, watch: Watch | None, chores: Sequence[Chore]) -> None:
        self.watch = watch
        self.chores = chores

    @activity.defn(name="watch_mailbox")
    async def watch_mailbox(self) -> None:
        """Read the mailbox until this worker stops; then another goes on."""
        if self.watch is None:
            raise ApplicationError("This worker has no mailbox in its settings.")
        stop, done = threading.Event(), asyncio.Event()
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()

        def beat() -> None:
            loop.call_soon_threadsafe(activity.heartbeat, context=context)

        thread = asyncio.create_task(asyncio.to_thread(self.watch, stop, beat))
        thread.add_done_callback(lambda _: done.set())
        try:
            await _either(activity.wait_for_worker_shutdown(), done.wait())
        finally:
            stop.set()
            await asyncio.shield(thread)
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
