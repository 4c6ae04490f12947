"""The gate with a real WireGuard interface, and a portal that answers and fails as the test wants."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.device_keys import new_key
from tests.countersign.gates.admitting import TOKEN, AdmittingServer
from tests.countersign.gates.agent import Agent, peers
from tests.countersign.gates.networks import Network, gate_network, wait_until
from tests.countersign.installation import Run
from tests.local_servers import answering

ALICE, BOB, CAROL = (new_key() for _ in range(3))
TROUBLES = ["fail", "refuse_token", "say_nonsense", "trickle"]
LIKE_ANOTHER = [pytest.param(one, marks=pytest.mark.whole) for one in ("say_no_json", "hang_up", "say_nothing")]
# A `wg` that ends the gate once it has set peers.
ENDED_BY_SETTING = """#!/bin/sh
{wg} "$@" || exit
[ "$1" = syncconf ] && kill -TERM $PPID
exit 0
"""


def device(number: int, key: str, **others: object) -> dict[str, object]:
    return {"id": f"d{number}", "key": key, "address": f"10.64.0.{number}", "person": "alice", "until": None} | others


@pytest.fixture
def portal(network: Network) -> Iterator[AdmittingServer]:
    network.run("wg", "set", "wg0", "peer", CAROL, "allowed-ips", "10.64.0.4/32")
    with serving(network) as server:
        yield server


@contextmanager
def serving(network: Network) -> Iterator[AdmittingServer]:
    with answering(AdmittingServer(network)) as server:
        try:
            yield server
        finally:
            server.misbehave("")


def test_peers_are_who_is_admitted_and_the_interface_stays_as_it_is(
    network: Network, portal: AdmittingServer, tmp_path: Path
) -> None:
    own = network.run("wg", "showconf", "wg0").partition("[Peer]")[0]
    portal.admit(device(2, ALICE), device(3, BOB))
    with Agent(network, portal.url, TOKEN, tmp_path, grace="1h") as gate:
        gate.has_peers({"10.64.0.2/32": ALICE, "10.64.0.3/32": BOB})
        portal.admit(device(3, BOB))
        gate.has_peers({"10.64.0.3/32": BOB})
        assert network.run("wg", "showconf", "wg0").partition("[Peer]")[0] == own
        assert gate.stop() == 0
    assert peers(network) == {}
    assert portal.tokens == {f"Bearer {TOKEN}"}
    assert [one for one in gate.said if "device d2 " in one] == [
        "Admitted device d2 of alice, 10.64.0.2/32.",
        "Removed device d2 of alice, 10.64.0.2/32.",
    ]
    assert f"Removed peer {CAROL}." in gate.said


def test_what_is_done_is_told_though_it_is_ended_meanwhile(
    network: Network, portal: AdmittingServer, tmp_path: Path
) -> None:
    wg = tmp_path / "wg"
    wg.write_text(ENDED_BY_SETTING.format(wg=shutil.which("wg")))
    wg.chmod(0o755)
    portal.admit(device(2, ALICE))
    with Agent(network, portal.url, TOKEN, tmp_path, grace="1h", programs=str(tmp_path)) as gate:
        assert gate.wait() == 0
    assert gate.said[-2:] == [
        "Admitted device d2 of alice, 10.64.0.2/32.",
        "The gate ends: no device is admitted any more.",
    ]
    assert peers(network) == {}


@pytest.mark.parametrize("trouble", [*TROUBLES, *LIKE_ANOTHER])
def test_without_a_good_answer_nobody_is_new_and_peers_stay_for_the_grace_alone(
    network: Network, portal: AdmittingServer, tmp_path: Path, trouble: str
) -> None:
    portal.admit(device(2, ALICE))
    with Agent(network, portal.url, TOKEN, tmp_path) as gate:
        gate.has_peers({"10.64.0.2/32": ALICE})
        portal.admit(device(2, ALICE), device(3, BOB), trouble=trouble)
        gate.has_peers({})
        gone = [one for one in gate.said if "no device is admitted any more" in one]
        assert gone == ["The portal gave no good answer for 2 s: no device is admitted any more."]
        assert not [one for one in gate.said if "device d3 " in one]
        portal.misbehave("")
        gate.has_peers({"10.64.0.2/32": ALICE, "10.64.0.3/32": BOB})


def test_peers_stay_while_the_portal_is_away_for_less_than_the_grace(
    network: Network, portal: AdmittingServer, tmp_path: Path
) -> None:
    portal.admit(device(2, ALICE))
    with Agent(network, portal.url, TOKEN, tmp_path, grace="1h") as gate:
        gate.has_peers({"10.64.0.2/32": ALICE})
        portal.misbehave("fail")
        gate.until_said("Until the portal answers")
        assert peers(network) == {"10.64.0.2/32": ALICE}
        portal.misbehave("")
        gate.until_said("The portal answers again.")
        assert len([one for one in gate.said if "database" in one]) == 1


def test_after_a_kill_nobody_is_admitted_until_the_portal_answers(
    network: Network, portal: AdmittingServer, tmp_path: Path
) -> None:
    portal.admit(device(2, ALICE))
    with Agent(network, portal.url, TOKEN, tmp_path, grace="1h") as gate:
        gate.has_peers({"10.64.0.2/32": ALICE})
        gate.kill()
    assert peers(network) == {"10.64.0.2/32": ALICE}
    portal.misbehave("fail")
    with Agent(network, portal.url, TOKEN, tmp_path, grace="1h") as gate:
        gate.has_peers({})
        portal.admit(device(3, BOB))
        gate.has_peers({"10.64.0.3/32": BOB})


def test_who_cannot_be_a_peer_is_left_out_and_nobody_else_is(
    network: Network, portal: AdmittingServer, tmp_path: Path
) -> None:
    keys = [new_key() for _ in range(9)]
    portal.admit(
        device(2, ALICE),
        device(3, keys[0], address="10.64.0.9"),
        device(4, keys[1], address="10.64.0.9"),
        device(5, keys[2]),
        device(6, keys[2]),
        device(7, keys[3], address="0.0.0.0/0"),
        device(8, keys[4], address="10.64.0.8/32\n[Peer]\nPublicKey = x"),
        device(9, keys[6], address="fe80::1%x\n[Peer]\nPublicKey = x"),
        device(10, keys[5], address=None),
        device(11, base64.b64encode(os.urandom(33)).decode()),
        device(12, f"{keys[6]}\nAllowedIPs = 0.0.0.0/0"),
        device(13, keys[7], until=(datetime.now(UTC) - timedelta(seconds=1)).isoformat()),
        device(14, keys[8], until=(datetime.now(UTC) + timedelta(hours=1)).isoformat()),
    )
    with Agent(network, portal.url, TOKEN, tmp_path, grace="1h") as gate:
        gate.has_peers({"10.64.0.2/32": ALICE, "10.64.0.14/32": keys[8]})
        [left_out] = [one for one in gate.said if "left out" in one]
        assert left_out.count("another one has its address or its key") == 4
        assert left_out.count("it has no WireGuard key, or no address") == 6


def test_a_session_that_ends_ends_without_the_portal(network: Network, portal: AdmittingServer, tmp_path: Path) -> None:
    portal.admit(device(2, ALICE), device(3, BOB))
    with Agent(network, portal.url, TOKEN, tmp_path, grace="1h") as gate:
        gate.has_peers({"10.64.0.2/32": ALICE, "10.64.0.3/32": BOB})
        told = portal.asked
        portal.admit(device(2, ALICE, until=(datetime.now(UTC) + timedelta(seconds=3)).isoformat()), device(3, BOB))
        wait_until(lambda: portal.asked > told)
        portal.misbehave("say_nothing")
        gate.has_peers({"10.64.0.3/32": BOB})


def test_an_interface_that_is_made_anew_gets_its_peers(wireguard_go: Path, tmp_path: Path) -> None:
    with gate_network(wireguard_go, "wg0", "10.64.0.1/16") as network, serving(network) as portal:
        portal.admit(device(2, ALICE))
        with Agent(network, portal.url, TOKEN, tmp_path, grace="1h") as gate:
            gate.has_peers({"10.64.0.2/32": ALICE})
            network.run("ip", "link", "delete", "dev", "wg0")
            portal.admit(device(2, ALICE), device(3, BOB))
            gate.until_said("`wg show wg0` failed")
            network.start(str(wireguard_go), "wg0")
            gate.has_peers({"10.64.0.2/32": ALICE, "10.64.0.3/32": BOB})
            assert len([one for one in gate.said if "`wg show wg0` failed" in one]) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--interface", "wg9"], "Make the interface first"),
        (["--interface", "wg0/../wg1"], "is not the name of a network interface"),
        (["--interface", "wg0", "--grace", "0"], "--grace must be a duration"),
        (
            ["--interface", "wg0", "--token-file", "/dev/null"],
            "/dev/null holds the gateway's token, and others can read or write it",
        ),
    ],
)
@pytest.mark.usefixtures("wireguard_go")
def test_what_was_asked_wrongly_is_said(command: Run, options: list[str], message: str) -> None:
    ran = command("gate", "wireguard", "--url", "http://127.0.0.1:9", *options)
    assert ran.code == 2
    assert message in ran.err
