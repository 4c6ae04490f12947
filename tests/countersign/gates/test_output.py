"""Gates whose output nobody reads: they let in, cut and end as they should."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.device_keys import new_key
from tests.countersign.full_pipe import full_pipe
from tests.countersign.gates.admitting import TOKEN
from tests.countersign.gates.agent import Agent, peers
from tests.countersign.gates.gate_installation import GateInstallation, echoed, until_told
from tests.countersign.gates.networks import SECONDS, Network
from tests.countersign.gates.test_wireguard import device, serving


def test_the_gate_service_goes_on(gate_installation: GateInstallation) -> None:
    gates, name = gate_installation, gate_installation.device()
    with full_pipe() as (reading, writing), gates.service(output=writing) as gate:
        client = gate.ssh("alice", name, port=gates.echo.port)
        view = gates.until_waiting("alice", name)
        gates.approve(view.approval_id)
        assert echoed(client, b"hello") == b"hello"
        gates.revoke(view.approval_id, "that will do")
        until_told(client, "that will do")
        client.wait(SECONDS)
        said = b""
        while b"The portal answers." not in said:
            said += os.read(reading, 65536)
    assert gate.process.returncode == 0


def test_the_gate_service_ends(gate_installation: GateInstallation) -> None:
    with full_pipe() as (_, writing), gate_installation.service(output=writing) as gate:
        assert gate.stop() == 0


def test_the_gate_of_wireguard_goes_on_and_ends(network: Network, tmp_path: Path) -> None:
    key = new_key()
    with full_pipe() as (_, writing), serving(network) as portal:
        portal.admit(device(2, key))
        with Agent(network, portal.url, TOKEN, tmp_path, grace="1h", output=writing) as gate:
            gate.has_peers({"10.64.0.2/32": key})
            portal.admit()
            gate.has_peers({})
            portal.admit(device(2, key))
            gate.has_peers({"10.64.0.2/32": key})
            assert gate.stop() == 0
    assert peers(network) == {}
