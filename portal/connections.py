"""Closes connections whose client sends or reads too slowly, and so makes room for others.

uvicorn has a timeout for a connection between two requests, and none within one.
"""

import asyncio
import resource
from typing import Any, Literal

import h11
from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

# How long a client may take to send the head of a request, after connecting or its first byte.
HEAD_SECONDS = 10.0
# And its body: 32 MB at half a megabyte a second.
BODY_SECONDS = 60.0
# And to read on when a reply has filled the buffers.
READ_SECONDS = 30.0
# How long a connection is kept after a reply: longer than a proxy keeps it (nginx 60 seconds, Caddy 120). If we closed
# it first, a request that the proxy sends at that moment would be lost, and its client would get 502.
# https://nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive_timeout
# https://caddyserver.com/docs/caddyfile/directives/reverse_proxy#keepalive
IDLE_SECONDS = 130
# How many are accepted in one turn of the loop.
ACCEPTED_AT_ONCE = 32
# File descriptors for all else: the database, Temporal, and connections accepted while others are being closed.
RESERVED_DESCRIPTORS = 256
FEWEST_CONNECTIONS = 16

# The key in a request's state for the address that its connection comes from.
PEER = "peer"

TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

Slow = Literal["idle", "head", "body", "reading"]
SECONDS: dict[Slow, float] = {
    "idle": IDLE_SECONDS,
    "head": HEAD_SECONDS,
    "body": BODY_SECONDS,
    "reading": READ_SECONDS,
}


def most_connections(wanted: int) -> int:
    """How many connections there may be: as many as wanted, within the limit of files that the process may open."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return wanted
    return max(min(wanted, descriptors - RESERVED_DESCRIPTORS), FEWEST_CONNECTIONS)


def address_of(request: Request) -> str:
    """The address that a call comes from, according to the server, which believes some proxies about it."""
    return request.client.host if request.client else ""


class Room:
    """How many connections there may be, and those that wait for their client, by its address, the oldest first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.seconds = dict(SECONDS)
        self._slow: dict[str, dict[Connection, None]] = {}

    def wait(self, connection: "Connection") -> None:
        """Note that its client has to send or read."""
        self._slow.setdefault(connection.source, {})[connection] = None

    def go_on(self, connection: "Connection") -> None:
        """Note that its client has sent or read, or is gone."""
        of_source = self._slow.get(connection.source, {})
        of_source.pop(connection, None)
        if not of_source:
            self._slow.pop(connection.source, None)

    def make(self) -> bool:
        """Close the oldest waiting connection of the address that has most of them; returns whether there was one."""
        if not self._slow:
            return False
        most: dict[Connection, None] = max(self._slow.values(), key=len)
        next(iter(most)).drop()
        return True


class Connection(H11Protocol):
    """A connection with a timeout for each thing its client has to do; if all are taken, it makes room for itself."""

    def __init__(self, room: Room, **options: Any) -> None:
        super().__init__(**options)
        self.room = room
        self.source = ""
        self._slow: Slow | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept it; if there is no room, close one that waits for its client instead, or else refuse this one."""
        super().connection_made(transport)
        self.source = self.client[0] if self.client else ""
        # A proxy's header may change a request's `client`, but never this.
        self.app_state = {**self.app_state, PEER: self.source}
        if len(self.connections) > self.room.most and not self.room.make():
            transport.write(FULL)
            transport.close()
            return
        self._look()

    def data_received(self, data: bytes) -> None:
        """Go on with what came."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """The client has to read on."""
        super().pause_writing()
        self._look()

    def resume_writing(self) -> None:
        """The client has read on."""
        super().resume_writing()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        self._wait_for(None)

    def drop(self) -> None:
        """Close it without a reply."""
        self._wait_for(None)
        self.transport.abort()

    def _look(self) -> None:
        """Set the timeout for what the client has to do now, if anything; doing part of it gives no more time."""
        slow = self._has_to_do() if not self.transport.is_closing() else None
        if slow != self._slow:
            self._wait_for(slow)

    def _has_to_do(self) -> Slow | None:
        if self.flow.write_paused:
            return "reading"
        if self.conn.their_state is h11.IDLE:
            return "idle" if self.cycle and not self.conn.trailing_data[0] else "head"
        # While we don't read a body, its sender is not to blame.
        if self.conn.their_state is h11.SEND_BODY and not self.flow.read_paused:
            return "body"
        return None

    def _wait_for(self, slow: Slow | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.room.go_on(self)
        self._slow = slow
        if slow is not None:
            self._timer = self.loop.call_later(self.room.seconds[slow], self._time_out)
            self.room.wait(self)

    def _time_out(self) -> None:
        """Close it; a client that has sent part of a request gets the reason, unless a reply has begun."""
        slow, cycle = self._slow, self.cycle
        if slow == "reading":
            self.drop()  # its client would have to read a reason, too
            return
        self._wait_for(None)
        if slow == "body" and not cycle.response_started:
            cycle.disconnected = True
            cycle.message_event.set()
            self.transport.write(TIMED_OUT)
        elif slow == "head" and self.conn.trailing_data[0]:
            self.transport.write(TIMED_OUT)
        self.transport.close()
