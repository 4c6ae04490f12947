"""A host that people reach directly, for the tests of PAM, in namespaces of its own: accounts, sshd, sudo, su, login.

Nothing of this machine's /etc or /run is touched: within, they are a copy, and empty.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from countersign.gates.pam_files import pam_files
from countersign.views import RequestView
from sandbox.temporal_server import free_port
from tests.countersign.gates.gate_world import GateInstallation
from tests.countersign.gates.networks import SECONDS, Relay, wait_until
from tests.countersign.installation import COMMAND

CONFIG = Path("/etc/countersign/gate.toml")
PASSWORD = "correct-horse"
SSHD = "/usr/sbin/sshd"
PROGRAMS = {SSHD: "openssh-server", "/usr/bin/sudo": "sudo", "/usr/bin/ssh": "openssh-client", "/bin/login": "login"}
HOLD = """
set -e
mount --bind {etc} /etc
for folder in /run /var/log; do mount -t tmpfs none $folder; done
mkdir -p /run/sshd /run/countersign /run/people
{people}
echo up
exec sleep infinity
"""
PERSON = "useradd --create-home --base-dir /run/people --shell /bin/bash {name}; echo {name}:{password} | chpasswd"
SSHD_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
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
{more}
"""
ISOLATION = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c")


def why_no_host() -> str:
    """Why there can be no such host here; nothing where there can."""
    missing = [package for program, package in PROGRAMS.items() if not Path(program).exists()]
    if missing:
        return f"install {', '.join(missing)}"
    done = subprocess.run([*ISOLATION, "true"], capture_output=True, text=True, timeout=SECONDS, check=False)
    return f"namespaces can't be made here ({done.stderr.strip()}); that needs root" if done.returncode else ""


class Host:
    """Ends, with all that runs in it, by `end`. `files` are put in its /etc before it starts, by their place there."""

    def __init__(self, folder: Path, people: Iterable[str], files: Mapping[str, str], sshd_config: str = "") -> None:
        self.folder, self.port = folder, free_port()
        etc = folder / "etc"
        shutil.copytree("/etc", etc, symlinks=True, ignore=shutil.ignore_patterns("ssl", "alternatives", "X11"))
        config = SSHD_CONFIG.format(port=self.port, more=sshd_config)
        for place, text in {**files, "ssh/sshd_config": config}.items():
            self._put(etc / place, text)
        self._put(etc / "sudoers.d/people", "".join(f"{one} ALL=(ALL) NOPASSWD: ALL\n" for one in people), 0o440)
        self.key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        for one in (*people, "root"):
            self._put(etc / "countersign/keys" / one, self.key.with_suffix(".pub").read_text())
        made = "; ".join(PERSON.format(name=one, password=PASSWORD) for one in people)
        script = HOLD.format(etc=etc, people=made)
        self._holder = subprocess.Popen([*ISOLATION, script], stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout
        assert self._holder.stdout.readline() == "up\n"
        self.pid = int(Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text())
        self.sshd = subprocess.Popen(self.inside(SSHD, "-D", "-E", "/var/log/sshd"), env={"PATH": os.environ["PATH"]})
        wait_until(lambda: "listening" in self.run("cat", "/var/log/sshd", check=False))

    @staticmethod
    def _put(file: Path, text: str, mode: int = 0o644) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def end(self) -> None:
        self.sshd.kill()
        self.sshd.wait(SECONDS)
        self._holder.send_signal(signal.SIGKILL)
        self._holder.wait(SECONDS)
        assert self._holder.stdout
        self._holder.stdout.close()

    def inside(self, *command: str) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--mount", "--pid", *command]

    def put(self, place: str, text: str) -> None:
        """Write a file as it is within."""
        self._put(Path(f"/proc/{self.pid}/root") / place, text)

    def run(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(self.inside(*command), capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0 or not check, (command, done.stdout, done.stderr)
        return done.stdout

    def ssh(self, person: str, *command: str, options: Iterable[str] = ()) -> list[str]:
        """How somebody logs in with their key; of two options of one name, the first counts."""
        given = [*options, "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes"]
        common = [part for one in given for part in ("-o", one)]
        place = ("-F", "none", "-i", str(self.key), "-p", str(self.port))
        return ["ssh", *place, *common, f"{person}@127.0.0.1", *command]

    def ssh_by_dialogue(self, person: str, *command: str) -> list[str]:
        """How somebody logs in with their password, by keyboard-interactive."""
        askpass = self.folder / "askpass"
        self._put(askpass, f"#!/bin/sh\necho {PASSWORD}\n", 0o755)
        options = ("BatchMode=no", "PubkeyAuthentication=no", "PreferredAuthentications=keyboard-interactive")
        asking = ["env", f"SSH_ASKPASS={askpass}", "SSH_ASKPASS_REQUIRE=force"]
        return [*asking, *self.ssh(person, *command, options=options)]

    def on_terminal(self, person: str, command: str) -> Dialogue:
        """A command of somebody whom nobody was asked about: at the machine itself, as root lets them."""
        return Dialogue(
            self.inside("script", "-qec", f"su {person} --session-command={shlex.quote(command)}", "/dev/null")
        )

    def processes(self, pattern: str) -> list[str]:
        """The numbers of those whose command is this."""
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


class GatedHost(Host):
    """A host with the gate service, and all that lets people in behind it; `device` is what the portal calls it."""

    def __init__(self, folder: Path, people: Iterable[str], portal: GateInstallation) -> None:
        self.portal, self.device, self.before = portal, portal.device(), set[int]()
        self.portal_relay = Relay(None, httpx.URL(portal.installation.url).port or 0)
        toml = (
            f'url = "{self.portal_relay.url}"\ntoken_file = "/etc/countersign/gate.token"\n'
            f'grace = "3s"\nretry_within = "1s"\n[pam]\ndevice = "{self.device}"\nexempt = ["rescue"]\n'
        )
        files = {str(file.relative_to("/etc")): text for file, text in pam_files(CONFIG).items()}
        super().__init__(folder, people, {**files, "countersign/gate.toml": toml})
        self._put(folder / "etc/countersign/gate.token", f"{portal.token}\n", 0o600)
        self.gate = self.start_gate()

    def start_gate(self) -> subprocess.Popen[bytes]:
        """Start the gate service; it has the portal's first answer when this returns."""
        log = self.folder / "gate.log"
        with log.open("wb") as said:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
            command = self.inside(COMMAND, "gate", "serve", "--config", str(CONFIG))
            gate = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        wait_until(lambda: "The portal answers." in self.log or gate.poll() is not None)
        assert gate.poll() is None, self.log
        return gate

    @property
    def log(self) -> str:
        return (self.folder / "gate.log").read_text()

    def end_gate(self, signal_name: str) -> int:
        """End it by a signal; its exit code. nsenter stands between, and ends with it."""
        self.run("pkill", "--signal", signal_name, "--full", f"{COMMAND} gate serve")
        return self.gate.wait(SECONDS)

    def requests(self, person: str) -> list[RequestView]:
        """Those of somebody since the test began."""
        return [one for one in self.portal.requests(person, self.device) if one.approval_id not in self.before]

    def waiting(self, person: str) -> int:
        return self.portal.until_waiting(person, self.device).approval_id

    def end(self) -> None:
        self.end_gate("TERM")
        self.portal_relay.end()
        super().end()


def ran(command: list[str], code: int = 0) -> tuple[str, str]:
    """What a command printed on its two outputs, once it has ended so."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout, done.stderr


def granted(host: GatedHost, person: str) -> int:
    """Log in by key, which is refused, and have that approved."""
    ran(host.ssh(person, "true"), 255)
    number = host.waiting(person)
    host.portal.approve(number)
    return number
