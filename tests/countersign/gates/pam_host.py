"""A host that people reach directly, for the tests of PAM: one of `sandbox/ssh_hosts.py`, with passwords and sudo."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from countersign.gates.pam_files import pam_files
from countersign.views import RequestView
from sandbox.ssh_hosts import COUNTERSIGN, Host, NoSsh, check_ssh
from sandbox.temporal_server import free_port
from tests.countersign.gates.gate_installation import GateInstallation, new_gateway, policy
from tests.countersign.gates.measuring import measure
from tests.countersign.gates.networks import SECONDS, Relay, wait_until

CONFIG = Path("/etc/countersign/gate.toml")
PASSWORD = "correct-horse"
PROGRAMS = {"/usr/bin/sudo": "sudo", "/bin/login": "login"}
SSHD_CONFIG = """
UsePAM yes
PubkeyAuthentication yes
PasswordAuthentication yes
KbdInteractiveAuthentication yes
PermitRootLogin yes
LoginGraceTime 120
MaxAuthTries 6
PrintMotd no
AuthorizedKeysFile /etc/countersign/keys/%u
Subsystem sftp internal-sftp
"""


def check_pam() -> None:
    """Raise NoSsh if such a host can't be had."""
    check_ssh()
    if missing := [package for program, package in PROGRAMS.items() if not Path(program).exists()]:
        raise NoSsh(f"No host to log in to: install {', '.join(missing)}.")


class PamHost(Host):
    """A host with accounts that have a password and a key. `files`, texts by path, are written before sshd starts."""

    def __init__(self, folder: Path, people: Iterable[str], files: Mapping[str, str]) -> None:
        super().__init__()
        measure(self)
        self.folder, self.port, self.key = folder, free_port(), folder / "key"
        self.run("mount", "-t", "tmpfs", "none", "/var/log")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        for place, text in {**files, "/etc/ssh/sshd_config": SSHD_CONFIG}.items():
            self.write(place, text)
        for one in people:
            self.run("useradd", "--create-home", "--shell", "/bin/bash", one)
            self.run("chpasswd", text=f"{one}:{PASSWORD}\n")
        self.write("/etc/sudoers.d/people", "".join(f"{one} ALL=(ALL) NOPASSWD: ALL\n" for one in people), 0o440)
        for one in (*people, "root"):
            self.write(f"/etc/countersign/keys/{one}", self.key.with_suffix(".pub").read_text())
        self.serve_ssh(self.port, folder / "sshd.log")

    def ssh(self, person: str, *command: str, options: Iterable[str] = ()) -> list[str]:
        """The command with which somebody logs in with their key; if an option is given twice, the first counts."""
        given = [*options, f"Port={self.port}", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        common = [part for one in (*given, "BatchMode=yes") for part in ("-o", one)]
        return ["ssh", "-F", "none", "-i", str(self.key), *common, f"{person}@127.0.0.1", *command]

    def ssh_by_dialogue(self, person: str, *command: str, options: Iterable[str] = ()) -> list[str]:
        """The command with which somebody logs in with their password, by keyboard-interactive."""
        askpass = self.folder / "askpass"
        # Only once: a program can't be started while it is being written.
        if not askpass.exists():
            askpass.write_text(f"#!/bin/sh\necho {PASSWORD}\n")
            askpass.chmod(0o755)
        options = (*options, "BatchMode=no", "PubkeyAuthentication=no", "PreferredAuthentications=keyboard-interactive")
        asking = ["env", f"SSH_ASKPASS={askpass}", "SSH_ASKPASS_REQUIRE=force"]
        return [*asking, *self.ssh(person, *command, options=options)]

    def on_terminal(self, person: str, command: str) -> Dialogue:
        """A command of somebody about whom nobody was asked: root starts it for them at the machine itself."""
        return Dialogue(
            self.inside("script", "-qec", f"su {person} --session-command={shlex.quote(command)}", "/dev/null")
        )

    def processes(self, pattern: str) -> list[str]:
        """The ids of the processes whose whole command matches."""
        return self.run("pgrep", "--full", "--exact", pattern, check=False).split()


class Dialogue:
    """A program on a terminal of its own within the host: what it shows, and what is typed."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._shown, self._changed = b"", threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Dialogue:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self.wait()

    def _read(self) -> None:
        assert self._process.stdout
        while data := os.read(self._process.stdout.fileno(), 4096):
            with self._changed:
                self._shown += data
                self._changed.notify_all()

    @property
    def shown(self) -> str:
        return self._shown.decode(errors="replace")

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def until(self, text: str) -> str:
        with self._changed:
            assert self._changed.wait_for(lambda: text in self.shown, SECONDS), self.shown
        return self.shown

    def type(self, text: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        code = self._process.wait(SECONDS)
        self._reader.join(SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()
        return code


class GatedHost(PamHost):
    """A host where all that lets people in asks the gate service first; `device` is what the portal calls it."""

    def __init__(self, folder: Path, people: Iterable[str], portal: GateInstallation) -> None:
        self.portal, self.device, self.before = portal, portal.device(), set[int]()
        self.portal_relay = Relay(None, httpx.URL(portal.installation.url).port or 0)
        super().__init__(folder, people, {str(file): text for file, text in pam_files(CONFIG).items()})
        self.write(str(CONFIG), self.config())
        self.write("/etc/countersign/gate.token", new_gateway(portal.installation, "host-1"), 0o600)
        self.gate = self.start_gate()

    def config(self, grace: str = "3s", more: str = "", retry_within: str = "1s") -> str:
        """The text of gate.toml, with `more` in the section `[pam]`."""
        return (
            f'url = "{self.portal_relay.url}"\ntoken_file = "/etc/countersign/gate.token"\n'
            f'grace = "{grace}"\nretry_within = "{retry_within}"\n'
            f'[pam]\ndevice = "{self.device}"\nexempt = ["rescue"]\n{more}\n'
        )

    @contextmanager
    def configured(self, text: str) -> Iterator[None]:
        """Have the service run with another gate.toml until the end of the block."""
        self.restart_gate(text)
        try:
            yield
        finally:
            self.restart_gate(self.config())

    def restart_gate(self, text: str) -> None:
        self.end_gate("TERM")
        self.write(str(CONFIG), text)
        self.gate = self.start_gate()

    def start_gate(self, answers: bool = True) -> subprocess.Popen[bytes]:
        """Start the gate service, and wait for the portal's first answer, unless none is to be expected."""
        log = self.folder / "gate.log"
        log.unlink(missing_ok=True)
        gate = self.serve_gate(log)
        wait_until(lambda: not answers or "The portal answers." in self.log or gate.poll() is not None)
        assert gate.poll() is None, self.log
        return gate

    def serve_gate_in_vain(self) -> int:
        """The exit code of a service that can't start."""
        command = self.inside(COUNTERSIGN, "gate", "serve")
        return subprocess.run(command, capture_output=True, timeout=SECONDS, check=False).returncode

    @property
    def log(self) -> str:
        return (self.folder / "gate.log").read_text()

    def end_gate(self, signal_name: str) -> int:
        """End it with a signal; its exit code. Our own child is an nsenter, which ends with it."""
        self._signal_gate(signal_name)
        return self.gate.wait(SECONDS)

    @contextmanager
    def hanging_gate(self) -> Iterator[None]:
        """Suspend the service until the end of the block; it still listens."""
        self._signal_gate("STOP")
        try:
            yield
        finally:
            self._signal_gate("CONT")
            # nsenter suspends itself when the program that it started is suspended.
            self.gate.send_signal(signal.SIGCONT)

    def _signal_gate(self, signal_name: str) -> None:
        self.run("pkill", "--signal", signal_name, "--full", f"{COUNTERSIGN} gate serve")

    def requests(self, person: str) -> list[RequestView]:
        """Somebody's requests since the test began."""
        return [one for one in self.portal.requests(person, self.device) if one.approval_id not in self.before]

    def waiting(self, person: str) -> int:
        """The number of their request, once it waits and the gate has read it: they aren't told of an earlier yes."""
        number = self.portal.until_waiting(person, self.device).approval_id
        wait_until(lambda: f"GET /api/v1/requests/{number}".encode() in self.portal_relay.answered)
        return number

    def __exit__(self, *error: object) -> None:
        self.end_gate("TERM")
        self.portal_relay.end()
        super().__exit__(*error)


def ran(command: list[str], code: int = 0) -> tuple[str, str]:
    """What a command printed on its two outputs, once it has ended with this code."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout, done.stderr


def granted(host: GatedHost, person: str) -> int:
    """Log in by key, which is refused, and have the request approved; its number."""
    ran(host.ssh(person, "true"), 255)
    number = host.waiting(person)
    host.portal.approve(number)
    return number


@contextmanager
def grants_of(host: GatedHost, length: str) -> Iterator[None]:
    """Grants that are approved within the block last this long."""
    with host.portal.api() as api:
        api.apply_policy(policy().replace("grant_minutes: 120", f"grant_minutes: {length}"))
        try:
            yield
        finally:
            api.apply_policy(policy())
