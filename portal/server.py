"""The portal's server: uvicorn, which answers all waiters before it stops."""

import asyncio
import logging
import socket
import time
from collections.abc import Sequence
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from countersign.client import UPDATE_TIMEOUT
from portal.connections import ACCEPTED_AT_ONCE, IDLE_SECONDS, Connection, Room, most_connections

# How long a call may go on after the server was stopped: a little longer than an update of a request may take.
GRACE_SECONDS = int(UPDATE_TIMEOUT.total_seconds()) + 5
# How many connections the system queues until they are accepted.
QUEUED_CONNECTIONS = 1024
MOST_CONNECTIONS = 1000
# How often it is logged that no more files can be opened.
FULL_SECONDS = 60.0
NO_DESCRIPTORS = "socket.accept() out of system resource"

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Serves the application on `host` and `port` (0: any free one) until Ctrl-C or SIGTERM.

    `connections` is how many there may be; fewer if the process may not open that many files. `proxies` may say in
    `X-Forwarded-For` where a request comes from; if there are none, a proxy on this machine may.
    """

    def __init__(
        self,
        app: FastAPI,
        host: str,
        port: int,
        connections: int = MOST_CONNECTIONS,
        proxies: Sequence[IPv4Network | IPv6Network] = (),
    ) -> None:
        self.room = Room(most_connections(connections))
        # uvicorn's access log would hold queries, which name people; that of portal/access_log.py does not.
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=cast(type[asyncio.Protocol], partial(Connection, self.room)),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                forwarded_allow_ips=[str(one) for one in proxies] or None,
                backlog=ACCEPTED_AT_ONCE,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self.app = app
        self._full_said_at = -FULL_SECONDS

    @property
    def url(self) -> str:
        """Where it answers, once it has started."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        asyncio.get_running_loop().set_exception_handler(self._report)
        for server in self.servers:
            for one in server.sockets:
                # asyncio uses one number both for this queue and for how many it accepts in one turn.
                with one.dup() as same:
                    same.listen(QUEUED_CONNECTIONS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer all who wait for something to happen, then close."""
        self.app.state.context.feed.close()
        await super().shutdown(sockets)
        asyncio.get_running_loop().set_exception_handler(None)

    def _report(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error of the event loop; if no more files can be opened, make room, and log it only once a minute."""
        if context.get("message") != NO_DESCRIPTORS:
            loop.default_exception_handler(context)
            return
        self.room.make()
        if time.monotonic() - self._full_said_at >= FULL_SECONDS:
            self._full_said_at = time.monotonic()
            log.warning("no more files can be opened (%s); raise the limit (ulimit -n)", context.get("exception"))
