"""The one feed of events of this process: read once for all who wait, and only while somebody does."""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any, TypeVar

from countersign.errors import Unavailable, message_of
from countersign.views import AuditEventView
from countersign.visibility import Concern, Visibility
from store.reading import FeedPage

# How often the feed is read while somebody waits, and so how late a waiter learns at most.
POLL_SECONDS = 0.05
# While the database can't be reached.
PAUSE_SECONDS = 1.0
# So many events are kept for callers who ask for what came after one of them.
KEPT = 1000

T = TypeVar("T")
log = logging.getLogger(__name__)


class Change(asyncio.Event):
    """Set when something happens to request `about`, or to any when that is None."""

    def __init__(self, about: int | None) -> None:
        super().__init__()
        self.about = about
        self.waiter_left = False

    def leave(self, watch: asyncio.Future[None]) -> None:
        """The waiter is gone, as `watch` found, or can no longer be watched."""
        if not watch.cancelled():
            watch.exception()
        self.waiter_left = True
        self.set()


class Feed:
    """Wakes waiters in the order of commits; nothing between a read and a wait is missed.

    An event costs one read, however many wait: it is kept for all of them. `last_version` and `since` read
    the record of events; `run` must run beside the waiters.
    """

    def __init__(self, last_version: Callable[[], Awaitable[int]], since: Callable[[int], Awaitable[FeedPage]]) -> None:
        self._last_version = last_version
        self._since = since
        self.read_through = 0
        self.read_at = -math.inf  # when it was last known to be read through, by the event loop's clock
        self._kept: deque[AuditEventView] = deque(maxlen=KEPT)
        self._kept_after = 0  # all that came after this version is kept
        self._concerns: dict[int, Concern] = {}
        self._found: dict[int, asyncio.Future[Any]] = {}
        self._waiting: set[Change] = set()
        self._wanted = asyncio.Event()
        self._reading = asyncio.Event()
        self._closed = False

    async def first(
        self,
        read: Callable[[], Awaitable[T]],
        enough: Callable[[T], bool],
        seconds: float,
        about: int | None = None,
        gone: Callable[[], Awaitable[None]] | None = None,
        again: Callable[[], Awaitable[T]] | None = None,
    ) -> T:
        """Read, and again at each change (of one request), until `enough` or the time is over; returns the last read.

        It also ends when `gone` returns, as then nobody waits any more. `again` reads after a change.
        """
        over = asyncio.get_running_loop().time() + seconds
        with self._waiter(about) as change, _watching(change, gone):
            # From here on every change is noticed; what came before is in the first read.
            await _until(self._reading, over)
            while True:
                change.clear()
                seen = await read()
                read = again or read
                if enough(seen) or self._closed or change.waiter_left or not await _until(change, over):
                    return seen

    @property
    def closed(self) -> bool:
        """Whether nobody is told of anything any more, as the portal ends."""
        return self._closed

    def after(
        self, version: int, visibility: Visibility, limit: int, besides: Collection[str] = ()
    ) -> tuple[list[AuditEventView], int] | None:
        """The events after a version that may be seen, oldest first, and the version to go on from.

        Those of the kinds `besides` come too, whoever sees them. None where not all of it is kept.
        """
        if not self._reading.is_set() or not self._kept_after <= version <= self.read_through:
            return None
        newer = list(takewhile(lambda event: event.version > version, reversed(self._kept)))[::-1]
        concerns = self._concerns
        seen = [
            event
            for event in newer
            if event.kind in besides or visibility.includes(concerns.get(event.approval_id or 0))
        ][:limit]
        return seen, seen[-1].version if len(seen) == limit else max(version, self.read_through)

    async def will_reach(self, version: int) -> bool:
        """Whether the record has this version, and only the feed has not read it yet."""
        return self.read_through < version <= await self._last_version()

    async def shared(self, about: int, read: Callable[[], Awaitable[T]]) -> T:
        """Read a request once for all who read it after the same change."""
        found = self._found.get(about)
        if found is None:
            found = self._found[about] = asyncio.ensure_future(read())
            found.add_done_callback(lambda done: self._forget_failed(about, done))
        return await asyncio.shield(found)

    def _forget_failed(self, about: int, done: "asyncio.Future[Any]") -> None:
        if (done.cancelled() or done.exception()) and self._found.get(about) is done:
            del self._found[about]

    async def run(self) -> None:
        """Read the feed whenever somebody waits, for ever."""
        while True:
            await self._wanted.wait()
            try:
                await self._read()
                await asyncio.sleep(POLL_SECONDS)
            except Unavailable as error:
                log.warning("the feed waits: %s", message_of(error))
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:
                # Whatever it is: if this ended, everybody would wait in vain until the next start.
                log.exception("the feed waits")
                await asyncio.sleep(PAUSE_SECONDS)
            if not self._waiting:
                self._wanted.clear()
                self._reading.clear()

    def close(self) -> None:
        """Return to all waiters what they have read last."""
        self._closed = True
        self._reading.set()
        for change in self._waiting:
            change.set()

    async def _read(self) -> None:
        begun = asyncio.get_running_loop().time()
        if not self._reading.is_set():
            await self._begin()
            self._reading.set()
        while (page := await self._since(self.read_through)).events:
            self._keep(page)
            changed = {event.approval_id for event in page.events}
            for change in self._waiting:
                if change.about is None or change.about in changed:
                    change.set()
        if page.newest < self.read_through:  # an older database was put in place of the one before
            self._go_on_from(page.newest)
        self.read_at = begun

    async def _begin(self) -> None:
        """Go on where it stopped, unless more came since than is kept."""
        last = await self._last_version()
        if not self.read_through <= last <= self.read_through + KEPT:
            self._go_on_from(last)
        self._found.clear()

    def _go_on_from(self, version: int) -> None:
        """Forget what was read, and have everybody read anew."""
        self.read_through = self._kept_after = version
        self._kept.clear()
        self._concerns.clear()
        self._found.clear()
        for change in self._waiting:
            change.set()

    def _keep(self, page: FeedPage) -> None:
        for event in page.events:
            if len(self._kept) == KEPT:
                self._kept_after = self._kept[0].version
            self._kept.append(event)
            # A new policy may change names and disable people, so no request is as it was read.
            self._found.pop(event.approval_id, None) if event.approval_id is not None else self._found.clear()
        self.read_through = page.events[-1].version
        self._concerns |= page.concerns
        if len(self._concerns) > KEPT:
            kept = {event.approval_id for event in self._kept}
            self._concerns = {number: one for number, one in self._concerns.items() if number in kept}

    @contextmanager
    def _waiter(self, about: int | None) -> Iterator[Change]:
        change = Change(about)
        self._waiting.add(change)
        self._wanted.set()
        try:
            yield change
        finally:
            self._waiting.discard(change)
            if about is not None and not any(one.about == about for one in self._waiting):
                self._found.pop(about, None)


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
