"""`countersign gate check` as the author of a gateway runs it: the real command, with a real portal."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from countersign.models import Status
from tests.countersign.gates.gate_installation import GateInstallation, new_gateway
from tests.countersign.gates.sshd import SshHosts
from tests.countersign.installation import COMMAND

PROGRAM = Path(__file__).with_name("authors_gateway.py")
SECONDS = 300


def checked(gates: GateInstallation, device: str, protocol: str, *where: str, code: int = 0) -> dict[str, str]:
    """The state of each check, as the command prints them for Grace."""
    command = [COMMAND, "gate", "check", *where, "--device", device, "--protocol", protocol, "--person", "alice"]
    environment = gates.installation.environment("grace")
    done = subprocess.run(
        [*command, "--json"], env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return {one["part"]: one["state"] for one in json.loads(done.stdout)}


def bad(found: dict[str, str]) -> set[str]:
    return {part for part, state in found.items() if state != "ok"}


@contextmanager
def gateway(gates: GateInstallation, device: str, fault: str) -> Iterator[str]:
    """The address of an author's gateway."""
    token = new_gateway(gates.installation, "authors-1")
    command = [sys.executable, str(PROGRAM), gates.installation.url, device, fault]
    with subprocess.Popen(command, env={"TOKEN": token}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/"
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("", set()),
        ("asks twice", {"3 connections are one request"}),
        (
            "opens before",
            {
                "nothing comes through before the yes",
                "a revocation cuts the connection within 2 s",
                "a rejection closes the connection",
            },
        ),
        ("stays", {"a revocation cuts the connection within 2 s", "it asks anew after the revocation"}),
    ],
)
def test_an_authors_gateway_is_found_right_or_its_fault_is(
    gate_installation: GateInstallation, fault: str, found: set[str]
) -> None:
    gates, device = gate_installation, gate_installation.device()
    with gateway(gates, device, fault) as url:
        checks = checked(gates, device, "http", url, "--patience", "8s", code=1 if found else 0)
    assert bad(checks) == found
    # The check leaves nothing behind, whatever it found.
    left = [one for one in gates.requests("alice", device) if one.subject.variant == "http"]
    assert not [one for one in left if one.status is Status.WAITING or (one.grant and one.grant.status == "Active")]


def test_our_ssh_gate_is_found_right_by_the_client_of_a_person(ssh_hosts: SshHosts) -> None:
    device = ssh_hosts.device()
    client = f"ssh -F {ssh_hosts.config('alice')} -T bastion {device} {ssh_hosts.target_port}"
    checks = checked(ssh_hosts.gates, device, "ssh", "--client", client)
    assert (bad(checks), len(checks)) == (set(), 10)
    assert ssh_hosts.gates.requests("alice", device)[0].status is Status.CANCELLED


def test_the_client_gets_no_token_of_who_checks(gate_installation: GateInstallation, tmp_path: Path) -> None:
    device, seen = gate_installation.device(), tmp_path / "environment"
    client = shlex.join(["sh", "-c", f"env >> {shlex.quote(str(seen))}; exec sleep 600"])
    command = [COMMAND, "gate", "check", "--client", client, "--device", device, "--protocol", "ssh"]
    tokens = gate_installation.installation.tokens
    subprocess.run(
        [*command, "--person", "alice", "--patience", "1s", "--gone-within", "1s"],
        env=gate_installation.installation.environment("grace") | {"COUNTERSIGN_PERSON_TOKEN": tokens["alice"]},
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert f"COUNTERSIGN_URL={gate_installation.installation.url}" in seen.read_text()
    assert not [one for one in ("grace", "alice") if tokens[one] in seen.read_text()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--client", "no-such-client"], "'no-such-client' can't be run"),
        (["--client", "ssh 'bastion"], "--client is not a command"),
        (["http://127.0.0.1:9/"], "can't be reached"),
        (["http://127.0.0.1:9/", "--client", "true"], "either the gateway's address or --client"),
        ([], "either the gateway's address or --client"),
    ],
)
def test_what_was_asked_wrongly_is_said(gate_installation: GateInstallation, options: list[str], message: str) -> None:
    device = gate_installation.device()
    command = [COMMAND, "gate", "check", *options, "--device", device, "--protocol", "ssh", "--person", "alice"]
    environment = gate_installation.installation.environment("grace")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, message in " ".join(done.stderr.split())) == (2, True), done.stderr


@pytest.mark.parametrize(("who", "message"), [("ada", "ada alone has to decide"), ("bastion", "is the gateway")])
def test_whoever_can_not_answer_is_told_before_anything_is_asked(
    gate_installation: GateInstallation, who: str, message: str
) -> None:
    device = gate_installation.device()
    command = [COMMAND, "gate", "check", "tcp://127.0.0.1:9", "--device", device, "--protocol", "ssh"]
    environment = gate_installation.installation.environment(who)
    done = subprocess.run(
        [*command, "--person", "alice"], env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode, message in " ".join(done.stderr.split())) == (2, True), done.stderr
    assert gate_installation.requests("alice", device) == []
