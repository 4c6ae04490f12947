"""Ansible through the bastion, as Debian has it: no task before the yes, and none after the revocation."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sandbox.ssh_hosts import HOMES
from tests.countersign.gates.networks import SECONDS
from tests.countersign.gates.sshd import SshHosts

UNREACHABLE = 4  # ansible(1)


def run(hosts: SshHosts, device: str, home: Path) -> tuple[int, str]:
    """Run a task that makes a file in alice's home, without waiting; Ansible's exit code and output."""
    login = ["--user", "alice", "--extra-vars", f"ansible_port={hosts.target_port}"]
    connects = ["--ssh-common-args", f"-F {hosts.config('alice')}"]
    task = ["--module-name", "command", "--args", "touch made-by-ansible"]
    client = hosts.start(
        ["ansible", device, "--inventory", f"{device},", *login, *connects, *task],
        **{"wait": "no", "HOME": str(home), "LC_ALL": "C.UTF-8", "ANSIBLE_SSH_ARGS": "-C"},
    )
    out, errors = client.communicate(timeout=SECONDS)
    return client.returncode, out + errors


@pytest.mark.skipif(not shutil.which("ansible"), reason="ansible is not installed (Debian's package is ansible-core)")
def test_a_task_runs_once_it_is_approved_and_no_more_when_that_is_revoked(ssh_hosts: SshHosts, tmp_path: Path) -> None:
    device, made = ssh_hosts.device(), ssh_hosts.target.files / f"{HOMES}/alice/made-by-ansible"[1:]
    code, said = run(ssh_hosts, device, tmp_path)
    number = ssh_hosts.gates.until_waiting("alice", device).approval_id
    assert (code, made.exists()) == (UNREACHABLE, False), said
    assert f"#{number} waits for Grace Hopper" in said
    assert "connect again when it is approved" in said

    ssh_hosts.gates.approve(number)
    code, said = run(ssh_hosts, device, tmp_path)
    assert (code, made.exists()) == (0, True), said
    assert [one.approval_id for one in ssh_hosts.gates.requests("alice", device)] == [number]

    ssh_hosts.gates.revoke(number)
    made.unlink()
    code, said = run(ssh_hosts, device, tmp_path)
    assert (code, made.exists()) == (UNREACHABLE, False), said
