"""A bastion and a target, each with Debian's sshd and accounts of its own, and the people who connect through it.

`ssh_hosts` (a session fixture) provides them, on the installation of `gate_installation`:

    device = ssh_hosts.device()                              # one that nobody has asked for yet; all lead to the target
    client = ssh_hosts.begin("alice", "ssh", device, "id -un")
    view = ssh_hosts.gates.until_waiting("alice", device)
    ssh_hosts.gates.approve(view.approval_id)
    assert client.communicate() == ("alice\\n", ...)

The bastion is set up by `countersign gate install ssh --write`, as docs/ssh.md says.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.ssh_hosts import HOMES, Host
from sandbox.temporal_server import free_port
from tests.countersign.gates.gate_installation import CROWD, TARGETS, GateInstallation, new_gateway
from tests.countersign.gates.measuring import measure
from tests.countersign.gates.networks import SECONDS
from tests.countersign.installation import COMMAND

PEOPLE = ["alice", "bob", "carol"]
SSHD = "etc/ssh/sshd_config.d/10-countersign.conf"
CONFIG = """
Host *
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {folder}/known_hosts
    StrictHostKeyChecking accept-new
    LogLevel ERROR
    BatchMode yes
    User {person}
    IdentityFile {key}
Host bastion
    Port {port}
    BindAddress 127.0.0.1
Host {devices}
    Port {target}
"""


@dataclass
class SshHosts:
    """All of it; see above."""

    gates: GateInstallation
    bastion: Host
    target: Host
    port: int
    target_port: int
    folder: Path
    service: subprocess.Popen[bytes] | None = None
    clients: list[subprocess.Popen[str]] = field(default_factory=list)

    def device(self) -> str:
        return self.gates.device()

    def config(self, person: str, key: str = "", name: str = "") -> Path:
        """Somebody's ssh_config, with what `gate install` gives them; `key` is whose key they present."""
        file = self.folder / f"{person}-{key or person}{name}.config"
        if not file.exists():
            given = (self.bastion.files / "etc/countersign/ssh_config").read_text()
            for before, after in (
                ("bastion.example.com", "127.0.0.1"),
                ("ssh -T bastion", f"ssh -F {file} -T bastion"),
                ("~/.ssh/id_ed25519", str(self.key(person))),
                ("~/.ssh/", f"{self.folder}/{person}-"),
            ):
                given = given.replace(before, after)
            own = CONFIG.format(
                folder=self.folder,
                person=person,
                key=self.key(key or person),
                port=self.port,
                devices=" ".join(TARGETS),
                target=self.target_port,
            )
            file.write_text(own + given)
        return file

    def key(self, person: str) -> Path:
        return self.folder / f"{person}.key"

    def configure(self, more: str = "", ports: dict[str, str] | None = None, grace: str = "2s") -> None:
        """Write gate.toml, with `more` at its end, and install the rest; the service reads it when it starts."""
        placed = dict.fromkeys(TARGETS, f"{{ ssh = {self.target_port} }}") | (ports or {})
        targets = "".join(f'[devices.{name}]\naddress = "127.0.0.1"\nports = {its}\n' for name, its in placed.items())
        self.bastion.write(
            "/etc/countersign/gate.toml",
            f'url = "{self.gates.installation.url}"\ntoken_file = "/etc/countersign/gate.token"\ngrace = "{grace}"\n'
            f'retry_within = "2s"\n{targets}{more}',
        )
        self.bastion.run(COMMAND, "gate", "install", "ssh", "--write")

    def new_key(self, person: str) -> None:
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key(person))]
        subprocess.run(make, check=True, timeout=SECONDS)

    def begin(
        self, person: str, program: str, *arguments: str, key: str = "", wait: str = "", config: str = ""
    ) -> subprocess.Popen[str]:
        """Start ssh, scp or sftp as on somebody's own machine."""
        return self.start([program, "-F", str(self.config(person, key, config)), *arguments], wait=wait)

    def certify(self, person: str, device: str, port: int) -> Path:
        """The file with a certificate that was asked for by hand, and approved unless there was a grant already."""
        file = self.folder / f"{person}-{device}-cert.pub"
        client = self.begin(person, "ssh", "-T", "bastion", f"certificate {device} {port}")
        assert client.stdin
        client.stdin.write(self.key(person).with_suffix(".key.pub").read_text())
        client.stdin.close()
        client.stdin = None
        if not any(one.grant for one in self.gates.requests(person, device)):
            self.approved(person, device)
        out, errors = client.communicate(timeout=SECONDS)
        assert client.returncode == 0, errors
        file.write_text(out)
        return file

    def start(self, command: list[str], **others: str) -> subprocess.Popen[str]:
        """Start a program on somebody's machine; `wait` is the value of COUNTERSIGN_WAIT there."""
        environment = {**os.environ, "COUNTERSIGN_WAIT": others.pop("wait", ""), **others}
        client = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.clients.append(client)
        return client

    def approved(self, person: str, device: str) -> int:
        """Approve their request once it waits; its number."""
        number = self.gates.until_waiting(person, device).approval_id
        self.gates.approve(number)
        return number

    def start_service(self) -> None:
        """Run the gate service on the bastion; it listens when this returns."""
        self.service = self.bastion.serve_gate(self.folder / "service.log")

    def restart(self) -> None:
        """Restart the service, so that it reads its current configuration."""
        self.kill_service(signal.SIGTERM)
        self.start_service()

    def kill_service(self, number: int = signal.SIGKILL) -> None:
        assert self.service
        os.kill(self.service_pid, number)
        self.service.wait(SECONDS)

    @property
    def service_pid(self) -> int:
        """The id of the service's process on this machine; our own child is an `nsenter` that waits for it."""
        assert self.service
        return int(Path(f"/proc/{self.service.pid}/task/{self.service.pid}/children").read_text())

    def end(self) -> None:
        for client in self.clients:
            client.kill()
            client.communicate(timeout=SECONDS)
        if self.service and self.service.poll() is None:
            self.kill_service(signal.SIGTERM)


@contextmanager
def ssh_hosts(gates: GateInstallation, folder: Path) -> Iterator[SshHosts]:
    """Run all of it until the end of the block."""
    with ExitStack() as stack:
        bastion, target = stack.enter_context(Host()), stack.enter_context(Host())
        hosts = SshHosts(gates, bastion, target, free_port(), free_port(), folder)
        stack.callback(hosts.end)
        for person in PEOPLE:
            hosts.new_key(person)
        set_up_bastion(hosts)
        _set_up_target(hosts)
        hosts.start_service()
        yield hosts


def set_up_bastion(hosts: SshHosts, more: str = "", ports: str = "", grace: str = "2s") -> None:
    """Set up sshd for the gate service, which is started next; `ports` are those of all devices."""
    bastion = hosts.bastion
    measure(bastion)
    bastion.add_people([*PEOPLE, *CROWD], "countersign", "/bin/sh")
    bastion.write("/etc/countersign/gate.token", new_gateway(hosts.gates.installation, "bastion-1"), mode=0o600)
    hosts.configure(more, dict.fromkeys(TARGETS, ports) if ports else None, grace)
    for person in PEOPLE:
        bastion.write(f"/etc/countersign/keys/{person}", hosts.key(person).with_suffix(".key.pub").read_text())
    bastion.serve_ssh(hosts.port, hosts.folder / "bastion.log")


def _set_up_target(hosts: SshHosts) -> None:
    target = hosts.target
    target.add_people(PEOPLE, "people", "/bin/bash")
    for person in PEOPLE:
        public = hosts.key(person).with_suffix(".key.pub").read_text()
        target.write(f"{HOMES}/{person}/.ssh/authorized_keys", public, owner=person)
    target.serve_ssh(hosts.target_port, hosts.folder / "target.log", "MaxStartups=500")
