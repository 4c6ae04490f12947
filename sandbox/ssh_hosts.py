"""Hosts with OpenSSH's own server and accounts of their own, each in a private namespace of this machine.

What is written to /etc, /home and /run there is seen only there, and is gone with the host. The network is this
machine's, so that a host reaches what listens on loopback.
"""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parent.parent
# Where the gate service of a host listens, below its root.
SOCKET = "run/countersign/gate.sock"
COUNTERSIGN = str(Path(sys.executable).parent / "countersign")
SSHD = Path("/usr/sbin/sshd")
PROGRAMS = {"ssh": "openssh-client", "unshare": "util-linux", "nsenter": "util-linux"}
SECONDS = 90
FIRST_ACCOUNT = 40001
# Where people's homes are, if they have one; other people share `/`, which is root's.
HOMES = "/home"
# The namespace's first process ends with `unshare`, and all others with that one.
ISOLATION = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc")
PRIVATE = """
mount -t proc proc /proc
mount -t tmpfs -o mode=755 none /mnt
cp -a /etc /mnt/etc
mount --bind /mnt/etc /etc
mount -t tmpfs -o mode=755 none /home
mount -t tmpfs -o mode=755 none /run
mkdir /run/sshd
"""
HOLD = "echo up; exec sleep infinity"


class NoSsh(Exception):
    """Hosts with OpenSSH can't be had here; the text says what to do."""


def check_ssh() -> None:
    """Raise NoSsh if such hosts can't be made."""
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    missing += [] if SSHD.exists() else ["openssh-server"]
    if missing:
        raise NoSsh(f"No OpenSSH to try with: install {', '.join(missing)}.")
    done = subprocess.run([*ISOLATION, PRIVATE], capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode != 0:
        raise NoSsh(f"No OpenSSH to try with: a namespace can't be made here ({done.stderr.strip()}); that needs root.")


class Host:
    """A host that starts with this machine's files; changes stay its own. It ends with the block."""

    def __init__(self) -> None:
        script = PRIVATE + "\n".join(_opened([Path(sys.base_prefix), ROOT])) + "\n" + HOLD
        self._holder = subprocess.Popen([*ISOLATION, script], stdout=subprocess.PIPE, text=True)
        self._servers: list[subprocess.Popen[bytes]] = []
        assert self._holder.stdout
        if self._holder.stdout.readline() != "up\n":
            raise NoSsh("No OpenSSH to try with: a namespace can't be made here.")
        self.pid = int(Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._holder.send_signal(signal.SIGKILL)
        self._holder.wait(SECONDS)
        for server in self._servers:
            server.wait(SECONDS)
        assert self._holder.stdout
        self._holder.stdout.close()

    def inside(self, *command: str) -> list[str]:
        """The command as it runs on this host; what it leaves running ends with the host, too."""
        return ["nsenter", "--target", str(self.pid), "--mount", "--pid", *command]

    @property
    def files(self) -> Path:
        """The host's file system, as seen from outside."""
        return Path(f"/proc/{self.pid}/root")

    def run(self, *command: str, text: str = "", check: bool = True) -> str:
        """Run a command there, with a text as its standard input; returns what it printed.

        Raises NoSsh if it fails, unless that is not to be checked.
        """
        done = subprocess.run(
            self.inside(*command), input=text, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        if check and done.returncode != 0:
            raise NoSsh(f"{' '.join(command)} failed: {done.stderr.strip()}")
        return done.stdout

    def write(self, path: str, text: str, mode: int = 0o644, owner: str = "root") -> None:
        """Write a file there, and make the folders that it needs."""
        self.run("install", "-D", "-m", f"{mode:o}", "-o", owner, "/dev/stdin", path, text=text)

    def add_people(self, names: Sequence[str], group: str, shell: str, homes: bool = True, password: str = "*") -> None:
        """Make accounts, all of one group; `password` is that of each, as in shadow(5), where `*` means none."""
        self._append("group", f"{group}:x:{FIRST_ACCOUNT - 1}:\n")
        for number, name in enumerate(names, FIRST_ACCOUNT):
            home = f"{HOMES}/{name}" if homes else "/"
            self._append("passwd", f"{name}:x:{number}:{FIRST_ACCOUNT - 1}::{home}:{shell}\n")
            self._append("shadow", f"{name}:{password}:20000:0:99999:7:::\n")
            if homes:
                made = self.files / home.lstrip("/")
                made.mkdir(mode=0o700)
                os.chown(made, number, FIRST_ACCOUNT - 1)

    def _append(self, file: str, line: str) -> None:
        with (self.files / "etc" / file).open("a") as opened:
            opened.write(line)

    def serve_ssh(self, port: int, log: Path, *options: str) -> None:
        """Run sshd by the host's /etc/ssh/sshd_config, until the host ends; returns when it answers."""
        given = [f"Port={port}", "ListenAddress=127.0.0.1", "PidFile=none", *options]
        command = [str(SSHD), "-D", "-e", *(part for one in given for part in ("-o", one))]

        def answers() -> bool:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
            return False

        self.serve(command, log, answers)

    def serve_gate(self, log: Path) -> subprocess.Popen[bytes]:
        """Run the gate service by the host's gate.toml, until it or the host is ended; returns when it listens."""
        listens = self.files / SOCKET
        listens.unlink(missing_ok=True)
        return self.serve([COUNTERSIGN, "gate", "serve"], log, listens.exists)

    def serve(self, command: Sequence[str], log: Path, is_up: Callable[[], bool]) -> subprocess.Popen[bytes]:
        """Run a server there, until it or the host is ended; returns when it is up."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
        with log.open("ab") as output:
            server = subprocess.Popen(self.inside(*command), env=environment, stdout=output, stderr=output)
        self._servers.append(server)
        deadline = time.monotonic() + SECONDS
        while not is_up():
            if time.monotonic() > deadline or server.poll() is not None:
                raise NoSsh(f"A server of a host does not answer: {log.read_text()}")
            time.sleep(0.02)
        return server


def _opened(folders: Iterable[Path]) -> list[str]:
    """Commands that let every account of a host reach these folders, even below an owner's own, such as /root."""
    lines, closed = [], dict[Path, list[Path]]()
    for folder in folders:
        above = [one for one in reversed(folder.parents) if not one.stat().st_mode & stat.S_IXOTH]
        if above:
            closed.setdefault(above[0], []).append(folder)
    for number, (outer, inner) in enumerate(closed.items()):
        kept = [(folder, f"/mnt/{number}-{at}") for at, folder in enumerate(inner)]
        lines += [f"mkdir '{place}'; mount --rbind '{folder}' '{place}'" for folder, place in kept]
        lines += [f"mount -t tmpfs -o mode=755 none '{outer}'"]
        lines += [f"mkdir -p '{folder}'; mount --rbind '{place}' '{folder}'" for folder, place in kept]
    return lines
