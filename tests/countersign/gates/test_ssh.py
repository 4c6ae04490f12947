"""SSH through a bastion with real programs: nothing passes before the yes, everything after it, until its end."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import paramiko
import pytest

from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.models import Status
from sandbox.ssh_hosts import HOMES
from tests.countersign.gates.gate_installation import until_told
from tests.countersign.gates.networks import SECONDS
from tests.countersign.gates.sshd import SshHosts

WITHIN_SECONDS = 30.0
IMPATIENT_SECONDS = 2.0


@pytest.fixture(scope="module")
def granted(ssh_hosts: SshHosts) -> str:
    """A device that alice may connect to for all of these tests."""
    device = ssh_hosts.device()
    client = ssh_hosts.begin("alice", "ssh", device, "true")
    ssh_hosts.approved("alice", device)
    assert client.wait(SECONDS) == 0
    return device


def ended(client: subprocess.Popen[str], text: str = "") -> tuple[int, str, str]:
    """A client's exit code and output. Without `text` its input stays open: its end means that they have gone."""
    if not text:
        client.wait(SECONDS)
    out, errors = client.communicate(text, timeout=SECONDS)
    return client.returncode, out, errors


def test_no_byte_comes_before_the_yes_and_all_do_after_it(ssh_hosts: SshHosts) -> None:
    device = ssh_hosts.device()
    client = ssh_hosts.begin("alice", "ssh", "-T", "bastion", device, str(ssh_hosts.target_port))
    number = ssh_hosts.gates.until_waiting("alice", device).approval_id
    told = until_told(client, f"#{number} waits for Grace Hopper")
    assert "left" in told
    assert client.stdout
    assert select.select([client.stdout], [], [], 0)[0] == []
    ssh_hosts.gates.approve(number)
    assert client.stdout.readline().startswith("SSH-2.0-OpenSSH")


def test_the_shell_opens_once_it_is_approved_and_closes_when_it_is_revoked(
    ssh_hosts: SshHosts, capsys: pytest.CaptureFixture[str]
) -> None:
    device = ssh_hosts.device()
    client = ssh_hosts.begin("alice", "ssh", device, "id -un; cat")
    number = ssh_hosts.approved("alice", device)
    assert client.stdout
    assert client.stdout.readline() == "alice\n"
    began = time.monotonic()
    ssh_hosts.gates.revoke(number, "enough")
    assert client.wait(SECONDS) == 255
    took = time.monotonic() - began
    assert client.stderr
    assert "Revoked by Grace Hopper: enough" in client.stderr.read()
    with capsys.disabled():
        print(f"\nThe session ended {took:.2f} s after the revocation.")
    assert took < WITHIN_SECONDS


def test_in_a_terminal_what_is_told_begins_and_ends_a_line(ssh_hosts: SshHosts) -> None:
    """A session's terminal is raw: after a line feed alone, the next line would begin in mid-line."""
    device = ssh_hosts.device()
    main, terminal = pty.openpty()
    command = ["ssh", "-F", str(ssh_hosts.config("alice")), "-tt", device, "echo up; exec sleep 600"]
    client = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
    os.close(terminal)
    seen = b""
    with client, os.fdopen(main, "rb", buffering=0) as screen:
        number = ssh_hosts.approved("alice", device)
        while b"up\r\n" not in seen:
            seen += screen.read(65536)
        ssh_hosts.gates.revoke(number, "enough")
        # Reading a terminal whose other side is closed is an error (pty(7)).
        with suppress(OSError):
            while part := screen.read(65536):
                seen += part
        assert client.wait(SECONDS) == 255
    said = seen.partition(b"up\r\n")[2]
    assert said.startswith(f"\r\ncountersign: #{number}: Revoked".encode()), said
    assert b"enough\r\n" in said


def test_a_session_ends_with_its_grant(ssh_hosts: SshHosts) -> None:
    device = ssh_hosts.device()
    # One minute is the least that can be asked for.
    question = ConnectionQuestion(
        requester="alice", device=device, protocol=ConnectionProtocol.SSH, minutes=1, source_address="127.0.0.1"
    )
    with ssh_hosts.gates.api("alice") as api:
        number = api.ask(question).approval_id
    ssh_hosts.gates.approve(number)
    client = ssh_hosts.begin("alice", "ssh", device, "cat")
    assert client.wait(60 + SECONDS) == 255
    assert client.stderr
    with ssh_hosts.gates.api() as api:
        grant = api.request(number).grant
    assert grant
    assert datetime.now(UTC) >= grant.ends_at
    assert f"#{number}" in client.stderr.read()


def test_rejected_means_words_and_an_exit_code(ssh_hosts: SshHosts) -> None:
    device = ssh_hosts.device()
    client = ssh_hosts.begin("alice", "ssh", device, "true")
    ssh_hosts.gates.reject(ssh_hosts.gates.until_waiting("alice", device).approval_id, "Not today.")
    code, out, errors = ended(client)
    assert (code, out) == (255, "")
    assert "Not today." in errors


def test_files_go_both_ways_by_scp_sftp_and_rsync(ssh_hosts: SshHosts, granted: str, tmp_path: Path) -> None:
    content = os.urandom(5_000_000)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    shell = f"ssh -F {ssh_hosts.config('alice')}"
    commands = [
        ["scp", "-F", str(ssh_hosts.config("alice")), str(source), f"{granted}:by-scp"],
        ["scp", "-F", str(ssh_hosts.config("alice")), f"{granted}:by-scp", str(target)],
        ["rsync", "-e", shell, str(source), f"{granted}:by-rsync"],
        ["rsync", "-e", shell, f"{granted}:by-rsync", str(target)],
    ]
    for command in commands:
        code, _, errors = ended(ssh_hosts.start(command))
        assert code == 0, errors
        if command[-1] == str(target):
            assert target.read_bytes() == content
            target.unlink()
    batch = f"put {source} by-sftp\nget by-sftp {target}\n"
    code, _, errors = ended(ssh_hosts.begin("alice", "sftp", "-b", "-", granted), batch)
    assert code == 0, errors
    assert target.read_bytes() == content


def test_git_clones_and_pushes(ssh_hosts: SshHosts, granted: str, tmp_path: Path) -> None:
    project = f"{HOMES}/alice/project.git"
    ssh_hosts.target.run("git", "init", "-q", "--bare", project)
    ssh_hosts.target.run("chown", "-R", "alice", project)
    git = {"GIT_SSH_COMMAND": f"ssh -F {ssh_hosts.config('alice')}"}
    folder = str(tmp_path / "project")
    identity = ["-c", "user.name=Alice", "-c", "user.email=alice@example.test"]
    for command in (
        ["clone", "-q", f"{granted}:project.git", folder],
        ["-C", folder, *identity, "commit", "-q", "--allow-empty", "-m", "One"],
        ["-C", folder, "push", "-q", "origin", "HEAD"],
    ):
        code, _, errors = ended(ssh_hosts.start(["git", *command], **git))
        assert code == 0, errors
    assert list((ssh_hosts.target.files / project[1:] / "refs/heads").iterdir())


@pytest.mark.parametrize("way", ["environment", "words"])
def test_programs_are_answered_at_once_where_no_grant_lasts(
    ssh_hosts: SshHosts, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    device = ssh_hosts.device()
    began = time.monotonic()
    if way == "environment":
        client = ssh_hosts.begin("alice", "ssh", device, "true", wait="no")
    else:
        client = ssh_hosts.begin("alice", "ssh", "-T", "bastion", device, str(ssh_hosts.target_port), "--no-wait")
    # This ends its input, as that of a program that was started without any.
    out, errors = client.communicate(timeout=SECONDS)
    with capsys.disabled():
        print(f"\nAnswered {time.monotonic() - began:.2f} s after ssh was started.")
    view = ssh_hosts.gates.until_waiting("alice", device)
    assert (client.returncode != 0, out) == (True, "")
    assert f"#{view.approval_id}" in errors


class Proxy(paramiko.ProxyCommand):  # type: ignore[misc]
    """paramiko's class, for a program that may have ended by itself."""

    def close(self) -> None:
        with suppress(ProcessLookupError):
            super().close()

    def end(self) -> None:
        """End it, and all that read from it."""
        self.close()
        for thread in threading.enumerate():
            if isinstance(thread, paramiko.Transport):
                thread.join(SECONDS)
        self.process.communicate(timeout=SECONDS)


def try_paramiko(hosts: SshHosts, device: str, seconds: float) -> str:
    """What `id -un` prints through paramiko, which waits this long for the server's first line."""
    config = hosts.config("alice")
    proxy = Proxy(f"ssh -F {config} -T bastion {device} {hosts.target_port}")
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    try:
        client.connect(
            device,
            username="alice",
            key_filename=str(hosts.key("alice")),
            sock=proxy,
            banner_timeout=seconds,
            look_for_keys=False,
            allow_agent=False,
        )
        _, out, _ = client.exec_command("id -un", timeout=SECONDS)
        return str(out.read().decode())
    finally:
        client.close()
        proxy.end()


def try_asyncssh(hosts: SshHosts, device: str, seconds: float) -> str:
    """The same through asyncssh, which waits this long until it is logged in."""

    async def connect() -> str:
        async with asyncssh.connect(
            device,
            config=None,
            username="alice",
            client_keys=[str(hosts.key("alice"))],
            known_hosts=None,
            agent_path=None,
            proxy_command=f"ssh -F {hosts.config('alice')} -T bastion {device} {hosts.target_port}",
            login_timeout=seconds,
        ) as connection:
            return str((await connection.run("id -un", check=True)).stdout)

    return asyncio.run(connect())


# asyncssh does not clean up the program that it connects through.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("attempt", [try_paramiko, try_asyncssh])
def test_clients_that_do_not_wait_long_and_try_again_ask_once(
    ssh_hosts: SshHosts, attempt: Callable[[SshHosts, str, float], str]
) -> None:
    device = ssh_hosts.device()
    for _ in range(2):
        with pytest.raises((paramiko.SSHException, asyncssh.Error, OSError, EOFError)):
            attempt(ssh_hosts, device, IMPATIENT_SECONDS)
    number = ssh_hosts.approved("alice", device)
    assert attempt(ssh_hosts, device, SECONDS) == "alice\n"
    assert [one.approval_id for one in ssh_hosts.gates.requests("alice", device)] == [number]


def test_whoever_interrupts_withdraws_the_request(ssh_hosts: SshHosts) -> None:
    device = ssh_hosts.device()
    client = ssh_hosts.begin("alice", "ssh", device, "true")
    number = ssh_hosts.gates.until_waiting("alice", device).approval_id
    os.killpg(client.pid, signal.SIGINT)
    client.wait(SECONDS)
    ssh_hosts.gates.until_status(number, Status.CANCELLED)


@pytest.fixture
def restarted(ssh_hosts: SshHosts) -> Iterator[SshHosts]:
    yield ssh_hosts
    if ssh_hosts.service is None or ssh_hosts.service.poll() is not None:
        ssh_hosts.start_service()


def test_when_the_gate_service_dies_sessions_end_and_nobody_gets_in(restarted: SshHosts, granted: str) -> None:
    client = restarted.begin("alice", "ssh", granted, "echo here; cat")
    assert client.stdout
    assert client.stdout.readline() == "here\n"
    restarted.kill_service()
    assert client.wait(SECONDS) == 255
    code, out, errors = ended(restarted.begin("alice", "ssh", granted, "echo here"))
    assert (code, out) == (255, "")
    assert "can't be reached" in errors
    restarted.start_service()
    assert ended(restarted.begin("alice", "ssh", granted, "echo here"))[:2] == (0, "here\n")
