"""An installation, a gate with a WireGuard interface, and a machine that connects through it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from countersign.http import Api
from tests.countersign.gates.agent import Agent
from tests.countersign.gates.networks import SECONDS, Network, Relay, gate_network
from tests.countersign.installation import COMMAND, POLICY, Installation, installed

# The gate's address inside the tunnel, and the addresses outside it.
GATE, GATE_OUTSIDE, MACHINE_OUTSIDE = "10.64.0.1", "192.0.2.1", "192.0.2.2"
DEVICES = """
roles:
  contractor: {people: [alice], require_device_approval: true}
registered_devices: {network: 10.64.0.0/16}
"""


@dataclass(frozen=True)
class WireGuardInstallation:
    """All of it. The portal is in neither network; the gate and the machine each reach it through a relay."""

    installation: Installation
    gate: Network
    machine: Network
    portal_of_gate: Relay
    portal_of_machine: Relay
    wireguard_go: Path
    folder: Path

    def agent(self, grace: str = "1h") -> Agent:
        """Start the gate."""
        return Agent(self.gate, self.portal_of_gate.url, self.installation.tokens["vpn-1"], self.folder, grace)

    def api(self, who: str) -> Api:
        return Api(self.installation.url, self.installation.tokens[who])

    def act(self, device: str, action: str) -> None:
        """Have the admin do this to a device."""
        url = f"{self.installation.url}/api/v1/devices/{device}/{action}"
        token = {"Authorization": f"Bearer {self.installation.tokens['ada']}"}
        httpx.post(url, json={"reason": "a test"}, headers=token, trust_env=False, timeout=SECONDS).raise_for_status()

    def begin(self, who: str, *arguments: str) -> subprocess.Popen[str]:
        """Start `countersign device` on the machine, as somebody who keeps a key of their own there."""
        command = [COMMAND, "device", *arguments, "--url", self.portal_of_machine.url, "--json"]
        environment = {
            **os.environ,
            "COUNTERSIGN_TOKEN": self.installation.tokens[who],
            "XDG_CONFIG_HOME": str(self.folder / who),
            "PATH": f"{os.environ['PATH']}:{self.wireguard_go.parent}",
        }
        inside = self.machine.inside(*command, daemons=True)
        return subprocess.Popen(inside, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def begin_enrolling(self, who: str, *options: str) -> subprocess.Popen[str]:
        gate = ["--endpoint", f"{GATE_OUTSIDE}:51820", "--gate-key", self.gate_key, "--network", f"{GATE}/32"]
        return self.begin(who, "enrol", *gate, "--interface", f"{who}0", *options)

    def enrol(self, who: str) -> Any:
        """Enrol somebody who needs no approval; what the command printed."""
        return ended(self.begin_enrolling(who))

    @property
    def gate_key(self) -> str:
        return self.gate.run("wg", "show", "wg0", "public-key").strip()


def ended(process: subprocess.Popen[str], code: int = 0) -> Any:
    """What a command printed, as JSON, once it has ended with this code."""
    said, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == code, (said, errors)
    return json.loads(said)


@contextmanager
def wireguard_installed(temporal_address: str, wireguard_go: Path, folder: Path) -> Iterator[WireGuardInstallation]:
    """Run all of it until the end of the block."""
    with ExitStack() as stack:
        installation = stack.enter_context(installed(temporal_address, folder, POLICY + DEVICES))
        gate = stack.enter_context(gate_network(wireguard_go, "wg0", f"{GATE}/16"))
        machine = Network()
        stack.callback(machine.end)
        gate.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(machine.pid))
        for network, address in ((gate, GATE_OUTSIDE), (machine, MACHINE_OUTSIDE)):
            network.run("ip", "address", "add", f"{address}/30", "dev", "eth0")
            network.run("ip", "link", "set", "up", "dev", "eth0")
        to_gate, to_machine = (Relay(network, httpx.URL(installation.url).port or 0) for network in (gate, machine))
        for relay in (to_gate, to_machine):
            stack.callback(relay.end)
        yield WireGuardInstallation(installation, gate, machine, to_gate, to_machine, wireguard_go, folder)
