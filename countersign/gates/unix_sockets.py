"""Unix sockets that any account of the host may connect to, as the kernel says which account did (unix(7))."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from countersign.errors import BadQuestion

# struct ucred
CREDENTIALS = struct.Struct("3i")

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def uid_of(client: Any) -> int:
    """The number of the account at the other end of a Unix socket."""
    _, uid, _ = CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
    return int(uid)


async def listening(path: Path, serve: Serve, limit: int, backlog: int = 100) -> asyncio.Server:
    """Listen at `path`, whose folder is made if there is none; BadQuestion if that is not possible.

    `limit` is that of the reader, in bytes.
    """

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Python 3.11 logs a task that is cancelled here as an error, but the end of the service isn't one.
        with suppress(asyncio.CancelledError):
            await serve(reader, writer)

    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
            path.parent.chmod(0o755)  # whatever the umask is: every account has to find the socket
        server = await asyncio.start_unix_server(served, path, limit=limit, backlog=backlog)
        os.chmod(path, 0o666)  # noqa: S103
    except OSError as error:
        why = f"The gate can't listen at {path}: {error.strerror or error}"
        raise BadQuestion(f"{why}. Name another place, or run this as root.") from None
    return server
