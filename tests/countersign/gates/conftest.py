"""Networks with a WireGuard interface, and an installation with gates; tests that can't have them are skipped."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from countersign.errors import Delayed, Refused
from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.models import Status
from sandbox.ssh_hosts import NoSsh, check_ssh
from sandbox.wireguard_tool import NoWireGuard, check_networks, find_wireguard
from tests.countersign.gates.gate_installation import GateInstallation, GateProcess, gates_installed
from tests.countersign.gates.networks import Network, gate_network
from tests.countersign.gates.pam_host import GatedHost, check_pam
from tests.countersign.gates.sshd import SshHosts
from tests.countersign.gates.sshd import ssh_hosts as run_ssh_hosts


@pytest.fixture(scope="session")
def wireguard_go() -> Path:
    try:
        check_networks()
        return find_wireguard()
    except NoWireGuard as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def network(wireguard_go: Path) -> Iterator[Network]:
    with gate_network(wireguard_go, "wg0", "10.64.0.1/16") as made:
        yield made


@pytest.fixture(scope="session")
def gate_installation(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateInstallation]:
    """A portal and a worker, targets, and what runs the gate service: see gate_installation.py."""
    unshare = ["unshare", "--mount", "true"]
    if os.geteuid() != 0 or subprocess.run(unshare, capture_output=True, check=False).returncode:
        pytest.skip("accounts for the gate need root, and a mount namespace of their own")
    with gates_installed(temporal_address, tmp_path_factory.mktemp("gates")) as made:
        _have_worker_work_once(made)
        yield made


def _have_worker_work_once(gates: GateInstallation) -> None:
    """Make a worker's first request, which takes many seconds on a busy machine, longer than tests wait for theirs."""
    question = ConnectionQuestion(requester="bob", device=gates.device(), protocol=ConnectionProtocol.SSH)
    with gates.api("bob") as api:
        while True:
            with suppress(Delayed):
                api.cancel(api.ask(question, "the-first").approval_id)
                return


@pytest.fixture(scope="module")
def shared_gate(gate_installation: GateInstallation) -> Iterator[GateProcess]:
    """A gate service for tests that don't need their own."""
    with gate_installation.service() as gate:
        yield gate


@pytest.fixture(scope="session")
def gated_host(gate_installation: GateInstallation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatedHost]:
    """A host where PAM asks the gate about logins: see pam_host.py."""
    try:
        check_pam()
    except NoSsh as error:
        pytest.skip(str(error))
    with GatedHost(tmp_path_factory.mktemp("host"), ["alice", "bob", "rescue"], gate_installation) as made:
        yield made


@pytest.fixture
def host(gated_host: GatedHost) -> Iterator[GatedHost]:
    """The same host, without waiting requests, grants and sessions of earlier tests."""
    gated_host.before |= {one.approval_id for person in ("alice", "bob") for one in gated_host.requests(person)}
    yield gated_host
    with gated_host.portal.api() as api:
        for one in gated_host.requests("alice") + gated_host.requests("bob"):
            if one.status is Status.WAITING:
                with suppress(Refused):  # the gate may cancel it at the same time
                    api.cancel(one.approval_id)
            elif one.grant and one.grant.status == "Active":
                api.revoke(one.approval_id)


@pytest.fixture(scope="session")
def ssh_hosts(gate_installation: GateInstallation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHosts]:
    """A bastion and a target with sshd, and people who connect: see sshd.py."""
    try:
        check_ssh()
    except NoSsh as error:
        pytest.skip(str(error))
    with run_ssh_hosts(gate_installation, tmp_path_factory.mktemp("ssh")) as made:
        yield made
