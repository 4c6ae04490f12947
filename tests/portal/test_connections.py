"""Connections that are held for nothing are closed in time, and never keep out those who ask something."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from portal.app import create_app
from portal.server import Server
from sandbox.temporal_server import free_port
from store import Store
from store.tokens import Owner
from tests.http_clients import plain_client
from tests.portal.context import POLICY, serving, until, without_temporal

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
HALF = b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n"
WHOLE = HALF + b"\r\n"
SOON = 0.2
PATIENCE = 120


@pytest_asyncio.fixture(loop_scope="session")
async def server(sqlite_url: str) -> AsyncIterator[Server]:
    """A portal of at most eight connections; each test sets how quick its clients have to be."""
    made = Server(create_app(without_temporal(sqlite_url)), "127.0.0.1", 0, 16)
    made.room.most = 8
    async with serving(made):
        yield made


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()


async def to_the_end(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the connection is closed."""
    async with asyncio.timeout(PATIENCE):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def health(server: Server) -> int:
    """The status of a health check on a connection of its own."""
    async with plain_client(timeout=PATIENCE) as client:
        return (await client.get(f"{server.url}/api/v1/health")).status_code


async def test_who_says_nothing_is_closed_without_a_word(server: Server) -> None:
    server.room.seconds["head"] = SOON
    async with connected(server) as (reader, _):
        assert await to_the_end(reader) == b""


async def test_who_does_not_finish_the_head_of_a_request_is_told_so(server: Server) -> None:
    server.room.seconds["head"] = SOON
    async with connected(server) as (reader, writer):
        writer.write(HALF)
        assert (await to_the_end(reader)).startswith(b"HTTP/1.1 408 ")


async def test_a_head_that_comes_in_drips_has_no_more_time(server: Server) -> None:
    server.room.seconds["head"] = 10 * SOON

    async def drip(writer: asyncio.StreamWriter) -> None:
        for n in range(1000):
            if writer.is_closing():  # to write then logs a warning
                return
            writer.write(f"X-{n}: y\r\n".encode())
            await asyncio.sleep(SOON / 4)

    async with connected(server) as (reader, writer):
        writer.write(HALF)
        dripping = asyncio.create_task(drip(writer))
        try:
            reply = await to_the_end(reader)
        finally:
            dripping.cancel()
        # A drip that reaches the closed connection resets it, and then the reply may be lost.
        assert reply.startswith(b"HTTP/1.1 408 ") or not reply


async def test_a_connection_stays_open_for_the_next_request_for_longer_than_a_head_may_take(server: Server) -> None:
    server.room.seconds["head"] = SOON
    async with connected(server) as (reader, writer):
        for _ in range(3):
            writer.write(WHOLE)
            await reply_of(reader)
            async with connected(server) as (silent, _):
                assert await to_the_end(silent) == b""
        writer.write(HALF)
        assert (await to_the_end(reader)).startswith(b"HTTP/1.1 408 ")


async def test_a_connection_on_which_nothing_more_is_asked_is_closed(server: Server) -> None:
    server.room.seconds["idle"] = SOON
    async with connected(server) as (reader, writer):
        writer.write(WHOLE)
        await reply_of(reader)
        assert await to_the_end(reader) == b""


async def reply_of(reader: asyncio.StreamReader) -> None:
    """Read the reply to a health check."""
    assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length
    await reader.readexactly(int(length[1]))


async def test_a_body_that_does_not_come_is_not_waited_for(
    server: Server, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.room.seconds["body"] = SOON
    store = Store(sqlite_url)
    apply_policy(store, POLICY, "ada")
    token = TokenActions(store).create(Owner(kind="person", name="ada", is_admin=True), "tests")
    for path in ("policy", "policy/check", "requests"):
        async with connected(server) as (reader, writer):
            writer.write(
                f"POST /api/v1/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                "Content-Type: application/json\r\nContent-Length: 100\r\n\r\nhalf of it".encode()
            )
            assert (await to_the_end(reader)).startswith(b"HTTP/1.1 408 ")
    await until(lambda: not server.server_state.tasks)
    assert [line for line in caplog.records if line.levelno >= logging.WARNING] == []
    store.close()


async def test_who_does_not_read_on_is_closed(server: Server) -> None:
    server.room.seconds["reading"] = SOON
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, server.servers[0].sockets[0].getsockname())
        asking = asyncio.create_task(
            loop.sock_sendall(client, b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
        )
        await until(lambda: len(server.server_state.connections) == 1)
        await until(lambda: not server.server_state.connections)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def test_where_all_connections_are_taken_the_idle_make_room(server: Server) -> None:
    async with connected(server) as (first, _):
        rest = [asyncio.open_connection(*server.servers[0].sockets[0].getsockname()) for _ in range(7)]
        others = await asyncio.gather(*rest)
        for _ in range(3):
            assert await health(server) == 503  # Temporal is away, the portal is not
        assert await to_the_end(first) == b""
        for _, writer in others:
            writer.close()


@pytest.mark.whole
@pytest.mark.no_cover
async def test_thousands_of_half_open_connections_leave_it_answering_and_its_log_short(
    tmp_path: Path, sqlite_url: str
) -> None:
    """The portal is a process that may open few files: they are enough for 64 connections, and hundreds are wanted."""
    port, log = free_port(), tmp_path / "log"
    told = os.environ | {
        "COUNTERSIGN_DATABASE_URL": sqlite_url,
        "COUNTERSIGN_PORTAL_PORT": str(port),
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
    }
    command = f"ulimit -n 320; exec {sys.executable} -m portal serve"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_shell(command, cwd=ROOT, env=told, stderr=errors)
    try:
        await until(lambda: b"Uvicorn running" in log.read_bytes())
        flood = asyncio.create_task(_flood(port))
        # From an address of its own, as a flood keeps out those at its own address.
        transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(transport=transport, timeout=PATIENCE) as client:
            for _ in range(5):
                reply = await client.get(f"http://127.0.0.1:{port}/api/v1/health", headers={"Connection": "close"})
                assert reply.json()["database"] is True
        assert not flood.done(), "the flood ended too soon"
        flood.cancel()
        await asyncio.gather(flood, return_exceptions=True)
    finally:
        process.terminate()
        await process.wait()
    written = log.read_text()
    assert "Traceback" not in written
    assert len(written) < 10_000


async def _flood(port: int) -> None:
    """Keep 400 half-open connections, each for as long as the portal lets it stay."""

    loop = asyncio.get_running_loop()

    async def hold() -> None:
        while True:
            with socket.socket() as one, suppress(OSError):
                one.setblocking(False)
                await loop.sock_connect(one, ("127.0.0.1", port))
                await loop.sock_sendall(one, HALF)
                await loop.sock_recv(one, 1)

    await asyncio.gather(*(hold() for _ in range(400)))
