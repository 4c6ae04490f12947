"""An installation whose parts can each be killed and started again, and three gates in front of it.

It has a PostgreSQL and a Temporal server of its own. A bastion has the gates for SSH and RDP, with targets that note
all that reaches them; another host lets people in by PAM. `killable` (a fixture in test_kills.py) provides it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from sandbox.people import Person
from sandbox.ssh_hosts import Host
from sandbox.temporal_server import free_port
from tests.countersign.gates.gate_installation import Echo, GateInstallation, gates_installed, policy
from tests.countersign.gates.networks import SECONDS, Relay
from tests.countersign.gates.pam_host import GatedHost
from tests.countersign.gates.sshd import SshHosts, set_up_bastion
from tests.local_servers import answering
from tests.postgres import KillablePostgres, killable_postgres
from tests.temporal_servers import TemporalInThread

PARTS = ["worker", "portal", "database", "temporal", "gate service"]
# How long sessions stay open without the portal: longer than two people take to ask and three answers take to give.
GRACE = "12s"
# People whose grants end while a part is away.
SHORT_PEOPLE = ["bob", "pam-ends"]
SHORT_GRANT = "15s"


class Target(Echo):
    """A target that sends back what it gets, and records it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[socket.socket, bytes] = {}

    def take(self, client: socket.socket, data: bytes) -> None:
        """Record what a client has sent."""
        self.heard[client] = self.heard.get(client, b"") + data

    def was_reached_by(self, mark: bytes) -> bool:
        """Whether this came over any connection."""
        return any(mark in data for data in [*self.heard.values()])

    def is_connected_to(self, mark: bytes) -> bool:
        """Whether a connection over which this came is still open."""
        return any(mark in self.heard.get(one, b"") for one in [*self.open])


@dataclass
class Killable:
    """All of it. The gates reach the portal through `relay`, people reach it directly."""

    gates: GateInstallation
    postgres: KillablePostgres
    temporal: TemporalInThread
    relay: Relay
    bastion: SshHosts
    host: GatedHost
    targets: dict[str, Target]
    rdp_port: int
    before: set[int] = field(default_factory=set)

    def kill(self, part: str) -> None:
        """Send SIGKILL to a part."""
        self._of(part, self.gates.installation.kill, "kill")

    def start(self, part: str) -> None:
        """Start a part again; everything answers when this returns."""
        self._of(part, self.gates.installation.start, "start")
        self.gates.installation.until_healthy()

    def _of(self, part: str, ours: Callable[[str], None], verb: str) -> None:
        if part in self.gates.installation.processes:
            ours(part)
        elif part == "gate service":
            (self.kill_gates if verb == "kill" else self.start_gates)()
        else:
            getattr({"database": self.postgres, "temporal": self.temporal}[part], verb)()

    def kill_gates(self) -> None:
        self.bastion.kill_service()
        self.host.end_gate("KILL")

    def start_gates(self) -> None:
        self.bastion.start_service()
        self.host.gate = self.host.start_gate()

    def answer_by_mail(self, approval_id: int, text: str) -> None:
        """Have Grace answer the mail that she got about a request, which needs no portal."""
        settings = self.gates.installation.settings
        grace = Person("grace", int(settings["COUNTERSIGN_SMTP_PORT"]), int(settings["COUNTERSIGN_IMAP_PORT"]))
        grace.reply(grace.wait_for_mail(approval_id, seconds=SECONDS), text)


def the_policy(people: list[str]) -> str:
    """The policy of the other tests of gates, plus these people, whose approver is Grace too."""
    users = "\n".join(f"  {name}: {{name: {name.title()}, email: {name}@example.test}}" for name in people)
    group = f"  visitors: {{members: [{', '.join(SHORT_PEOPLE)}]}}"
    flow = (
        "approval_workflows:\n  - name: Short grants\n    user_group: visitors\n    device_group: targets\n"
        f"    grant_minutes: {SHORT_GRANT}\n    levels: [{{approvers: [{{managers_of: engineers}}]}}]\n"
    )
    text = policy().replace("user_groups:\n", f"{users}\nuser_groups:\n{group}\n", 1)
    text = text.replace("members: [alice, bob]", f"members: [{', '.join(['alice', 'bob', *people])}]", 1)
    return text.replace("approval_workflows:\n", flow, 1)


@contextmanager
def killable_installation(folder: Path, people: list[str]) -> Iterator[Killable]:
    """Run all of it until the end of the block; `people` have accounts at the host with PAM."""
    with ExitStack() as stack:
        postgres = stack.enter_context(killable_postgres())
        temporal = stack.enter_context(TemporalInThread(folder))
        url = postgres.cluster.url()
        gates = stack.enter_context(gates_installed(temporal.address, folder, the_policy(people), url))
        relay = Relay(None, httpx.URL(gates.installation.url).port or 0)
        stack.callback(relay.end)
        seen_by_gates = replace(gates, installation=replace(gates.installation, url=relay.url))
        targets = {protocol: stack.enter_context(answering(Target())) for protocol in ("ssh", "rdp")}
        host = stack.enter_context(GatedHost(folder, ["rescue", *people], seen_by_gates))
        host.restart_gate(host.config(GRACE))
        bastion, rdp_port = _bastion(stack, seen_by_gates, targets, folder)
        yield Killable(gates, postgres, temporal, relay, bastion, host, targets, rdp_port)


def _bastion(
    stack: ExitStack, gates: GateInstallation, targets: dict[str, Target], folder: Path
) -> tuple[SshHosts, int]:
    """The bastion, and the port at which its gate for RDP listens."""
    host, rdp_port = stack.enter_context(Host()), free_port()
    bastion = SshHosts(gates, host, host, free_port(), targets["ssh"].port, folder)
    stack.callback(bastion.end)
    for person in ("alice", "bob", "carol"):
        bastion.new_key(person)
    ports = f"{{ ssh = {targets['ssh'].port}, rdp = {targets['rdp'].port} }}"
    set_up_bastion(bastion, more=f'[rdp]\nlisten = "127.0.0.1:{rdp_port}"\n', ports=ports, grace=GRACE)
    bastion.start_service()
    return bastion, rdp_port
