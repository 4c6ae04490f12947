"""Runs the person's RDP client, connected to a port on this machine from which ssh leads through the bastion."""

import select
import shlex
import shutil
import socket
import subprocess
from collections.abc import Sequence

from rich.text import Text

from countersign.cli import programs
from countersign.cli.output import console
from countersign.errors import BadQuestion

# Looked for in this order; {} is the address that the client connects to.
CLIENTS = ("xfreerdp3 /v:{}", "xfreerdp /v:{}", "sdl-freerdp3 /v:{}", "mstsc.exe /v:{}", "remmina rdp://{}")
LOOK_SECONDS = 0.2


def run(bastion: str, device: str, port: int, client: str, more: Sequence[str]) -> int:
    """Wait for the approval, then run the client; returns its exit code, or that of the waiting if the answer is no."""
    tunnel = ["ssh", "-T", bastion, device, str(port)]
    # A client would not wait for as long as people take to decide, so it is started only after the decision.
    # The input of the command that waits stays open: its end would say that nobody waits.
    if code := programs.run([*tunnel, "--ask-only"], subprocess.PIPE):
        return code
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        command = _client(client, place)
        if not command:
            message = f"No RDP client was found. Connect yours to {place}, or name it with --client. Ctrl-C ends this."
            console(stderr=True).print(Text(message))
            return _carry(listener, tunnel)
        with programs.started([*command, *more]) as process:
            return _carry(listener, tunnel, process)


def _carry(listener: socket.socket, tunnel: Sequence[str], client: subprocess.Popen[bytes] | None = None) -> int:
    """Have ssh carry each connection while the client runs; returns the client's exit code."""
    carrying: list[subprocess.Popen[bytes]] = []
    try:
        while client is None or client.poll() is None:
            if select.select([listener], [], [], LOOK_SECONDS)[0]:
                taken, _ = listener.accept()
                with taken:  # ssh has a copy of its own
                    carrying.append(programs.start(tunnel, taken.fileno(), taken.fileno()))
            carrying = [one for one in carrying if one.poll() is None]
        return client.returncode
    finally:
        for one in carrying:
            programs.end(one)


def _client(client: str, place: str) -> list[str]:
    """The command of the client that was named, or of the first that is installed; empty if none is."""
    try:
        known = [shlex.split(one) for one in ([client] if client else CLIENTS)]
    except ValueError as error:
        raise BadQuestion(f"--client can't be read: {error}; write it as in a shell.") from None
    for command in known:
        if command and shutil.which(command[0]):
            parts = command if "{}" in " ".join(command) else [*command, "/v:{}"]
            return [part.replace("{}", place) for part in parts]
    if client:
        raise BadQuestion(f"--client names {client!r}, which is no program here; install it, or name another.")
    return []
