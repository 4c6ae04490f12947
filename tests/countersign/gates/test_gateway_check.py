"""The gateway check, against a gateway that does everything right and one that does much of it wrong."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from countersign.errors import CountersignError
from countersign.gates.access import Access, Wanted
from countersign.gates.targets import pass_on
from countersign.http import Api
from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.tasks import first_of
from tests.countersign.gates.gate_installation import GateInstallation
from tests.countersign.installation import Run

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def relayed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Pass bytes on both ways until one side is closed."""
    target_reader, target_writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await first_of(pass_on(reader, target_writer), pass_on(target_reader, writer))
    finally:
        target_writer.close()


class RightGate:
    """Asks, waits, relays, and ends with the grant."""

    def __init__(self, api: Api, device: str, port: int) -> None:
        self.api, self.device, self.port = api, device, port

    async def follow(self) -> None:
        self.access = Access(self.api, grace=60, retry_within=1)
        await self.access.run()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wanted = Wanted("alice", self.device, "ssh", writer.get_extra_info("peername")[0])
        first = await reader.read(65536)
        asking, gone = asyncio.create_task(self.access.ask(wanted, lambda _: None)), asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({asking, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                return
            session = asking.result()
            gone.cancel()
            await asyncio.sleep(0)
            reader.feed_data(first)
            relaying = asyncio.create_task(relayed(reader, writer, self.port))
            await asyncio.wait({relaying, asyncio.create_task(session.ended())}, return_when=asyncio.FIRST_COMPLETED)
            relaying.cancel()
        except CountersignError as error:
            writer.write(f"{error}\n".encode())
            with suppress(OSError):
                await writer.drain()
        finally:
            asking.cancel()
            gone.cancel()
            writer.close()


class WrongGate:
    """Lets everybody in at once, asks all the same, and never looks at the outcome."""

    def __init__(self, api: Api, device: str, port: int) -> None:
        self.api, self.device, self.port = api, device, port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = ConnectionQuestion(requester="alice", device=self.device, protocol=ConnectionProtocol.SSH)
        asking = asyncio.create_task(asyncio.to_thread(self.api.ask, question))
        try:
            await relayed(reader, writer, self.port)
            await asking
        finally:
            writer.close()


@contextmanager
def listening(serve: Serve, also: Callable[[], Awaitable[object]] | None = None) -> Iterator[int]:
    """Serve on a port until the end of the block."""
    loop, ready, ports = asyncio.new_event_loop(), threading.Event(), list[int]()
    over = asyncio.Event()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        following = asyncio.ensure_future(also()) if also else None
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await over.wait()
        server.close()
        if following:
            following.cancel()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    assert ready.wait(30)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(60)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def checked(command: Run, gates: GateInstallation, port: int, device: str, *more: object) -> tuple[int, dict[str, str]]:
    portal = ["--url", gates.installation.url, "--token", gates.installation.tokens["grace"]]
    options = ["--device", device, "--protocol", "ssh", "--person", "alice", *portal, *more]
    ran = command("gate", "check", f"tcp://127.0.0.1:{port}", *options, "--json")
    assert isinstance(ran.json, list), ran.out
    return ran.code, {one["part"]: one["state"] for one in ran.json}


def test_a_gate_that_does_it_right_passes_every_check(command: Run, gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    with Api(gates.installation.url, gates.token) as api:
        gate = RightGate(api, device, gates.echo.port)
        with listening(gate.serve, gate.follow) as port:
            code, found = checked(command, gates, port, device)
    assert {name: state for name, state in found.items() if state != "ok"} == {}
    assert code == 0
    assert list(found)[:4] == [
        "somebody connects, and the gateway asks",
        "it asks with a gateway's token",
        "it says where the connection comes from",
        "3 connections are one request",
    ]
    assert "what it said then" in found


def test_a_gate_that_lets_everybody_in_fails_and_is_told_what_to_do(
    command: Run, gate_installation: GateInstallation
) -> None:
    gates, device = gate_installation, gate_installation.device()
    with Api(gates.installation.url, gates.installation.tokens["alice"]) as api:
        gate = WrongGate(api, device, gates.echo.port)
        with listening(gate.serve) as port:
            code, found = checked(command, gates, port, device, "--gone-within", "2s", "--patience", "3s")
    assert code == 1
    assert {name for name, state in found.items() if state != "ok"} == {
        "it asks with a gateway's token",
        "it says where the connection comes from",
        "nothing comes through before the yes",
        "a revocation cuts the connection within 2 s",
        "a rejection closes the connection",
        "a person who has gone leaves no request behind",
    }


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("tcp://127.0.0.1", "is not a gateway's address"),
        ("ssh://127.0.0.1:22", "is not a gateway's address"),
        ("tcp://127.0.0.1:1/x", "is not a gateway's address"),
        ("not an address", "is not a gateway's address"),
    ],
)
def test_what_is_no_address_is_said(command: Run, url: str, message: str) -> None:
    ran = command("gate", "check", url, "--device", "db-1", "--protocol", "ssh", "--person", "alice")
    assert ran.code == 2
    assert message in ran.err


def test_what_is_open_already_is_not_answered_in_passing(command: Run, gate_installation: GateInstallation) -> None:
    gates, device = gate_installation, gate_installation.device()
    with gates.api("alice") as api:
        number = api.ask(
            ConnectionQuestion(requester="alice", device=device, protocol=ConnectionProtocol.SSH)
        ).approval_id
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        portal = ["--url", gates.installation.url, "--token", gates.installation.tokens["grace"]]
        ran = command("gate", "check", url, "--device", device, "--protocol", "ssh", "--person", "alice", *portal)
    assert (ran.code, f"#{number} waits: end it first" in ran.err) == (2, True)
