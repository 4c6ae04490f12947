"""The gate for RDP between FreeRDP and xrdp: nothing passes before the yes, and nothing after its end."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from countersign.rdp import rdp_file
from sandbox.temporal_server import free_port
from tests.countersign.gates.gate_installation import GateInstallation, GateProcess
from tests.countersign.gates.networks import SECONDS, wait_until
from tests.countersign.gates.rdp_host import COLOURS_OF_A_WINDOW, RdpHost, Screen, missing, rdp_host
from tests.countersign.gates.test_rdp_packet import NEGOTIATION, packet
from tests.countersign.installation import another_portal

HERE = "127.0.0.1"
WRONG = packet(f"Cookie: msts=cs_rdp_{'0' * 72}\r\n".encode() + NEGOTIATION)


@dataclass
class Rdp:
    """The installation with the gate, and the host behind it."""

    installation: GateInstallation
    host: RdpHost
    folder: Path

    @contextmanager
    def gate(self, url: str = "", grace: str = "5m") -> Iterator[tuple[GateProcess, int]]:
        """The gate service, and the port at which it listens for RDP."""
        port = free_port()
        self.installation.rdp_port = self.host.port
        with self.installation.service(url, grace, more=f'[rdp]\nlisten = "{HERE}:{port}"') as gate:
            wait_until(lambda: answers(port))
            gate.until_said("The portal answers.")
            yield gate, port

    def granted(self, person: str = "alice", minutes: int | None = None) -> int:
        """A request for RDP that Grace has approved; its number."""
        body = {"device": self.installation.device(), "protocol": "rdp", "source_address": HERE, "minutes": minutes}
        reply = self.post(person, "requests", body)
        number: int = reply.json()["approval_id"]
        self.installation.approve(number)
        return number

    def post(self, person: str, path: str, body: object = None) -> httpx.Response:
        inner = self.installation.installation
        headers = {"Authorization": f"Bearer {inner.tokens[person]}"}
        url = f"{inner.url}/api/v1/{path}"
        return httpx.post(url, json=body, headers=headers, trust_env=False, timeout=SECONDS)

    def file(self, number: int, person: str = "alice") -> Path:
        """The .rdp file that its requester is handed."""
        reply = self.post(person, f"requests/{number}/rdp-file")
        assert reply.status_code == 200, reply.text
        path = self.folder / f"{time.monotonic_ns()}.rdp"
        path.write_text(reply.text)
        return path

    def record(self, number: int) -> list[str]:
        with self.installation.api() as api:
            return [row.kind for row in api.timeline(number)]


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HERE, port)) == 0


def told(port: int, sent: bytes, source: str = HERE) -> bytes:
    """The first byte that comes back after this is sent; empty if the other side closes first."""
    with socket.create_connection((HERE, port), timeout=SECONDS, source_address=(source, 0)) as client:
        client.sendall(sent)
        try:
            return client.recv(1)
        except ConnectionResetError:
            return b""


def first_packet(file: Path) -> bytes:
    [line] = [one for one in file.read_text().splitlines() if one.startswith("loadbalanceinfo")]
    return packet(line.removeprefix("loadbalanceinfo:s:").encode() + b"\r\n" + NEGOTIATION)


@pytest.fixture(scope="module")
def rdp(gate_installation: GateInstallation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rdp]:
    if lacking := missing():
        pytest.skip(f"RDP needs {lacking}, which is not installed")
    folder = tmp_path_factory.mktemp("rdp")
    with rdp_host(folder) as host:
        yield Rdp(gate_installation, host, folder)


@pytest.fixture(scope="module")
def screen(rdp: Rdp) -> Iterator[Screen]:
    with Screen(rdp.folder) as made:
        yield made


@contextmanager
def client_of(screen: Screen, file: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    process = screen.connect(file, f"{HERE}:{port}")
    try:
        yield process
    finally:
        process.kill()
        process.wait(SECONDS)
        wait_until(lambda: screen.colours < COLOURS_OF_A_WINDOW)


def shows_the_login_window(screen: Screen, process: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: screen.colours > COLOURS_OF_A_WINDOW or process.poll() is not None)
    assert process.poll() is None


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long the block took to have a connection cut."""
    began = time.monotonic()
    yield
    print(f"cut {time.monotonic() - began:.2f} s after {what}")


def test_the_login_window_opens_and_closes_with_a_revocation(rdp: Rdp, screen: Screen) -> None:
    with rdp.gate() as (gate, port):
        number = rdp.granted()
        with client_of(screen, rdp.file(number), port) as process:
            shows_the_login_window(screen, process)
            assert "rdp_token_redeemed" in rdp.record(number)
            with timed("a revocation was sent"):
                rdp.installation.revoke(number)
                process.wait(SECONDS)
        gate.until_said("RDP of alice to")
        # When a client leaves by itself, its connection to the host ends too.
        with client_of(screen, rdp.file(rdp.granted()), port) as process:
            shows_the_login_window(screen, process)
        gate.until_said("it was closed")
        assert len(rdp.installation.requests("alice", rdp_device(rdp, number))) == 1


def rdp_device(rdp: Rdp, number: int) -> str:
    with rdp.installation.api() as api:
        return api.request(number).subject.target


def test_whoever_has_no_good_token_gets_no_byte_and_never_reaches_the_host(rdp: Rdp) -> None:
    with rdp.gate() as (_, port):
        before = rdp.host.connections
        number = rdp.granted()
        assert told(port, first_packet(rdp.file(number))) != b""
        assert rdp.host.connections == before + 1
        used = rdp.file(number)
        told(port, first_packet(used))
        for sent in (
            first_packet(used),
            packet(NEGOTIATION),
            packet(b"Cookie: mstshash=alice\r\n" + NEGOTIATION),
            WRONG,
            b"GET / HTTP/1.1\r\n\r\n",
            bytes(600),
        ):
            assert told(port, sent) == b"", sent
        elsewhere = first_packet(rdp.file(number))
        assert told(port, elsewhere, source="127.0.0.2") == b""
        assert told(port, elsewhere) == b""
        rdp.installation.revoke(number)
        over = rdp.post("alice", f"requests/{number}/rdp-file")
        assert over.status_code == 409
        assert rdp.host.connections == before + 2
        assert rdp.record(number).count("rdp_token_refused") == 4


def test_a_connection_ends_with_its_grant_and_with_its_person(rdp: Rdp) -> None:
    with rdp.gate() as (_, port), rdp.installation.api() as ada:
        number = rdp.granted()
        with connected(port, rdp.file(number)) as client, timed("giving back was sent"):
            assert rdp.post("alice", f"requests/{number}/give-back", {}).status_code == 200
            until_closed(client)
        policy = ada.policy().text
        bobs = rdp.file(rdp.granted("bob"), "bob")
        with connected(port, bobs) as client, timed("a policy that disables the person was sent"):
            ada.apply_policy(policy.replace("email: bob@", "disabled: true, email: bob@"))
            until_closed(client)
        ada.apply_policy(policy)


@pytest.mark.timeout(300)
def test_a_grant_that_runs_out_ends_its_connection(rdp: Rdp) -> None:
    with rdp.gate() as (_, port):
        number = rdp.granted(minutes=1)
        with connected(port, rdp.file(number)) as client, rdp.installation.api() as api:
            grant = api.request(number).grant
            assert grant
            until_closed(client)
            print(f"cut {time.time() - grant.ends_at.timestamp():.2f} s after the end")
            assert time.time() >= grant.ends_at.timestamp() - 1


def test_with_the_gate_or_the_portal_killed_nothing_stays_open(rdp: Rdp) -> None:
    with another_portal(rdp.installation.installation) as (url, portal), rdp.gate(url=url, grace="2s") as (gate, port):
        file, waiting = rdp.file(number := rdp.granted()), rdp.file(number)
        with connected(port, file) as client:
            portal.kill()
            with timed("the portal was killed, with a grace of 2 s"):
                assert told(port, first_packet(waiting)) == b""
                until_closed(client)
        gate.kill()
    with rdp.gate() as (gate, port):
        with connected(port, rdp.file(number)) as client:
            gate.kill()
            until_closed(client)
        assert not answers(port)
    assert len(rdp.installation.requests("alice", rdp_device(rdp, number))) == 1


@contextmanager
def connected(port: int, file: Path) -> Iterator[socket.socket]:
    """A connection that the host has answered."""
    with socket.create_connection((HERE, port), timeout=SECONDS) as client:
        client.sendall(first_packet(file))
        assert client.recv(4)[:1] == b"\x03"
        yield client


def until_closed(client: socket.socket) -> None:
    client.settimeout(4 * SECONDS)
    with suppress(ConnectionResetError):
        while client.recv(4096):
            pass


def test_a_source_that_holds_many_connections_open_keeps_out_nobody_else(rdp: Rdp) -> None:
    with rdp.gate() as (_, port):
        held = [socket.create_connection((HERE, port), source_address=("127.0.0.3", 0)) for _ in range(8)]
        with socket.create_connection((HERE, port), timeout=SECONDS, source_address=("127.0.0.3", 0)) as one_more:
            assert one_more.recv(1) == b""
        with connected(port, rdp.file(rdp.granted())):
            pass
        for one in held:
            one.close()


def test_a_source_that_tries_many_tokens_keeps_out_nobody_else(rdp: Rdp) -> None:
    with rdp.gate() as (gate, port):
        with ThreadPoolExecutor(6) as pool:
            assert set(pool.map(lambda _: told(port, WRONG, source="127.0.0.4"), range(90))) == {b""}
        gate.until_said("too many tokens came from there within a minute")
        assert told(port, first_packet(rdp.file(rdp.granted()))) != b""


def test_many_sources_together_keep_out_nobody_who_was_handed_a_file(rdp: Rdp) -> None:
    sources = [f"127.0.1.{n}" for n in range(1, 41)]
    with rdp.gate() as (gate, port):
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(lambda source: told(port, WRONG, source=source), sources * 10)) == {b""}
        gate.until_said("from where nobody was handed a file")
        file = rdp.file(rdp.granted())
        held = [socket.create_connection((HERE, port), source_address=(one, 0)) for one in sources * 8]
        gate.until_said("too many wait to be let in")
        # The gate hears of the file within a second; the file is no longer good once it has let somebody in.
        wait_until(lambda: told(port, first_packet(file)) != b"")
        for one in held:
            one.close()


def test_the_file_holds_the_gate_and_the_token_and_nothing_else_of_anybody() -> None:
    assert rdp_file("rdp.example.com", "cs_rdp_1").splitlines() == [
        "full address:s:rdp.example.com",
        "loadbalanceinfo:s:Cookie: msts=cs_rdp_1",
        "prompt for credentials:i:1",
        "autoreconnection enabled:i:0",
    ]
