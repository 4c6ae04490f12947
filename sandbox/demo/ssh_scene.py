"""The scene of an SSH bastion: it waits, Grace replies by mail, the shell opens; she revokes, and it closes."""

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

from countersign.models import GrantStatus, Status
from engine.credentials.tokens import TokenActions
from sandbox.clients import Client
from sandbox.demo.scenes import Play, Scene
from sandbox.demo.screen import SceneResult
from sandbox.demo.steps import StepFailed, must, step
from sandbox.ssh_hosts import COUNTERSIGN, HOMES, Host, NoSsh, check_ssh
from sandbox.temporal_server import free_port
from sandbox.temporal_tool import Say
from store.tokens import Owner

SECONDS = 30
DEVICE = "lab-1"
CONFIG = """\
url = "{url}"
token_file = "/etc/countersign/gate.token"
[devices.{device}]
address = "127.0.0.1"
ports = {{ ssh = {port} }}
"""
OWN = """\
Host *
    User alice
    BatchMode yes
    IdentitiesOnly yes
    IdentityAgent none
    IdentityFile {folder}/key
    UserKnownHostsFile {folder}/known_hosts
    StrictHostKeyChecking accept-new
    LogLevel ERROR
Host bastion
    Port {bastion}
Host {device}
    Port {target}
"""


@dataclass(frozen=True)
class Bastion:
    """A bastion and a lab machine behind it, each with Debian's sshd; `config` is Alice's ssh_config."""

    config: Path

    def connect(self) -> subprocess.Popen[str]:
        """Alice's ssh, which holds a shell open on the lab machine."""
        command = ["ssh", "-F", str(self.config), DEVICE, "echo The shell of $(id -un) is open; cat"]
        return subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True, start_new_session=True)


async def through_a_bastion(play: Play) -> SceneResult:
    """Alice waits for the yes, gets a shell, and loses it."""
    play.stage.apply(play.stage.policy)
    token = TokenActions(play.stage.store).create(
        Owner(kind="gateway", name="bastion", targets=[DEVICE], variants=["ssh"]), "demo"
    )
    with tempfile.TemporaryDirectory() as folder, _bastion(play.stage.portal_url, token, Path(folder)) as bastion:
        ssh = bastion.connect()
        try:
            return await _connects(play, ssh)
        finally:
            ssh.kill()
            ssh.communicate()


async def _connects(play: Play, ssh: subprocess.Popen[str]) -> SceneResult:
    assert ssh.stdout
    assert ssh.stderr
    play.screen.does("page", "Alice", f"types ssh {DEVICE}")
    message = await _line(ssh.stderr.readline, "tells Alice what it waits for")
    play.screen.does("page", "Alice", f"reads “{message}”")
    view = play.stage.store.reading.mine("alice").asked[0]
    request = play.follow(view.question, view.approval_id)
    await request.record("opened gateway:bastion", "level_started countersign", "noticed alice", "noticed grace")
    await request.reply("grace", "Approved", Client.GMAIL)
    await request.record("answered grace", "approved grace", "granted alice", "noticed alice", "noticed grace")
    must(request.view().status is Status.APPROVED, f"{request.number} should be approved")
    play.screen.does("page", "Alice", f"reads “{await _line(ssh.stdout.readline, 'opens the shell')}”")
    began = time.monotonic()
    with step("Grace revokes the grant"):
        await asyncio.to_thread(_revoke, play, request.approval_id)
    with step("the connection closes"):
        await asyncio.to_thread(ssh.wait, SECONDS)
    took = time.monotonic() - began
    await request.record("grant_revoked grace", "noticed alice", "noticed grace")
    play.screen.does("page", "Alice", f"reads “{' '.join(ssh.stderr.read().split())}”")
    grant = request.view().grant
    must(grant is not None and grant.status is GrantStatus.REVOKED, f"the grant of {request.number} is {grant}")
    play.screen.outcome("Revoked", f"Grace revokes {request.number}, and {took:.1f} s later the shell is closed")
    return SceneResult("", request.number, "Revoked", "Opened by a yes, closed by a no")


async def _line(readline: Callable[[], str], what: str) -> str:
    async with asyncio.timeout(SECONDS):
        line = (await asyncio.to_thread(readline)).strip()
    if not line:
        raise StepFailed(f"the bastion never {what}")
    return line


def _revoke(play: Play, approval_id: int) -> None:
    with play.stage.api("grace") as api:
        api.revoke(approval_id, "Enough for today")


@contextmanager
def _bastion(url: str, token: str, folder: Path) -> Iterator[Bastion]:
    bastion_port, target_port = free_port(), free_port()
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")]
    subprocess.run(make, check=True, timeout=SECONDS)
    public = (folder / "key.pub").read_text()
    with Host() as bastion, Host() as target:
        target.add_people(["alice"], "people", "/bin/sh")
        target.write(f"{HOMES}/alice/.ssh/authorized_keys", public, owner="alice")
        target.serve_ssh(target_port, folder / "target.log")
        bastion.add_people(["alice"], "countersign", "/bin/sh", homes=False)
        bastion.write("/etc/countersign/gate.toml", CONFIG.format(url=url, device=DEVICE, port=target_port))
        bastion.write("/etc/countersign/gate.token", token, mode=0o600)
        bastion.write("/etc/countersign/keys/alice", public)
        bastion.run(COUNTERSIGN, "gate", "install", "ssh", "--write")
        bastion.serve_ssh(bastion_port, folder / "bastion.log")
        bastion.serve_gate(folder / "gate.log")
        config = folder / "config"
        given = (bastion.files / "etc/countersign/ssh_config").read_text()
        given = given.replace("bastion.example.com", "127.0.0.1").replace("ssh -T", f"ssh -F {config} -T")
        own = OWN.format(folder=folder, device=DEVICE, bastion=bastion_port, target=target_port)
        config.write_text(own + given)
        yield Bastion(config)


def scenes(say: Say) -> list[tuple[str, str, Scene]]:
    """The scene, or none, with a message, if it can't be played here."""
    try:
        check_ssh()
    except NoSsh as reason:
        say(f"The scene of the SSH bastion is left out. {reason}")
        return []
    return [
        (
            "Through a bastion",
            "Alice's ssh goes through a bastion with OpenSSH's own sshd, which opens nothing before a yes.",
            through_a_bastion,
        )
    ]
