"""How soon an event is on hundreds of open pages: by the portal's live stream, and by a bare one of its framework."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from statistics import quantiles

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from benchmarks.place import Deployment, Place, deployment, process, until
from countersign.transitions import AuditEvent
from sandbox.temporal_server import HOST, free_port
from store import sessions
from store.events import append

STREAMS = 500
# How many of them belong to an approver, who is shown the form to answer.
ASKED = 10
EVENTS = 40
# The pause between two events, so that each is measured by itself.
QUIET_SECONDS = 0.25
WAIT_SECONDS = 60.0
OURS, BARE = "event on 500 pages, p99 ms", "event on 500 pages, p99 ms, bare endpoint"


class Streams:
    """Open streams of one address, and when each of them was sent the last event."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.arrived: list[float] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._open = 0

    @asynccontextmanager
    async def open(self, path: str, cookies: Sequence[str]) -> AsyncIterator[None]:
        """Open one for each cookie until the block ends."""
        self._tasks = [asyncio.create_task(self._read(path, cookie)) for cookie in cookies]
        try:
            await until(lambda: self._open == len(cookies), WAIT_SECONDS)
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, path: str, cookie: str) -> None:
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            head = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{self.port}\r\nCookie: session={cookie}\r\n\r\n"
            writer.write(head.encode())
            await reader.readuntil(b"retry: ")
            self._open += 1
            while True:
                await reader.readuntil(b"event: request\n")
                self.arrived.append(time.time())
        finally:
            writer.close()

    async def all_have(self, since: float) -> list[float]:
        """Wait until all streams have the event; returns the seconds after `since` that each took, and starts anew."""
        await until(lambda: len(self.arrived) >= len(self._tasks), WAIT_SECONDS)
        found, self.arrived = [moment - since for moment in self.arrived], []
        return found


async def event_on_pages(place: Place, say: Callable[[str], None]) -> dict[str, float]:
    """Milliseconds from writing an event until 500 streams have it, and the same for a bare endpoint."""
    say(f"{STREAMS} open pages, {EVENTS} events")
    ours = quantiles(await _ours(place), n=100)
    bare = quantiles(await _bare(place), n=100)
    return {
        OURS: ours[98] * 1000,
        BARE: bare[98] * 1000,
        "ratio: event on 500 pages / bare endpoint": ours[98] / bare[98],
    }


async def _ours(place: Place) -> list[float]:
    port = free_port()
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(deployment(place, "watching"))
        environment = running.environment | {"COUNTERSIGN_PORTAL_PORT": str(port)}
        portal = process(place, "-m", "portal", "serve", ready="running on", **environment)
        await stack.enter_async_context(portal)
        approval_id = await running.ask(0)
        streams = Streams(port)
        last = await asyncio.to_thread(running.store.events.last_version)
        async with streams.open(f"/live?after={last}", _cookies(running)):
            return await _measured(streams, lambda: asyncio.to_thread(_happen, running, approval_id))


async def _measured(streams: Streams, happen: Callable[[], Awaitable[float]]) -> list[float]:
    found = []
    for _ in range(EVENTS):
        await asyncio.sleep(QUIET_SECONDS)
        found += await streams.all_have(await happen())
    return found


def _happen(running: Deployment, approval_id: int) -> float:
    """Write an event; returns the moment before."""
    moment = time.time()
    event = AuditEvent(kind="asked_again", at=datetime.now(UTC), who="bench")
    with running.store.database.transaction() as connection:
        append(connection, approval_id, [event])
    return moment


def _cookies(running: Deployment) -> list[str]:
    """A session for each stream, as each is another browser's: an admin's, or an approver's."""
    now = datetime.now(UTC)
    row = {"signed_in_by": "link", "browser": "bench", "source_address": HOST}
    people = ["grace"] * ASKED + ["ada"] * (STREAMS - ASKED)
    times = {"started_at": now, "confirmed_at": now, "ends_at": now + timedelta(hours=1)}
    with running.store.database.transaction() as connection:
        return [sessions.start(connection, row | times | {"person": person}) for person in people]


async def _bare(place: Place) -> list[float]:
    port = free_port()
    async with process(place, "-m", "benchmarks.watching", str(port), ready="running on"):
        streams = Streams(port)
        async with streams.open("/live", [""] * STREAMS):
            return await _measured(streams, lambda: _happen_at(port))


async def _happen_at(port: int) -> float:
    """Have the bare endpoint send an event; returns the moment before."""
    reader, writer = await asyncio.open_connection(HOST, port)
    moment = time.time()
    writer.write(f"POST /event HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await reader.read()
    writer.close()
    return moment


class Bare:
    """The simplest live stream: everybody who listens is sent the same line as soon as something happens."""

    def __init__(self) -> None:
        self.happened = asyncio.Event()

    async def event(self, _: Request) -> Response:
        """Have something happen."""
        self.happened.set()
        self.happened = asyncio.Event()
        return Response()

    async def live(self, _: Request) -> Response:
        """Stream what happens."""
        return StreamingResponse(self._lines(), media_type="text/event-stream")

    async def _lines(self) -> AsyncIterator[str]:
        yield "retry: 2000\n\n"
        while True:
            await self.happened.wait()
            yield "event: request\nid: 1\ndata: {}\n\n"


def main() -> None:
    """Serve the bare stream on a loopback port."""
    bare = Bare()
    routes = [Route("/event", bare.event, methods=["POST"]), Route("/live", bare.live)]
    uvicorn.run(Starlette(routes=routes), host=HOST, port=int(sys.argv[1]), log_level="info")


if __name__ == "__main__":
    main()
