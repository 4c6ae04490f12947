"""A host with xrdp, and FreeRDP as the client of somebody who has a screen, in a display of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

from sandbox.ssh_hosts import Host
from sandbox.temporal_server import free_port
from tests.countersign.gates.networks import SECONDS, wait_until

PROGRAMS = {"xrdp": "xrdp", "xfreerdp": "freerdp2-x11", "Xvfb": "xvfb", "openssl": "openssl"}
# The X server for those who log in.
FOR_DESKTOPS = {"Xvnc": "tigervnc-standalone-server"}
# The configuration as Debian has it, and what is changed in it.
INSTALLED = Path("/etc/xrdp/xrdp.ini")
SESMAN, DESKTOP = INSTALLED.with_name("sesman.ini"), INSTALLED.with_name("startwm.sh")
CHANGES = {
    "port": "tcp://.:{port}",
    "security_layer": "tls",
    "certificate": "{folder}/cert.pem",
    "key_file": "{folder}/key.pem",
    "LogFile": "{folder}/xrdp.log",
    "EnableSyslog": "false",
}
# The screen's file (X11's xwd) ends with four bytes for each pixel.
WIDTH, HEIGHT = 800, 600
# A login window has many colours; an empty screen has only black, and perhaps the pointer's.
COLOURS_OF_A_WINDOW = 50
PIXELS = WIDTH * HEIGHT * 4


def missing(more: Mapping[str, str] = MappingProxyType({})) -> str:
    """The packages that have to be installed; empty if all are."""
    return ", ".join(package for program, package in {**PROGRAMS, **more}.items() if not shutil.which(program))


@dataclass
class RdpHost:
    """xrdp, where it listens, and what it logs."""

    port: int
    log: Path

    @property
    def connections(self) -> int:
        """How many connections have come so far."""
        return self.log.read_text(errors="replace").count("connection received from")


@contextmanager
def rdp_host(folder: Path) -> Iterator[RdpHost]:
    """Run xrdp until the end of the block."""
    port, log = free_port(), folder / "xrdp.log"
    config = _configured(folder, port)
    process = subprocess.Popen(["xrdp", "-n", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(log))
        yield RdpHost(port, log)
    finally:
        process.terminate()
        process.wait(SECONDS)


def serve_xrdp(host: Host, folder: Path, desktop: str) -> RdpHost:
    """Run xrdp on a host with accounts until the host ends; whoever logs in gets an X server and this command."""
    port, log, sessions = free_port(), folder / "xrdp.log", folder / "sesman.log"
    config = _configured(folder, port)
    config.write_text(re.sub("^autorun=.*", "autorun=Xvnc", config.read_text(), count=1, flags=re.M))
    text = SESMAN.read_text()
    for name, value in {"ListenPort": free_port(), "LogFile": sessions, "EnableSyslog": "false"}.items():
        text = re.sub(rf"^{name}=.*", f"{name}={value}", text, flags=re.M)
    host.write(str(SESMAN), text)
    host.write(str(DESKTOP), f"#!/bin/sh\n{desktop}\n", 0o755)
    host.run("mkdir", "-p", "/run/xrdp")
    host.serve(["xrdp-sesman", "-n"], folder / "sesman.out", sessions.exists)
    host.serve(["xrdp", "-n", "-c", str(config)], folder / "xrdp.out", lambda: _listens(log))
    return RdpHost(port, log)


def _listens(log: Path) -> bool:
    return log.exists() and "listening" in log.read_text(errors="replace")


def _configured(folder: Path, port: int) -> Path:
    certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*certificate, *files], capture_output=True, check=True)
    config = folder / "xrdp.ini"
    text = INSTALLED.read_text()
    for name, value in CHANGES.items():
        text = re.sub(rf"^{name}=.*", f"{name}={value.format(port=port, folder=folder)}", text, count=1, flags=re.M)
    config.write_text(text)
    return config


class Screen:
    """A display; what it shows is in a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        number, ours = os.pipe()
        os.set_inheritable(ours, True)
        command = ["Xvfb", "-displayfd", str(ours), "-fbdir", str(folder), "-screen", "0", f"{WIDTH}x{HEIGHT}x24"]
        self._process = subprocess.Popen(command, pass_fds=[ours], stderr=subprocess.DEVNULL)
        os.close(ours)
        with os.fdopen(number) as told:
            self.name = f":{told.readline().strip()}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(SECONDS)

    @property
    def colours(self) -> int:
        """How many different colours it shows now; an empty screen shows only black."""
        pixels = (self._folder / "Xvfb_screen0").read_bytes()[-PIXELS:]
        return len({pixels[at : at + 3] for at in range(0, PIXELS, 4 * 7)})

    def connect(self, file: Path, place: str) -> subprocess.Popen[bytes]:
        """Open a file with FreeRDP on this screen, as somebody who accepts the host's certificate."""
        return self._start(place, str(file))

    def log_in(self, person: str, password: str, place: str) -> subprocess.Popen[bytes]:
        """Connect as somebody whose client has saved their name and password."""
        return self._start(place, f"/u:{person}", f"/p:{password}")

    def _start(self, place: str, *given: str) -> subprocess.Popen[bytes]:
        options = [f"/v:{place}", "/cert:ignore", "/sec:tls", "/log-level:OFF", f"/size:{WIDTH}x{HEIGHT}"]
        return subprocess.Popen(
            ["xfreerdp", *given, *options],
            env={**os.environ, "DISPLAY": self.name, "HOME": str(self._folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
