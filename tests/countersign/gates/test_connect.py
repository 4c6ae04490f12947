"""`countersign connect`: a person's own ssh, sftp and FreeRDP through a bastion with OpenSSH's own server."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from countersign.models import Status
from tests.countersign.gates.gate_installation import until_told
from tests.countersign.gates.networks import SECONDS, wait_until
from tests.countersign.gates.rdp_host import COLOURS_OF_A_WINDOW, Screen, missing, rdp_host
from tests.countersign.gates.sshd import SshHosts
from tests.countersign.installation import COMMAND, Run

Connect = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def connect(ssh_hosts: SshHosts, tmp_path: Path) -> Connect:
    """Starts `countersign connect` as alice; the ssh and sftp that it finds read her configuration."""
    for program in ("ssh", "sftp"):
        own = tmp_path / program
        own.write_text(f'#!/bin/sh\nexec /usr/bin/{program} -F {ssh_hosts.config("alice")} "$@"\n')
        own.chmod(0o755)

    def begin(*arguments: str, login: bool = True, terminal: bool = False, **others: str) -> subprocess.Popen[str]:
        login_of = {"COUNTERSIGN_URL": ssh_hosts.gates.installation.url}
        login_of |= {"COUNTERSIGN_TOKEN": ssh_hosts.gates.installation.tokens["alice"]} if login else {}
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "XDG_CONFIG_HOME": str(tmp_path / "config")}
        command = [COMMAND, "connect", *arguments]
        if terminal:
            # `exec`, as a shell that stays would itself be ended by Ctrl-C.
            command = ["script", "--quiet", "--return", "--command", f"exec {shlex.join(command)}", "/dev/null"]
        return ssh_hosts.start(command, **environment, **login_of, **others)

    return begin


def ended(client: subprocess.Popen[str]) -> tuple[int, str, str]:
    client.wait(SECONDS)
    out, errors = client.communicate(timeout=SECONDS)
    return client.returncode, out, errors


def test_ssh_waits_runs_the_command_and_ends_as_it_does(ssh_hosts: SshHosts, connect: Connect) -> None:
    device = ssh_hosts.device()
    client = connect(device, "ssh", "--bastion", "bastion", "--", "id -un; exit 7")
    number = ssh_hosts.gates.until_waiting("alice", device).approval_id
    until_told(client, f"#{number} waits for Grace Hopper")
    ssh_hosts.gates.approve(number)
    code, out, _ = ended(client)
    assert (code, out) == (7, "alice\n")
    # The bastion is remembered for the next time, and the grant lasts.
    assert ended(connect(device, "ssh", "--", "true"))[0] == 0
    listing = connect(device, "sftp", "--", "-b", "-")
    assert listing.stdin
    out, errors = listing.communicate("pwd\n", timeout=SECONDS)
    assert "Remote working directory: " in out, errors
    assert len(ssh_hosts.gates.requests("alice", device)) == 1


def test_a_no_is_told_and_ends_the_client(ssh_hosts: SshHosts, connect: Connect) -> None:
    device = ssh_hosts.device()
    client = connect(device, "ssh", "--bastion", "bastion", "--", "true")
    ssh_hosts.gates.reject(ssh_hosts.gates.until_waiting("alice", device).approval_id, "not today")
    code, _, errors = ended(client)
    assert (code, "not today" in errors) == (255, True)


@pytest.mark.parametrize(("protocol", "login"), [("ssh", True), ("sftp", True), ("ssh", False)])
def test_ctrl_c_withdraws(ssh_hosts: SshHosts, connect: Connect, protocol: str, login: bool) -> None:
    device = ssh_hosts.device()
    client = connect(device, protocol, "--bastion", "bastion", login=login)
    number = ssh_hosts.gates.until_waiting("alice", device).approval_id
    until_told(client, f"#{number} waits")
    # To all programs in the group, as a terminal does.
    os.killpg(client.pid, signal.SIGINT)
    code, _, errors = ended(client)
    told = f"#{number} is withdrawn." if login else "The gate withdraws the request, if one waits, within a minute."
    assert (code, told in errors) == (130, True), errors
    ssh_hosts.gates.until_status(number, Status.CANCELLED)


def test_ctrl_c_within_sftp_is_sftp_s_own(ssh_hosts: SshHosts, connect: Connect) -> None:
    """There it ends a transfer, not the session."""
    device = ssh_hosts.device()
    client = connect(device, "sftp", "--bastion", "bastion", terminal=True)
    assert client.stdin
    ssh_hosts.approved("alice", device)
    until_shown(client, "sftp> ")
    for typed in ("\x03", "pwd\n"):
        client.stdin.write(typed)
        client.stdin.flush()
    until_shown(client, "Remote working directory: ")
    client.stdin.write("quit\n")
    client.stdin.flush()
    assert client.wait(SECONDS) == 0


def until_shown(client: subprocess.Popen[str], text: str) -> None:
    """Read what a terminal shows until this is in it."""
    assert client.stdout
    shown = b""
    while text not in shown.decode() and (part := os.read(client.stdout.fileno(), 65536)):
        shown += part
    assert text in shown.decode(), shown


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    if lacking := missing():
        pytest.skip(f"RDP needs {lacking}, which is not installed")
    with Screen(tmp_path) as made:
        yield made


def test_the_rdp_client_starts_after_the_yes_and_is_cut_with_the_grant(
    ssh_hosts: SshHosts, connect: Connect, screen: Screen, tmp_path: Path
) -> None:
    device = ssh_hosts.device()
    with rdp_host(tmp_path) as host:
        ssh_hosts.configure(ports={device: f"{{ rdp = {host.port} }}"})
        ssh_hosts.restart()
        client = connect(
            *(device, "rdp", "--bastion", "bastion", "--port", str(host.port)),
            *("--client", "xfreerdp /v:{} /cert:ignore", "--", "/sec:tls", "/log-level:OFF"),
            DISPLAY=screen.name,
            HOME=str(tmp_path),
        )
        number = ssh_hosts.gates.until_waiting("alice", device).approval_id
        until_told(client, f"#{number} waits for Grace Hopper")
        assert host.connections == 0
        ssh_hosts.gates.approve(number)
        wait_until(lambda: screen.colours > COLOURS_OF_A_WINDOW or client.poll() is not None)
        assert client.poll() is None
        ssh_hosts.gates.revoke(number)
        assert ended(client)[0] != 0
        assert len(ssh_hosts.gates.requests("alice", device)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("db-1",), "--bastion is missing"),
        (("db-1", "--bastion", "-oProxyCommand=x"), "is not an SSH host name"),
        (("db-1", "--bastion", "a b; c"), "is not an SSH host name"),
        (("db-1;id", "--bastion", "b"), "DEVICE"),
        (("db-1", "telnet"), "PROTOCOL"),
        (("db-1", "http", "--address", "javascript:alert(1)"), "--address must be the application's address"),
    ],
)
def test_what_was_asked_wrongly_is_said(
    command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    ran = command("connect", *arguments)
    assert (ran.code, message in ran.err) == (2, True), ran.err


def test_where_no_browser_can_be_started_the_address_is_named(tmp_path: Path) -> None:
    """PATH is an empty folder, so that no program is found."""
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    command = [COMMAND, "connect", "grafana", "http"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, "Open https://grafana/ in yours." in " ".join(done.stderr.split())) == (4, True), (
        done.stderr
    )
