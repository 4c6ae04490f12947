"""Somebody who is at one step at a gate while a part is killed: their client and their request."""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import httpx

from countersign.models import Status
from countersign.rdp import VARIANT
from countersign.views import RequestView
from tests.countersign.gates.killable import PARTS, Killable, Target
from tests.countersign.gates.networks import SECONDS, wait_until
from tests.countersign.gates.pam_host import Dialogue
from tests.countersign.gates.test_rdp_packet import NEGOTIATION, packet

GATES = ["ssh", "pam", "rdp"]
# What somebody does, or what is done to them, when a part is killed.
STEPS = {
    "asks": "they ask while the part is away",
    "asked": "they have asked, and the gate has not heard that their request is open",
    "waits": "they wait all the time, and the yes comes by mail while the part is away",
    "leaves": "they wait, and go while the part is away",
    "approved": "the yes was given when the part is killed, and the gate has not heard of it",
    "open": "their session is open",
    "revoked": "their session is open, and is revoked while the part is away",
    "ends": "their session is open, and its grant ends while the part is away",
}
# Without these parts the gates still hear from the portal.
NOT_BETWEEN = ["worker", "temporal"]
# Each waits at an address of its own, as only few may wait at the same one.
SOURCES = {step: f"127.0.1.{number}" for number, step in enumerate(STEPS, 1)}
PAM_PEOPLE = [f"pam-{step}" for step in STEPS]


def steps_at(part: str, gate: str) -> list[str]:
    """The steps that make a difference at this gate when this part is killed.

    Nobody waits at the gate for RDP. If the gate can't hear of a grant's end and sessions are cut anyway, `revoked` and
    `ends` are the same as `open`.
    """
    hears = part in NOT_BETWEEN or (part == "gate service" and gate == "pam")
    absent = {"asks", "asked", "leaves"} if gate == "rdp" else set()
    return [step for step in STEPS if step not in absent | (set() if hears else {"revoked", "ends"})]


def stays_open(part: str, gate: str) -> bool:
    """Whether a session outlives the kill. What PAM has let in no longer needs the gate service."""
    return part in NOT_BETWEEN or (part == "gate service" and gate == "pam")


class Client(Protocol):
    """Somebody's connection. It sends its mark at once, and what is behind the gate sends that back."""

    def is_in(self) -> bool:
        """Whether the mark has come back."""

    def is_over(self) -> bool:
        """Whether it has been ended."""

    def has_passed(self) -> bool:
        """Whether anything of it has ever come through the gate."""

    def is_left(self) -> bool:
        """Whether anything of it is behind the gate now."""

    def is_carried(self) -> bool:
        """Whether what is sent now comes back."""

    def said(self) -> str:
        """What its person has been told so far."""

    def end(self) -> None:
        """Leave abruptly."""


class ThroughGate(ABC):
    """A client whose bytes a gate passes on to a target, which sends them back."""

    def __init__(self, target: Target, mark: bytes) -> None:
        self._target, self._mark = target, mark

    @abstractmethod
    def _send(self, data: bytes) -> None: ...

    @abstractmethod
    def _read(self) -> bytes:
        """All that has come back so far."""

    @abstractmethod
    def is_over(self) -> bool: ...

    def is_in(self) -> bool:
        return self._mark in self._read()

    def has_passed(self) -> bool:
        return bool(self._read()) or self._target.was_reached_by(self._mark)

    def is_left(self) -> bool:
        return self._target.is_connected_to(self._mark)

    def is_carried(self) -> bool:
        before = self._read().count(b"more")
        self._send(b"more")
        return comes_about(lambda: self._read().count(b"more") > before or self.is_over()) and not self.is_over()


class SshClient(ThroughGate):
    """OpenSSH's client, with the bastion's sshd and `countersign-gate` in between."""

    def __init__(self, all_: Killable, person: str, device: str, mark: bytes) -> None:
        super().__init__(all_.targets["ssh"], mark)
        self._out = b""
        self._process = all_.bastion.begin(person, "ssh", "-T", "bastion", device, str(self._target.port))
        assert self._process.stdout
        os.set_blocking(self._process.stdout.fileno(), False)
        self._send(mark)

    def _send(self, data: bytes) -> None:
        assert self._process.stdin
        with suppress(BrokenPipeError):
            os.write(self._process.stdin.fileno(), data)

    def _read(self) -> bytes:
        assert self._process.stdout
        with suppress(BlockingIOError):
            while part := os.read(self._process.stdout.fileno(), 65536):
                self._out += part
        return self._out

    def is_over(self) -> bool:
        return self._process.poll() is not None

    def said(self) -> str:
        assert self._process.stderr
        os.set_blocking(self._process.stderr.fileno(), False)
        with suppress(BlockingIOError):
            return os.read(self._process.stderr.fileno(), 65536).decode()
        return ""

    def end(self) -> None:
        self._process.kill()
        self._process.wait(SECONDS)


class PamClient:
    """OpenSSH's client at a host with PAM, logging in by a dialogue, which may wait."""

    def __init__(self, all_: Killable, person: str, step: str, mark: str) -> None:
        self._host, self._name = all_.host, f"{mark} 1000"
        command = f"(exec -a {mark} sleep 1000) & echo in-{mark}; cat"
        self._in = f"in-{mark}"
        self._dialogue = Dialogue(self._host.ssh_by_dialogue(person, command, options=[f"BindAddress={SOURCES[step]}"]))

    def is_in(self) -> bool:
        return self._in in self._dialogue.shown

    def is_over(self) -> bool:
        return self._dialogue.is_over

    def has_passed(self) -> bool:
        return self.is_in() or self.is_left()

    def is_left(self) -> bool:
        return bool(self._host.processes(self._name))

    def is_carried(self) -> bool:
        before = self._dialogue.shown.count("more")
        with suppress(BrokenPipeError):
            self._dialogue.type("more\n")
        shown = self._dialogue
        return comes_about(lambda: shown.shown.count("more") > before or shown.is_over) and not shown.is_over

    def said(self) -> str:
        return self._dialogue.shown

    def end(self) -> None:
        self._dialogue.__exit__()


class RdpClient(ThroughGate):
    """A client that sends RDP's first packet, with its routing token, and then any bytes."""

    def __init__(self, all_: Killable, file: str, mark: bytes) -> None:
        super().__init__(all_.targets["rdp"], mark)
        self._in, self._over = b"", False
        [line] = [one for one in file.splitlines() if one.startswith("loadbalanceinfo")]
        first = packet(line.removeprefix("loadbalanceinfo:s:").encode() + b"\r\n" + NEGOTIATION)
        self._socket: socket.socket | None = None
        try:
            self._socket = socket.create_connection(("127.0.0.1", all_.rdp_port), timeout=SECONDS)
            self._socket.setblocking(False)
            self._socket.send(first + mark)
        except OSError:
            self._over = True

    def _read(self) -> bytes:
        try:
            while self._socket and not self._over:
                part = self._socket.recv(65536)
                self._in, self._over = self._in + part, not part
        except BlockingIOError:
            pass
        except OSError:
            self._over = True
        return self._in

    def is_over(self) -> bool:
        self._read()
        return self._over

    def _send(self, data: bytes) -> None:
        with suppress(OSError):
            assert self._socket
            self._socket.send(data)

    def said(self) -> str:
        return repr(self._in)

    def end(self) -> None:
        if self._socket:
            self._socket.close()


class Case:
    """One line of the table."""

    def __init__(self, all_: Killable, part: str, gate: str, step: str) -> None:
        self._all, self.part, self.gate, self.step = all_, part, gate, step
        self.person = f"pam-{step}" if gate == "pam" else "bob" if step == "ends" else "alice"
        self.device = all_.host.device if gate == "pam" else all_.gates.device()
        self.clients: list[Client] = []
        self.number = 0
        self._file = ""

    def __str__(self) -> str:
        return f"{self.gate}, {self.step}, with the {self.part} killed"

    @property
    def client(self) -> Client:
        """The client that was started last."""
        return self.clients[-1]

    def until(self, holds: Callable[[], object], what: str) -> None:
        """Wait until this holds."""
        assert comes_about(holds), f"{self}: never {what}; {self._told()}"

    def _told(self) -> str:
        """What is known about this case, to find out why it failed."""
        logs = [self._all.host.log, (self._all.bastion.folder / "service.log").read_text()]
        said = [one.said() for one in self.clients]
        return "\n".join([f"told {said}", *(str(one) for one in self.requests), *(log[-2000:] for log in logs)])

    # --- what they do ------------------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask, and wait at the gate; for RDP, at the portal."""
        if self.gate != "rdp":
            return self.connect()
        self._post("requests", {"device": self.device, "protocol": VARIANT, "source_address": "127.0.0.1"})

    def prepare(self) -> None:
        """Get what is needed to connect without asking anybody: for RDP, a new file."""
        if self.gate == "rdp":
            self._file = self._post(f"requests/{self.number}/rdp-file").text

    def connect(self) -> None:
        """Connect with a new client."""
        mark = f"k{PARTS.index(self.part)}-{self.gate}-{self.step}-{len(self.clients)}"
        begin: dict[str, Callable[[], Client]] = {
            "ssh": lambda: SshClient(self._all, self.person, self.device, f"{mark} ".encode()),
            "pam": lambda: PamClient(self._all, self.person, self.step, mark),
            "rdp": lambda: RdpClient(self._all, self._file, f"{mark} ".encode()),
        }
        self.clients.append(begin[self.gate]())

    def enter(self) -> None:
        """Be let in, with a new client if the last one is over; at RDP, where nobody waits, try until it works."""

        def is_in() -> bool:
            if not self.clients or self.client.is_over():
                self.prepare()
                self.connect()
            wait_until(lambda: self.client.is_in() or self.client.is_over())
            return self.client.is_in() and not self.client.is_over()

        if self.gate == "rdp":
            return self.until(is_in, "let in")
        if self.client.is_over():
            self.connect()
        self.until_in()

    def approve(self) -> None:
        self._all.gates.approve(self.number)

    def revoke(self) -> None:
        self._all.gates.revoke(self.number)

    def _post(self, path: str, body: object = None) -> httpx.Response:
        installation = self._all.gates.installation
        headers = {"Authorization": f"Bearer {installation.tokens[self.person]}"}
        url = f"{installation.url}/api/v1/{path}"
        reply = httpx.post(url, json=body, headers=headers, trust_env=False, timeout=SECONDS)
        assert reply.is_success, f"{self}: {reply.text}"
        return reply

    # --- what must be so ---------------------------------------------------------------------------------------------

    def until_waiting(self) -> None:
        """Their request waits, and nothing has come through."""
        self.until(lambda: [one for one in self.requests if one.status is Status.WAITING and one.level], "seen to wait")
        self.number = self.requests[0].approval_id
        self.nothing_passed()

    def nothing_passed(self) -> None:
        """Nothing has come through the gate in either direction."""
        assert not any(one.has_passed() for one in self.clients), f"{self}: bytes passed before the yes"

    def until_in(self) -> None:
        """They are let in."""
        self.until(lambda: self.client.is_in() or self.client.is_over(), "let in")
        assert not self.client.is_over(), f"{self}: turned away; {self._told()}"

    def until_over(self) -> None:
        """The client is ended, and nothing of it is left behind the gate."""
        self.until(self.client.is_over, "ended")
        self.until_nothing_is_left()

    def until_nothing_is_left(self) -> None:
        """Nothing of theirs is behind the gate any more."""
        self.until(lambda: not any(one.is_left() for one in self.clients), "gone from behind the gate")

    @property
    def is_given_up(self) -> bool:
        """Whether nobody comes back for the request."""
        return self.step == "leaves" or (self.step == "asked" and self.part == "gate service")

    @property
    def requests(self) -> list[RequestView]:
        """The requests of this case."""
        found = self._all.gates.requests(self.person, self.device)
        return [one for one in found if one.approval_id not in self._all.before]

    def is_settled(self) -> bool:
        """Whether none of its requests waits."""
        return all(one.status is not Status.WAITING for one in self.requests)

    def end(self) -> None:
        for client in self.clients:
            client.end()


def comes_about(holds: Callable[[], object]) -> bool:
    """Whether this holds in time."""
    try:
        wait_until(holds)
    except AssertionError:
        return False
    return True
