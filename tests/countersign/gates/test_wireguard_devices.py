"""Devices that connect by WireGuard, from the enrolment to the last ping; everything is real but the cable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from countersign.models import Status, Verdict
from tests.countersign.gates.agent import peers
from tests.countersign.gates.networks import wait_until
from tests.countersign.gates.wireguard_installation import GATE, WireGuardInstallation, ended, wireguard_installed


@pytest.fixture(scope="module")
def here(
    temporal_address: str, wireguard_go: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WireGuardInstallation]:
    with wireguard_installed(temporal_address, wireguard_go, tmp_path_factory.mktemp("wireguard")) as made:
        yield made


@pytest.fixture
def bobs(here: WireGuardInstallation) -> Iterator[Any]:
    """A device of Bob's, which needs no approval."""
    yield here.enrol("bob")
    with suppress(AssertionError):
        ended(here.begin("bob", "leave"))


def test_no_ping_before_the_approval_pings_after_it_and_none_after_a_block(here: WireGuardInstallation) -> None:
    with here.agent() as gate, here.api("ada") as ada:
        enrolling = here.begin_enrolling("alice")
        wait_until(lambda: ada.requests(status=Status.WAITING))
        [waiting] = ada.requests(status=Status.WAITING)
        # Somebody who does not wait for the yes gets nowhere with the same key.
        key = here.folder / "alice/countersign/device.key"
        assert key.stat().st_mode & 0o777 == 0o600
        connect_by_hand(here, "impatient0", key, "10.64.0.2")
        assert not here.machine.reaches(GATE)
        here.machine.run("ip", "link", "delete", "dev", "impatient0")

        ada.decide(waiting.approval_id, Verdict.APPROVE)
        device = ended(enrolling)
        assert device["status"] == "approved"
        gate.has_peers({f"{device['address']}/32": here.machine.run("wg", "show", "alice0", "public-key").strip()})
        wait_until(lambda: here.machine.reaches(GATE))

        here.act(device["id"], "block")
        gate.has_peers({})
        assert not here.machine.reaches(GATE)
        assert ended(here.begin("alice", "status"))["status"] == "Blocked"

        here.act(device["id"], "unblock")
        wait_until(lambda: ada.requests(status=Status.WAITING))
        assert peers(here.gate) == {}
        ada.decide(ada.requests(status=Status.WAITING)[0].approval_id, Verdict.REJECT)
        assert ended(here.begin_enrolling("alice"), code=1)["status"] == "denied"
        assert peers(here.gate) == {}


def connect_by_hand(here: WireGuardInstallation, interface: str, key: Path, address: str) -> None:
    run = here.machine.run
    here.machine.start(str(here.wireguard_go), interface)
    peer = ("peer", here.gate_key, "endpoint", "192.0.2.1:51820", "allowed-ips", f"{GATE}/32")
    run("wg", "set", interface, "private-key", str(key), *peer)
    run("ip", "address", "add", address, "dev", interface)
    run("ip", "link", "set", "up", "dev", interface)
    run("ip", "route", "add", GATE, "dev", interface)


def test_what_was_blocked_while_the_gate_was_dead_is_no_peer_when_it_is_back(
    here: WireGuardInstallation, bobs: Any
) -> None:
    with here.agent() as gate:
        wait_until(lambda: here.machine.reaches(GATE))
        gate.kill()
    here.act(bobs["id"], "block")
    assert len(peers(here.gate)) == 1
    with here.agent() as gate:
        gate.has_peers({})
        assert not here.machine.reaches(GATE)


@pytest.mark.whole
def test_a_portal_that_is_gone_takes_the_peers_with_it_after_the_grace(here: WireGuardInstallation, bobs: Any) -> None:
    with here.agent(grace="3s") as gate:
        wait_until(lambda: here.machine.reaches(GATE))
        here.portal_of_gate.cut()
        gate.has_peers({})
        assert not here.machine.reaches(GATE)
        here.portal_of_gate.mend()
        wait_until(lambda: here.machine.reaches(GATE))


def test_the_interface_does_not_end_with_the_terminal(here: WireGuardInstallation, bobs: Any) -> None:
    [number] = here.machine.processes("^[^ ]*wireguard-go bob0$")
    assert os.getsid(int(number)) != os.getsid(0)


def test_enrolling_again_changes_the_interface_to_what_is_said_now(here: WireGuardInstallation, bobs: Any) -> None:
    here.machine.run("ip", "address", "add", "10.64.9.9", "dev", "bob0")
    here.machine.run("wg", "set", "bob0", "peer", here.machine.run("wg", "genkey").strip())
    again = ended(here.begin_enrolling("bob", "--network", "198.51.100.0/24"))
    assert (again["id"], again["address"]) == (bobs["id"], bobs["address"])
    assert "10.64.9.9" not in here.machine.run("ip", "address", "show", "dev", "bob0")
    assert here.machine.run("wg", "show", "bob0", "peers").split() == [here.gate_key]
    assert "198.51.100.0/24 dev bob0" in here.machine.run("ip", "route")
    ended(here.begin_enrolling("bob", "--interface", "other0"))
    assert "bob0" not in (links := here.machine.run("ip", "link"))
    assert "other0" in links


def test_an_address_goes_to_no_other_device(here: WireGuardInstallation) -> None:
    addresses = []
    for _ in range(2):
        addresses.append(here.enrol("carol")["address"])
        ended(here.begin("carol", "leave"))
        assert not (here.folder / "carol/countersign/device.key").exists()
        assert "carol0" not in here.machine.run("ip", "link")
    assert len(set(addresses)) == 2


def test_the_devices_of_who_is_disabled_are_let_in_no_more(here: WireGuardInstallation, bobs: Any) -> None:
    assert bobs["status"] == "approved"
    with here.agent() as gate, here.api("ada") as ada:
        wait_until(lambda: here.machine.reaches(GATE))
        ada.apply_policy(ada.policy().text.replace("email: bob@", "disabled: true, email: bob@"))
        gate.has_peers({})
        assert not here.machine.reaches(GATE)
