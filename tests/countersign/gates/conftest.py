"""A network with a WireGuard interface; where none can be made the tests say why they are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.wireguard_tool import NoWireGuard, check_networks, find_wireguard
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
