"""Tasks that are run again and again, each in a loop of its own, so that one that hangs or fails holds up no other."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta

from countersign.errors import CountersignError, message_of
from countersign.tasks import alongside

PAUSE = timedelta(seconds=5)
BEAT_SECONDS = 1.0
# A task takes milliseconds; one that takes longer than this hangs, is cancelled, and is tried again.
LONGEST = timedelta(minutes=2)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PeriodicTask:
    """Work that is done again and again, with `pause`, or else PAUSE, in between.

    It is cancelled if it takes longer than `longest`. `until_it_worked`: it is done only until it succeeds.
    """

    name: str
    work: Callable[[], Awaitable[object]]
    pause: timedelta | None = None
    longest: timedelta = LONGEST
    until_it_worked: bool = False

    async def run_once(self) -> bool:
        """Do the work now; returns whether it succeeded. Errors are logged."""
        try:
            async with asyncio.timeout(self.longest.total_seconds()):
                await self.work()
        except CountersignError as error:
            log.warning("%s: %s", self.name, message_of(error))
        except TimeoutError:
            log.warning("%s: not done within %.0f s; it is tried again", self.name, self.longest.total_seconds())
        except Exception:
            log.exception("%s", self.name)
        else:
            return True
        return False

    async def repeat(self) -> None:
        """Do the work until cancelled or, with `until_it_worked`, until it succeeds."""
        while True:
            if await self.run_once() and self.until_it_worked:
                return
            pause = PAUSE if self.pause is None else self.pause
            await asyncio.sleep(pause.total_seconds())


def repeating(tasks: Iterable[PeriodicTask]) -> AbstractAsyncContextManager[object]:
    """Do all of them, each in its own loop, while the block runs."""
    return alongside(*(asyncio.create_task(task.repeat(), name=task.name) for task in tasks))


async def sweep(tasks: Iterable[PeriodicTask], beat: Callable[[], None]) -> None:
    """Do all of them until cancelled; calls `beat` every second."""
    async with repeating(tasks):
        while True:
            beat()
            await asyncio.sleep(BEAT_SECONDS)
