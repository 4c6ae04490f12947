"""The one feed of events of this process: read once for all who wait, and only while somebody does."""

import asyncio
import logging
import math
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, TypeVar

from countersign.errors import Unavailable, message_of
from countersign.views import AuditEventView
from countersign.visibility import Concern, Visibility
from store.reading import FeedPage

# The feed is read this often while somebody waits, so a waiter learns of an event at most this late.
POLL_SECONDS = 0.05
# How long to pause after the feed could not be read.
PAUSE_SECONDS = 1.0
# How many events are kept for callers who ask what came after one of them.
KEPT = 1000

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Topic:
    """Something other than a single request that events may be about.

    `changes` says whether an event may change what is read about it. It also gets whom its request concerns, if any.
    """

    name: str
    changes: Callable[[AuditEventView, Concern | None], bool]


About = int | Topic


class FeedWaiter(asyncio.Event):
    """Set when something happens to the request or topic `about`, or anything at all when that is None."""

    def __init__(self, about: About | None) -> None:
        super().__init__()
        self.about = about
        self.has_left = False

    def leave(self, watch: asyncio.Future[None]) -> None:
        """The waiter has left, as `watch` found, or can no longer be watched."""
        if not watch.cancelled():
            watch.exception()
        self.has_left = True
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
        # By what it is about: what was read for all callers, and when that read began.
        self._found: dict[About, tuple[asyncio.Future[Any], float]] = {}
        self._waiting: set[FeedWaiter] = set()
        self._waiting_about: Counter[About | None] = Counter()
        self._wanted = asyncio.Event()
        self._reading = asyncio.Event()
        self.closed = False  # whether nobody may wait any more, as the portal stops

    async def first(
        self,
        read: Callable[[], Awaitable[T]],
        enough: Callable[[T], bool],
        seconds: float,
        about: About | None = None,
        disconnected: Callable[[], Awaitable[None]] | None = None,
        again: Callable[[], Awaitable[T]] | None = None,
    ) -> T:
        """Read now and after each change (of one request or topic), until the result is `enough` or the time is over.

        Returns the last read. It also ends when `disconnected` returns, as then nobody waits any more. `again`, if
        given, is how to read after a change.
        """
        over = asyncio.get_running_loop().time() + seconds
        with self._waiter(about) as waiter, _watching(waiter, disconnected):
            # From here on every change is noticed; what came before is in the first read.
            await _until(self._reading, over)
            while True:
                waiter.clear()
                seen = await read()
                read = again or read
                if enough(seen) or self.closed or waiter.has_left or not await _until(waiter, over):
                    return seen

    def after(
        self, version: int, visibility: Visibility, limit: int, besides: Collection[str] = ()
    ) -> tuple[list[AuditEventView], int] | None:
        """The events after a version that may be seen, oldest first, and the version to continue from.

        Events of the kinds in `besides` are always included. None if they are no longer all in memory.
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
        """Whether the record has this version already, but the feed has not read it yet."""
        return self.read_through < version <= await self._last_version()

    async def shared(self, about: About, read: Callable[[], Awaitable[T]], seconds: float = math.inf) -> T:
        """Read something once for all callers between two changes, and again when that read is `seconds` old.

        While the feed is not being read, no change is noticed, so each caller reads for itself.
        """
        if not self._reading.is_set():
            return await read()
        now = asyncio.get_running_loop().time()
        found, begun = self._found.get(about, (None, now))
        if found is None or now - begun > seconds:
            found = asyncio.ensure_future(read())
            self._found[about] = found, now
            found.add_done_callback(lambda done: self._forget_failed(about, done))
        return await asyncio.shield(found)

    def _forget_failed(self, about: About, done: "asyncio.Future[Any]") -> None:
        if (done.cancelled() or done.exception()) and self._found.get(about, (None,))[0] is done:
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
        """End all waits: each returns what it read last."""
        self.closed = True
        self._reading.set()
        for waiter in self._waiting:
            waiter.set()

    async def _read(self) -> None:
        begun = asyncio.get_running_loop().time()
        if not self._reading.is_set():
            await self._begin()
            self._reading.set()
        while (page := await self._since(self.read_through)).events:
            changed = self._changed(page)
            self._forget(changed)
            self._keep(page)
            for waiter in self._waiting:
                if waiter.about is None or waiter.about in changed:
                    waiter.set()
        if page.newest < self.read_through:  # an older database was put in place of the one before
            self._go_on_from(page.newest)
        self.read_at = begun

    def _changed(self, page: FeedPage) -> set[About | None]:
        """The requests and topics that something has happened to, and None if an event was about no request."""
        abouts = {*self._found, *(one.about for one in self._waiting)}
        topics = {about for about in abouts if isinstance(about, Topic)}
        changed = {one for one in topics if any(one.changes(event, _concern(page, event)) for event in page.events)}
        return {*(event.approval_id for event in page.events), *changed}

    def _forget(self, changed: set[About | None]) -> None:
        """Forget what was read about these; after an event about no request, also about every request.

        A new policy may change names and disable people, so that what was read about requests may not hold.
        """
        for about in [*self._found]:
            if about in changed or (None in changed and not isinstance(about, Topic)):
                del self._found[about]

    async def _begin(self) -> None:
        """Go on where reading stopped, unless more events came since than are kept."""
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
        for waiter in self._waiting:
            waiter.set()

    def _keep(self, page: FeedPage) -> None:
        for event in page.events:
            if len(self._kept) == KEPT:
                self._kept_after = self._kept[0].version
            self._kept.append(event)
        self.read_through = page.events[-1].version
        self._concerns |= page.concerns
        if len(self._concerns) > KEPT:
            kept = {event.approval_id for event in self._kept}
            self._concerns = {number: one for number, one in self._concerns.items() if number in kept}

    @contextmanager
    def _waiter(self, about: About | None) -> Iterator[FeedWaiter]:
        waiter = FeedWaiter(about)
        self._waiting.add(waiter)
        self._waiting_about[about] += 1
        self._wanted.set()
        try:
            yield waiter
        finally:
            self._waiting.discard(waiter)
            self._waiting_about[about] -= 1
            if not self._waiting_about[about]:
                del self._waiting_about[about]
                if isinstance(about, int):
                    self._found.pop(about, None)


def _concern(page: FeedPage, event: AuditEventView) -> Concern | None:
    return page.concerns.get(event.approval_id or 0)


@contextmanager
def _watching(waiter: FeedWaiter, disconnected: Callable[[], Awaitable[None]] | None) -> Iterator[None]:
    if disconnected is None:
        yield
        return
    watch = asyncio.ensure_future(disconnected())
    watch.add_done_callback(waiter.leave)
    try:
        yield
    finally:
        watch.cancel()


async def _until(event: asyncio.Event, over: float) -> bool:
    """Wait for the event until a moment of the loop's clock; returns whether it came."""
    try:
        async with asyncio.timeout_at(over):
            await event.wait()
    except TimeoutError:
        return False
    return True
