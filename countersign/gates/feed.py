"""The portal's feed, followed with one long poll: what happens to all requests that this gateway may see."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NoReturn

from countersign.errors import CountersignError, TooMany, Unavailable
from countersign.gates.calls import Calls
from countersign.http import LATE_SECONDS, Api
from countersign.views import AuditEventView

POLL_SECONDS = 20.0
RETRY_SECONDS = 1.0
# The pause between two polls, even if the portal answers at once; events of that time come together.
REST_SECONDS = 0.1

log = logging.getLogger(__name__)


def now() -> float:
    """Seconds since the machine was started, including the time that it slept: nobody can set this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Feed:
    """Passes on every event, except those of an outage."""

    def __init__(
        self,
        api: Api,
        grace: float,
        happened: Callable[[Sequence[AuditEventView]], None],
        began: Callable[[], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        """`began` is awaited at the start and after an outage; `changed` is called when `answers` changes.

        `grace`: polls are so short that a portal that is there answers several times within this many seconds.
        """
        self._api, self._happened, self._began, self._changed = api, happened, began, changed
        self._seconds = min(POLL_SECONDS, grace / 3)
        self._calls = Calls(2)
        self.answers = False
        self.heard_at = -float("inf")
        # What was read from the portal since then is up to date: no event about it was missed.
        self.unbroken_since = float("inf")
        self.problem: CountersignError | None = None

    async def run(self) -> NoReturn:
        """Follow the feed for ever."""
        version: int | None = None
        while True:
            try:
                version = await self._follow(version)
            except CountersignError as error:
                if not isinstance(error, TooMany):
                    version = None
                self._take_problem(error)
                await asyncio.sleep(pause_after(error))
            else:
                await asyncio.sleep(REST_SECONDS)

    async def _follow(self, version: int | None) -> int:
        began, seconds = now(), 0.0 if version is None else self._seconds
        events, newest = await self._calls(partial(self._api.events, version, seconds))
        if now() - began > seconds + LATE_SECONDS:
            raise Unavailable("The portal's answer came too late; it may no longer be true.")
        if version is None:
            await self._began()
            self.unbroken_since = began
        # What the first poll says may be as old as the call.
        self.heard_at, self.problem = began if version is None else now(), None
        if not self.answers:
            self.answers = True
            log.info("The portal answers.")
            self._changed()
        self._happened(events)
        return newest

    def _take_problem(self, error: CountersignError) -> None:
        if str(error) != str(self.problem):
            log.warning("The portal gives no good answer: %s", error)
        self.problem = error
        # After too many calls the portal is still there, and the next poll reports everything that happened.
        if self.answers and not isinstance(error, TooMany):
            self.answers = False
            self._changed()


def pause_after(error: CountersignError) -> float:
    """How many seconds to wait before the next try."""
    return min(error.retry_after, POLL_SECONDS) if isinstance(error, TooMany) else RETRY_SECONDS
