"""The work that never ends: watching the mailbox, and sweeping up what a crash or an outage left."""

import asyncio
import contextvars
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from countersign.errors import CountersignError, in_words

SWEEP_SECONDS = 5.0
BEAT_SECONDS = 1.0

log = logging.getLogger(__name__)

Chore = Callable[[], Awaitable[object]]
Watch = Callable[[threading.Event, Callable[[], None]], None]


class StandingActivities:
    """`watch(stop, beat)` blocks in a thread of its own; `chores` are done again and again, what is `first` once."""

    def __init__(self, watch: Watch | None, chores: Sequence[Chore], first: Sequence[Chore] = ()) -> None:
        self.watch = watch
        self.chores = chores
        self.first = first

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
        raise ApplicationError("The watcher stopped; another goes on.", category=ApplicationErrorCategory.BENIGN)

    @activity.defn(name="sweep")
    async def sweep(self) -> None:
        """Do the chores until this worker stops; one that fails is tried at the next round."""
        first = list(self.first)
        while not activity.is_worker_shutdown():
            first = [chore for chore in first if not await _done(chore)]
            for chore in self.chores:
                await _done(chore)
            await _either(activity.wait_for_worker_shutdown(), _beating(asyncio.sleep(SWEEP_SECONDS)))
        raise ApplicationError("The sweeper stopped; another goes on.", category=ApplicationErrorCategory.BENIGN)


async def _done(chore: Chore) -> bool:
    """Do a chore; whether that went well."""
    activity.heartbeat()
    try:
        await _beating(chore())
    except CountersignError as error:
        log.warning("sweeping: %s", in_words(error))
    except Exception:
        log.exception("sweeping")
    else:
        return True
    return False


async def _beating(work: Awaitable[object]) -> None:
    task = asyncio.ensure_future(work)
    while not (await asyncio.wait({task}, timeout=BEAT_SECONDS))[0]:
        activity.heartbeat()
    await task


async def _either(*works: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
