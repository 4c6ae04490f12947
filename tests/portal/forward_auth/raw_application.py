"""An application with a WebSocket and downloads, and what talks to it through a proxy and the relay."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.countersign.gates.portal_behind import PortalBehind
from tests.portal.forward_auth.applications import HOST, Scene

MEGABYTE = 1024 * 1024
LARGE = 64
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}


@dataclass
class RawApplication:
    """An application that keeps the heads of its requests; it has a WebSocket, and a download without an end."""

    heads: list[str] = field(default_factory=list)
    open: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        self.open += 1
        try:
            await self._answer(head, reader, writer)
        except OSError:
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = head.split()[1]
        if path == "/socket":
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
            while data := await reader.read(1000):
                writer.write(data)
        elif path == "/download":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                # nginx passes on nothing before it has 4 kB.
                writer.write(b"1000\r\n%s\r\n" % b"hello".ljust(0x1000))
                await writer.drain()
                await asyncio.sleep(0.02)
        elif path == "/large":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (LARGE * MEGABYTE))
            for _ in range(LARGE):
                writer.write(bytes(MEGABYTE))
                await writer.drain()
        elif path == "/silent":
            await reader.read()
        elif path == "/chunked":
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        else:
            size = int(next((one[16:] for one in head.splitlines() if one.lower().startswith("content-length: ")), "0"))
            body = await reader.readexactly(size)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body) + 2, b"ok" + body))
            await writer.drain()


@dataclass
class Relayed:
    """Applications behind a proxy and the relay. `path` is the relay's socket, `portal` what it asks, if known."""

    scene: Scene
    application: RawApplication
    path: Path
    portal: PortalBehind | None = None

    async def connected(
        self, path: str, cookies: Mapping[str, str], more: Mapping[str, str], host: str = HOST
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
        """A connection through the proxy, and the head of the response."""
        context = ssl.create_default_context(cadata=self.scene.certificate)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        reader, writer = await asyncio.open_connection("127.0.0.1", self.scene.port, ssl=context, server_hostname=host)
        own = {"Host": f"{host}:{self.scene.port}", "Cookie": "; ".join(f"{n}={v}" for n, v in cookies.items())}
        head = "".join(f"{name}: {value}\r\n" for name, value in (own | dict(more)).items())
        writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        return reader, writer, (await reader.readuntil(b"\r\n\r\n")).decode()

    @asynccontextmanager
    async def talking(
        self, cookies: Mapping[str, str], host: str = HOST
    ) -> AsyncIterator[Callable[[], Awaitable[object]]]:
        """A WebSocket and a download, both under way; yields a function that waits until both are over."""
        talk, say, head = await self.connected("/socket", cookies, UPGRADE, host)
        assert head.startswith("HTTP/1.1 101"), head
        say.write(b"42")
        assert await talk.readexactly(7) == b"hello42"
        download, close, head = await self.connected("/download", cookies, {"Connection": "close"}, host)
        assert head.startswith("HTTP/1.1 200"), head
        assert b"hello" in await download.read(100)
        yield lambda: asyncio.gather(until_over(talk), until_over(download))
        for writer in (say, close):
            writer.transport.abort()


async def until_over(reader: asyncio.StreamReader) -> None:
    """Read on until there is no more."""
    try:
        while await reader.read(1000):
            pass
    except OSError:
        pass
