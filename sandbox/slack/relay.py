"""The first process in a network namespace of its own: raises the loopback, starts local-slack, carries connections in
and out.

Run by server.py as `relay.py FOLDER PORT HOOK_PORT COMMAND ...`. In: the unix socket FOLDER/in to PORT, where
local-slack listens. Out: HOOK_PORT, where local-slack calls the app, to the unix socket FOLDER/out. It ends, and with
it everything in the namespace, when its standard input is closed, even because whoever started it was killed.
"""

import asyncio
import fcntl
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

HOST = "127.0.0.1"
SIOCSIFFLAGS = 0x8914  # netdevice(7)
IFF_UP = 1
CHUNK = 65536

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def raise_loopback() -> None:
    """Bring the loopback up, which is down in a new network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))


def carrying_to(connect: Callable[[], Awaitable[Connection]]) -> Callable[..., Awaitable[None]]:
    """A server's handler that carries each connection on to a new one."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await connect()
        except (OSError, asyncio.CancelledError):  # the latter when the relay ends, which is no error
            writer.close()
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    return carry


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def _closed_input() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


async def main(folder: Path, port: int, hook_port: int, command: list[str]) -> None:
    """Carry until the standard input is closed, or local-slack has ended."""
    raise_loopback()
    outward = carrying_to(lambda: asyncio.open_unix_connection(str(folder / "out")))
    inward = carrying_to(lambda: asyncio.open_connection(HOST, port))
    await asyncio.start_server(outward, HOST, hook_port)
    await asyncio.start_unix_server(inward, str(folder / "in"))
    slack = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    ends = [asyncio.create_task(_closed_input()), asyncio.create_task(slack.wait())]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
