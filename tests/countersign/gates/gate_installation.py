"""An installation with a gateway for gates, targets, and the gate service with accounts of its own.

`gate_installation` (a session fixture) provides all of it:

    with gate_installation.service(grace="2s") as gate:      # `countersign gate serve`, a process
        device = gate_installation.device()                  # one that nobody has asked for yet; it echoes
        client = gate.ssh("alice", device)                   # `countersign-gate ssh`, run by the account alice
        view = gate_installation.until_waiting("alice", device)
        gate_installation.approve(view.approval_id)
        assert echoed(client, b"hello") == b"hello"
        gate_installation.revoke(view.approval_id)

People: alice and bob, whose manager is Grace; CROWD, 200 people whom nobody has to approve; and ada, an admin.
Accounts with the same names exist only in the service's own mount namespace, which needs root; if that can't be had,
the tests are skipped. The gateway is `gate-1`; `another_portal` runs a portal that a test may kill.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx

from countersign.gates import protocol
from countersign.http import Api
from countersign.models import Status, Verdict
from countersign.views import RequestView
from engine.credentials.tokens import TokenActions
from store import Store
from store.tokens import Owner
from tests.countersign.gates.measuring import measured
from tests.countersign.gates.networks import SECONDS, wait_until
from tests.countersign.installation import COMMAND, POLICY, ROOT, Installation, installed
from tests.local_servers import answering

GATEWAY = "gate-1"
TARGETS = [f"db-{n:03}" for n in range(150)]
# A device that `device()` never hands out.
LAST = "db-last"
SHORT, LONG = "db-short", "db-long"
CROWD = [f"person-{n}" for n in range(200)]
ACCOUNTS = {"alice": 40001, "bob": 40002, "carol": 40003, "stranger": 40004}
SOURCE = "192.0.2.7"
# Runs `countersign-gate` as an account that may not reach this checkout or the Python that runs it.
AS_ACCOUNT = """
import os, sys
from countersign.gates import command, ssh
number = int(sys.argv.pop(1))
os.setgroups([])
os.setgid(number)
os.setuid(number)
sys.exit(command.main())
"""
SEND_AS_ACCOUNT = """
import os, socket, sys
number = int(sys.argv[1])
os.setgroups([])
os.setgid(number)
os.setuid(number)
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[2])
client.sendall(sys.stdin.buffer.read())
while data := client.recv(65536):
    sys.stdout.buffer.write(data)
"""
IN_NAMESPACE = 'mount --bind "$1" /etc/passwd && shift && exec "$@"'


def policy() -> str:
    """The policy of the other command line tests, with targets, and a crowd of people whom nobody has to approve.

    A grant for SHORT lasts a few seconds. One for LONG lasts a little longer than the time left when a session is
    warned of its end.
    """
    people = "\n".join(f"  {name}: {{name: {name.title()}, email: {name}@example.test}}" for name in CROWD)
    with_people = POLICY.replace("user_groups:\n", f"{people}\nuser_groups:\n", 1)
    groups = f"device_groups:\n  targets: {{devices: [{', '.join([*TARGETS, LAST])}]}}\n"
    groups += f"  short: {{devices: [{SHORT}]}}\n  long: {{devices: [{LONG}], grant_minutes: 310s}}\n"
    short = (
        "approval_workflows:\n  - name: Short\n    user_group: engineers\n    device_group: short\n"
        "    grant_minutes: 5s\n    levels: [{approvers: [{managers_of: engineers}]}]\n"
    )
    with_groups = with_people.replace("device_groups:\n", groups, 1)
    return with_groups.replace("approval_workflows:\n", short, 1)


class Echo(socketserver.ThreadingTCPServer):
    """A target that sends back what it gets, and knows who is connected."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), EchoHandler)
        self.port: int = self.server_address[1]
        self.connected = 0
        self.received = 0
        self.open: set[socket.socket] = set()

    def take(self, client: socket.socket, data: bytes) -> None:
        """A client has sent this."""
        self.received += len(data)


class EchoHandler(socketserver.BaseRequestHandler):
    server: Echo

    def handle(self) -> None:
        self.server.connected += 1
        self.server.open.add(self.request)
        with suppress(OSError):
            while data := self.request.recv(65536):
                self.server.take(self.request, data)
                self.request.sendall(data)
        self.server.open.discard(self.request)


@dataclass
class GateProcess:
    """`countersign gate serve`; ends with its block."""

    process: subprocess.Popen[bytes]
    socket: Path
    said: Path
    clients: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(SECONDS)

    def stop(self) -> int:
        """End it as an operator does; returns its exit code."""
        self.process.terminate()
        return self.process.wait(SECONDS)

    def until_said(self, message: str) -> None:
        wait_until(lambda: message in self.said.read_text())

    def ssh(
        self, account: str, device: str, *options: str, port: int = 22, source: str = SOURCE
    ) -> subprocess.Popen[bytes]:
        """Start `countersign-gate ssh` as this account."""
        return self.start(account, {}, device, str(port), *options, source=source)

    def start(
        self, account: str, environment: dict[str, str], *arguments: str, source: str = SOURCE
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", AS_ACCOUNT, str(ACCOUNTS[account]), "ssh", "--socket", str(self.socket)]
        client = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "SSH_CONNECTION": f"{source} 50000 192.0.2.1 22",
                **measured(),
                **environment,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self.clients.append(client)
        return client

    def said_to(self, account: str, message: dict[str, object]) -> list[Any]:
        """The answers, without `heard`, to a message that this account sends without any command of ours."""
        command = [sys.executable, "-c", SEND_AS_ACCOUNT, str(ACCOUNTS[account]), str(self.socket)]
        sent = f"{json.dumps(message)}\n"
        done = subprocess.run(command, input=sent, capture_output=True, text=True, check=True, timeout=SECONDS)
        return [one for line in done.stdout.splitlines() if "heard" not in (one := json.loads(line))]

    def connect(self) -> protocol.Service:
        """A connection to its socket, as root, who may name a person."""
        return protocol.Service(str(self.socket))

    def end(self) -> None:
        for client in self.clients:
            client.kill()
            client.wait(SECONDS)
            for stream in (client.stdin, client.stdout, client.stderr):
                if stream is not None:
                    stream.close()
        if self.process.poll() is None:
            self.stop()


@dataclass
class GateInstallation:
    """All of it; see above."""

    installation: Installation
    folder: Path
    echo: Echo
    token: str
    devices: Iterator[str] = field(default_factory=lambda: iter(TARGETS))
    last_device: str = LAST
    # Nothing listens there unless a test starts something.
    rdp_port: int = 3389

    def device(self) -> str:
        """A device that nobody has asked for yet."""
        return next(self.devices)

    def api(self, who: str = "ada") -> Api:
        return Api(self.installation.url, self.installation.tokens[who])

    def requests(self, person: str, device: str) -> list[RequestView]:
        """All requests of somebody for a device, the newest first."""
        with self.api() as api:
            return api.requests(requester=person, device=device, limit=1000)

    def until_waiting(self, person: str, device: str) -> RequestView:
        """Their request, as soon as it waits."""
        found: list[RequestView] = []

        def waits() -> bool:
            found[:] = [one for one in self.requests(person, device) if one.status is Status.WAITING and one.level]
            return bool(found)

        wait_until(waits)
        return found[0]

    def until_status(self, approval_id: int, status: Status) -> None:
        with self.api() as api:
            wait_until(lambda: api.request(approval_id).status is status)

    def approve(self, approval_id: int) -> None:
        with self.api("grace") as api:
            assert api.decide(approval_id, Verdict.APPROVE).accepted

    def reject(self, approval_id: int, why: str = "") -> None:
        with self.api("grace") as api:
            assert api.decide(approval_id, Verdict.REJECT, why).accepted

    def revoke(self, approval_id: int, why: str = "") -> None:
        with self.api("grace") as api:
            api.revoke(approval_id, why)

    def config(self, socket_path: Path, url: str, grace: str, retry_within: str, more: str) -> str:
        ports = f"{{ ssh = {self.echo.port}, rdp = {self.rdp_port} }}"
        names = [*TARGETS, LAST, SHORT, LONG]
        targets = "\n".join(f'[devices.{name}]\naddress = "127.0.0.1"\nports = {ports}' for name in names)
        return (
            f'url = "{url}"\ntoken_file = "{self.folder / "gate.token"}"\nsocket = "{socket_path}"\n'
            f'grace = "{grace}"\nretry_within = "{retry_within}"\n{targets}\n{more}\n'
        )

    @contextmanager
    def service(
        self,
        url: str = "",
        grace: str = "5m",
        retry_within: str = "60s",
        more: str = "",
        folder: Path | None = None,
        output: int | None = None,
    ) -> Iterator[GateProcess]:
        """Run the gate service until the end of the block; `more` is added to its configuration.

        Its output goes to the file descriptor `output`, or else to the file `said`.
        """
        with tempfile.TemporaryDirectory(dir=self.folder) as made:
            here = folder or Path(made)
            here.chmod(0o755)
            config = here / "gate.toml"
            config.write_text(self.config(here / "gate.sock", url or self.installation.url, grace, retry_within, more))
            gate = self.start(config, output)
            try:
                yield gate
            finally:
                gate.end()

    @contextmanager
    def started_again(self, gate: GateProcess) -> Iterator[GateProcess]:
        """Run the killed service again until the end of the block."""
        again = self.start(gate.socket.parent / "gate.toml")
        try:
            yield again
        finally:
            again.end()

    def sending(self, stream: IO[bytes], size: int) -> threading.Thread:
        """Send this many bytes in a thread of its own, which the caller has to join."""
        thread = threading.Thread(target=_write_all, args=(stream, memoryview(bytes(size))))
        thread.start()
        return thread

    def start(self, config: Path, output: int | None = None) -> GateProcess:
        """Start the gate service with this configuration; it listens when this returns."""
        here, said = config.parent / "gate.sock", config.parent / "said"
        command = ["unshare", "--mount", "sh", "-c", IN_NAMESPACE, "sh", str(self.folder / "passwd")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
        with said.open("ab") as to_file:
            taken_by = output or to_file
            process = subprocess.Popen(
                [*command, COMMAND, "gate", "serve", "--config", str(config)],
                env=environment,
                stdout=taken_by,
                stderr=taken_by,
            )
        gate = GateProcess(process, here, said)

        def listens() -> bool:
            assert process.poll() is None, said.read_text()
            with suppress(OSError):
                gate.connect().close()
                return True
            return False

        wait_until(listens)
        return gate


def new_gateway(installation: Installation, name: str, variants: Sequence[str] = ("ssh", "sftp", "rdp", "http")) -> str:
    """The token of a new gateway for these protocols.

    Gate services that run at the same time need one each: a service cancels the waiting requests of its gateway that
    nobody asks for again.
    """
    store = Store(installation.settings["COUNTERSIGN_DATABASE_URL"])
    groups = ["targets", "short", "long"]
    owner = Owner(kind="gateway", name=name, target_groups=groups, variants=list(variants))
    token = TokenActions(store).create(owner, "tests")
    store.close()
    return token


@contextmanager
def gates_installed(
    temporal_address: str, folder: Path, its_policy: str = "", database_url: str = ""
) -> Iterator[GateInstallation]:
    """Run all of it until the end of the block, with the policy above unless another is named."""
    # Accounts of the tests have to reach the files in it, so it isn't in the folder of pytest.
    with (
        tempfile.TemporaryDirectory() as made,
        installed(temporal_address, folder, its_policy or policy(), database_url) as installation,
    ):
        here = Path(made)
        here.chmod(0o755)
        token = new_gateway(installation, GATEWAY)
        (here / "gate.token").touch(0o600)
        (here / "gate.token").write_text(f"{token}\n")
        lines = [f"{name}:x:{number}:{number}::/:/bin/false" for name, number in ACCOUNTS.items()]
        (here / "passwd").write_text("\n".join(["root:x:0:0:root:/root:/bin/sh", *lines, ""]))
        with answering(Echo()) as echo:
            yield GateInstallation(installation, here, echo, token)


def read(stream: IO[bytes] | None, size: int) -> bytes:
    """The next `size` bytes of a client's output; fewer if it ends before."""
    assert stream
    parts = bytearray()
    while len(parts) < size and (part := stream.read(size - len(parts))):
        parts += part
    return bytes(parts)


def _write_all(stream: IO[bytes], data: memoryview) -> None:
    while data:
        data = data[stream.write(data) :]


def echoed(client: subprocess.Popen[bytes], data: bytes) -> bytes:
    """Send this, and return as many bytes that come back, once there is a connection."""
    assert client.stdin
    client.stdin.write(data)
    return read(client.stdout, len(data))


def opened(gates: GateInstallation, gate: GateProcess, device: str) -> tuple[subprocess.Popen[bytes], int]:
    """A client of alice's that is connected, and the number of its request."""
    client = gate.ssh("alice", device, port=gates.echo.port)
    view = gates.until_waiting("alice", device)
    gates.approve(view.approval_id)
    assert echoed(client, b"hello") == b"hello"
    return client, view.approval_id


def until_told(client: subprocess.Popen[Any], text: str) -> str:
    """Read what the client tells its person until this is in it; returns all of it."""
    assert client.stderr
    told = b""
    while text not in told.decode() and (part := os.read(client.stderr.fileno(), 65536)):
        told += part
    assert text in told.decode(), told
    return told.decode()


def answers(service: protocol.Service, last: set[str]) -> list[dict[str, Any]]:
    """The service's messages, without `heard`, until one of the kinds in `last` or until it closes."""
    said: list[dict[str, Any]] = []
    service.socket.settimeout(SECONDS)
    with suppress(EOFError, ConnectionError):
        while not (said and last & said[-1].keys()):
            said += [one for one in service.receive() if "heard" not in one]
    return said


def is_up(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/api/v1/health", trust_env=False, timeout=SECONDS).status_code == httpx.codes.OK
    return False
