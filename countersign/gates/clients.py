"""The connections of the gate service's clients."""

import asyncio
import socket
from contextlib import suppress

from countersign.errors import BadQuestion
from countersign.gates import protocol
from countersign.gates.protocol import Message, line_of
from countersign.gates.unix_sockets import uid_of

FIRST_LINE_SECONDS = 10.0
# More than a client that still reads would leave unread.
MOST_UNREAD_BYTES = 256 * 1024
# How long a client may take to close what it was told to close.
CLOSING_SECONDS = 0.5


class Client:
    """The connection of one client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer
        writer.transport.set_write_buffer_limits(0)
        self.uid = uid_of(writer.get_extra_info("socket"))

    def send(self, message: Message) -> None:
        """Send a message; a client that leaves too much unread is cut off."""
        transport = self._writer.transport
        transport.write(line_of(message))
        if transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
            transport.abort()

    def say(self, sentence: str) -> None:
        """Tell its person something."""
        self.send({"say": sentence})

    async def pass_on(self, message: Message, target: socket.socket) -> None:
        """Send a message, and with it a connected socket; OSError if the client is gone or doesn't read."""
        await self._writer.drain()
        with self._writer.get_extra_info("socket").dup() as own:
            line = line_of(message)
            if socket.send_fds(own, [line], [target.fileno()]) < len(line):
                raise BlockingIOError

    async def first(self) -> Message:
        """The client's first message; BadQuestion if its first line isn't one, or does not come in time."""
        try:
            async with asyncio.timeout(FIRST_LINE_SECONDS):
                return protocol.message_of(await self.reader.readuntil(b"\n"))
        except (TimeoutError, asyncio.LimitOverrunError, ValueError):
            raise BadQuestion("The first line must be one JSON object, and come at once.") from None

    async def disconnected(self) -> bool:
        """Wait until the client goes or sends a line; returns whether that line withdraws its question."""
        with suppress(OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return protocol.message_of(await self.reader.readuntil(b"\n")).get("cancel") is True
        return False

    async def close(self) -> None:
        """Close the connection once everything is sent; abort it if the client doesn't read within CLOSING_SECONDS."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                await self._writer.drain()
        self._writer.transport.abort() if self._writer.transport.get_write_buffer_size() else self._writer.close()
