"""The portal behind a socket: uvicorn, which sends waiters home before it waits for them."""

import socket

import uvicorn
from fastapi import FastAPI

from countersign.client import UPDATE_SECONDS

# What is being answered when the server ends: an update of a request may take this long, and then some.
GRACE_SECONDS = int(UPDATE_SECONDS.total_seconds()) + 5


class Server(uvicorn.Server):
    """Serves the application on `host` and `port` (0: any free one) until Ctrl-C or SIGTERM."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        # Access lines would hold ids of people; errors are logged by the root's own settings.
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self.app = app

    @property
    def url(self) -> str:
        """Where it answers, once it has started."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Send home who waits for something to happen, then close."""
        self.app.state.house.feed.close()
        await super().shutdown(sockets)
