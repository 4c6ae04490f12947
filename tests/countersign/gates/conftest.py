"""Networks with a WireGuard interface, and an installation with gates; where they can't be had the tests say why."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.wireguard_tool import NoWireGuard, check_networks, find_wireguard
from tests.countersign.gates.gate_world import GateInstallation, gate_world
from tests.countersign.gates.networks import Network, gate_network


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
    """A portal and a worker, targets, and what runs the gate service: see gate_world.py."""
    unshare = ["unshare", "--mount", "true"]
    if os.geteuid() != 0 or subprocess.run(unshare, capture_output=True, check=False).returncode:
        pytest.skip("accounts for the gate need root, and a mount namespace of their own")
    with gate_world(temporal_address, tmp_path_factory.mktemp("gates")) as world:
        yield world
