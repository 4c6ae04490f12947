"""The one feed of events of this process: read once for all who wait, and only while somebody does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from countersign.errors import Unavailable, in_words
from countersign.views import AuditEventView

# How often the feed is read while somebody waits: how late a waiter hears, at most.
POLL_SECONDS = 0.05
# While the database can't be reached.
PAUSE_SECONDS = 1.0

T = TypeVar("T")
log = logging.getLogger(__name__)


class Change(asyncio.Event):
    """Set when something happens to request `about`, or to any when that is None."""

    def __init__(self, about: int | None) -> None:
        super().__init__()
        self.about = about
        self.waiter_left = False

    def leave(self, watch: asyncio.Future[None]) -> None:
        """Whoever waits for it is gone, as `watch` found, or can no longer be watched."""
        if not watch.cancelled():
            watch.exception()
        self.waiter_left = True
        self.set()


class Feed:
    """Wakes who waits, in the order of commits, and misses nothing between a look and a wait.

    `last_version` and `since` read the record of events; `run` must run beside the waiters.
    """

    def __init__(
        self, last_version: Callable[[], Awaitable[int]], since: Callable[[int], Awaitable[list[AuditEventView]]]
    ) -> None:
        self._last_version = last_version
        self._since = since
        self._read_through = 0
        self._waiting: set[Change] = set()
        self._wanted = asyncio.Event()
        self._reading = asyncio.Event()
        self._closed = False

    async def first(
        self,
        look: Callable[[], Awaitable[T]],
        enough: Callable[[T], bool],
        seconds: float,
        about: int | None = None,
        gone: Callable[[], Awaitable[None]] | None = None,
    ) -> T:
        """Look, and again at each change (of one request), until it is enough or the time is over; the last look.

        `gone` returns when nobody waits for it any more, which ends it too.
        """
        over = asyncio.get_running_loop().time() + seconds
        with self._waiter(about) as change, _watching(change, gone):
            # From here on every change is noticed; what came before, the first look sees.
            await _until(self._reading, over)
            while True:
                change.clear()
                seen = await look()
                if enough(seen) or self._closed or change.waiter_left or not await _until(change, over):
                    return seen

    async def run(self) -> None:
        """Read the feed whenever somebody waits, for ever."""
        while True:
            await self._wanted.wait()
            try:
                await self._read()
                await asyncio.sleep(POLL_SECONDS)
            except Unavailable as error:
                log.warning("the feed waits: %s", in_words(error))
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:
                # Whatever it is: were this to end, everybody who waits would wait in vain until the next start.
                log.exception("the feed waits")
                await asyncio.sleep(PAUSE_SECONDS)
            if not self._waiting:
                self._wanted.clear()
                self._reading.clear()

    def close(self) -> None:
        """Send everybody who waits home with what they saw last."""
        self._closed = True
        self._reading.set()
        for change in self._waiting:
            change.set()

    async def _read(self) -> None:
        if not self._reading.is_set():
            self._read_through = await self._last_version()
            self._reading.set()
        while lines := await self._since(self._read_through):
            self._read_through = lines[-1].version
            changed = {line.approval_id for line in lines}
            for change in self._waiting:
                if change.about is None or change.about in changed:
                    change.set()

    @contextmanager
    def _waiter(self, about: int | None) -> Iterator[Change]:
        change = Change(about)
        self._waiting.add(change)
        self._wanted.set()
        try:
            yield change
        finally:
            self._waiting.discard(change)


@contextmanager
def _watching(change: Change, gone: Callable[[], Awaitable[None]] | None) -> Iterator[None]:
    if gone is None:
        yield
        return
    watch = asyncio.ensure_future(gone())
    watch.add_done_callback(change.leave)
    try:
        yield
    finally:
        watch.cancel()


async def _until(event: asyncio.Event, over: float) -> bool:
    """Wait until a moment of the loop's clock; whether the event came."""
    try:
        async with asyncio.timeout_at(over):
            await event.wait()
    except TimeoutError:
        return False
    return True
