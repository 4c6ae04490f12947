"""Connections to targets, which the gate service opens, and cuts."""

import asyncio
import os
import socket
from contextlib import suppress

from countersign.errors import Unavailable

CONNECT_SECONDS = 10.0
BUFFER_BYTES = 256 * 1024


async def connected(device: str, address: str, port: int) -> socket.socket:
    """A connected socket that blocks; Unavailable if nothing answers."""
    loop = asyncio.get_running_loop()
    why = "no address"
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            for family, kind, number, _, place in await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM):
                target = socket.socket(family, kind, number)
                try:
                    target.setblocking(False)
                    await loop.sock_connect(target, place)
                except OSError as error:
                    target.close()
                    why = os.strerror(error.errno) if error.errno else "no answer"
                except BaseException:
                    target.close()
                    raise
                else:
                    return _ready(target)
    except TimeoutError:
        why = "no answer in time"
    except socket.gaierror:
        why = "its address is unknown"
    raise Unavailable(f"{device} can't be reached at port {port} ({why}); tell whoever runs it.")


async def opened(device: str, address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection as streams; Unavailable if nothing answers."""
    target = await connected(device, address, port)
    target.setblocking(False)
    return await asyncio.open_connection(sock=target, limit=BUFFER_BYTES)


async def pass_on(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    """Pass bytes on until either side ends."""
    with suppress(OSError):
        while part := await source.read(BUFFER_BYTES):
            to.write(part)
            await to.drain()


def cut(target: socket.socket) -> None:
    """End the connection, also for the client that it was passed to."""
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
    target.close()


def _ready(target: socket.socket) -> socket.socket:
    target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    target.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    target.setblocking(True)
    return target
