"""Many people at once at the gate for RDP, each with their own token, and its limits on connections without a grant."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from countersign.gates.followed_requests import MOST_READING
from countersign.gates.rdp import MOST_IN_ALL, MOST_OF_ONE
from engine.credentials.tokens import TokenActions
from sandbox.temporal_server import free_port
from store import Store
from store.tokens import Owner
from tests.countersign.gates.gate_installation import CROWD, Echo, GateInstallation, GateProcess
from tests.countersign.gates.networks import SECONDS, wait_until
from tests.countersign.gates.portal_behind import portal_behind
from tests.countersign.gates.test_rdp import HERE, answers, first_packet, told, until_closed
from tests.countersign.gates.test_rdp_packet import NEGOTIATION, packet
from tests.local_servers import answering

# How many people ask the portal at the same time; their connections all come at once.
ASKING = 20
UNKNOWN = packet(f"Cookie: msts=cs_rdp_{'0' * 72}\r\n".encode() + NEGOTIATION)


@contextmanager
def rdp_gate(gates: GateInstallation, url: str = "") -> Iterator[tuple[GateProcess, int]]:
    """The gate service, and the port at which it listens for RDP."""
    port = free_port()
    with gates.service(url, more=f'[rdp]\nlisten = "{HERE}:{port}"') as gate:
        try:
            gate.until_said("The portal answers.")
            wait_until(lambda: answers(port))
            yield gate, port
        finally:
            print(gate.said.read_text())  # shown if the test fails


@contextmanager
def echoing(gates: GateInstallation) -> Iterator[Echo]:
    """A host for RDP that sends back what it gets."""
    with answering(Echo()) as host:
        gates.rdp_port = host.port
        yield host


@dataclass
class Person:
    """Somebody with a machine of their own, and the number of their request."""

    portal: httpx.Client
    source: str
    number: int = 0

    def ask(self, device: str) -> None:
        """Get a grant, which nobody has to approve."""
        body = {"device": device, "protocol": "rdp", "source_address": self.source}
        self.number = self.portal.post("requests", json=body).json()["approval_id"]
        wait_until(lambda: self.portal.get(f"requests/{self.number}").json()["grant"])

    def first_packet(self, folder: Path) -> bytes:
        """What their client sends first, with a file that they are handed now."""
        reply = self.portal.post(f"requests/{self.number}/rdp-file")
        assert reply.status_code == httpx.codes.OK, reply.text
        file = folder / f"{self.number}.rdp"
        file.write_text(reply.text)
        return first_packet(file)

    def connect(self, port: int) -> socket.socket:
        return socket.create_connection((HERE, port), SECONDS, (self.source, 0))


@contextmanager
def machines(gates: GateInstallation, names: list[str]) -> Iterator[list[Person]]:
    """These people, each at an address of their own."""
    store = Store(gates.installation.settings["COUNTERSIGN_DATABASE_URL"])
    tokens = [TokenActions(store).create(Owner(kind="person", name=one), "tests") for one in names]
    store.close()
    with ExitStack() as stack:
        people = []
        for n, token in enumerate(tokens, 1):
            portal = httpx.Client(
                base_url=f"{gates.installation.url}/api/v1/",
                headers={"Authorization": f"Bearer {token}"},
                transport=httpx.HTTPTransport(local_address=f"127.0.2.{n}"),
                timeout=SECONDS,
            )
            people.append(Person(stack.enter_context(portal), f"127.0.2.{n}"))
        yield people


def let_in(client: socket.socket, sent: bytes) -> None:
    """Have the host answer what the client sends first."""
    client.sendall(sent)
    assert client.recv(len(UNKNOWN)) == packet(NEGOTIATION)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("many", [30, pytest.param(100, marks=pytest.mark.whole)])
def test_many_people_connect_at_once_and_each_leaves_with_their_grant(
    gate_installation: GateInstallation, tmp_path: Path, many: int, capsys: pytest.CaptureFixture[str]
) -> None:
    gates, device, pool = gate_installation, gate_installation.device(), ThreadPoolExecutor(ASKING)
    with echoing(gates) as host, rdp_gate(gates) as (_, port), machines(gates, CROWD[:many]) as people, pool:
        list(pool.map(lambda one: one.ask(device), people))
        packets = list(pool.map(lambda one: one.first_packet(tmp_path), people))
        began = time.monotonic()
        clients = [one.connect(port) for one in people]
        for client, sent in zip(clients, packets, strict=True):
            client.sendall(sent)
        # Unknown tokens among them get nothing through.
        unknown = [pool.submit(told, port, UNKNOWN, f"127.0.3.{n}") for n in range(ASKING)]
        for client in clients:
            assert client.recv(len(UNKNOWN)) == packet(NEGOTIATION)
        through = time.monotonic() - began
        assert {one.result() for one in unknown} == {b""}
        assert host.connected == many
        began = time.monotonic()
        with gates.api() as admin:
            for one in people:
                admin.revoke(one.number, "")
        revoked = time.monotonic() - began
        for client in clients:
            until_closed(client)
            client.close()
    with capsys.disabled():
        print(
            f"\n{many} people: {through:.1f} s until all were through; {revoked:.1f} s until all their grants were "
            f"revoked, and {time.monotonic() - began - revoked:.1f} s more until the last was cut."
        )


def test_reading_the_requests_of_those_who_are_in_holds_up_nobody_who_comes(
    gate_installation: GateInstallation, tmp_path: Path
) -> None:
    gates, device = gate_installation, gate_installation.device()
    with (
        ExitStack() as stack,
        portal_behind(gates.installation.url) as portal,
        echoing(gates),
        rdp_gate(gates, portal.url) as (_, port),
        machines(gates, CROWD[: MOST_READING + 1]) as [comer, *people],
    ):
        for one in (comer, *people):
            one.ask(device)
        for one in people:
            let_in(stack.enter_context(one.connect(port)), one.first_packet(tmp_path))
        portal.held = {f"GET /api/v1/requests/{one.number}" for one in people}
        for one in people:
            one.first_packet(tmp_path)  # an event that has the gate read their request again
        wait_until(lambda: len(portal.waiting) >= MOST_READING)
        let_in(stack.enter_context(comer.connect(port)), comer.first_packet(tmp_path))


def test_connections_that_say_nothing_take_all_places_for_no_longer_than_a_first_packet_may(
    gate_installation: GateInstallation,
) -> None:
    with rdp_gate(gate_installation) as (gate, port):
        sources = [f"127.0.4.{n}" for n in range(1, MOST_IN_ALL // MOST_OF_ONE + 1)]
        silent = [socket.create_connection((HERE, port), SECONDS, (one, 0)) for one in sources * MOST_OF_ONE]
        wait_until(lambda: told(port, b"", "127.0.5.1") == b"" and "too many wait" in gate.said.read_text())
        for one in silent:
            until_closed(one)
            one.close()
        assert told(port, UNKNOWN, "127.0.5.1") == b""
        gate.until_said("This routing token opens nothing here")
