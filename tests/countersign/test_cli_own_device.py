"""`countersign device enrol`, `status` and `leave`; with a real portal, see tests/countersign/gates."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.countersign.installation import Ran
from tests.countersign.scripted import Server

Run = Callable[..., Ran]
pytestmark = pytest.mark.skipif(not shutil.which("wg"), reason="`wg` makes the key; install wireguard-tools")
ID = "d0123456789ab"
KEY = "A" * 43 + "="
GATE = ("--endpoint", "vpn.example.com:51820", "--gate-key", KEY, "--network", "10.64.0.0/16")


def answer(status: str, **others: object) -> dict[str, Any]:
    known = {"id": ID, "status": status, "message": f"The device is {status}.", "approval_id": None, "address": None}
    return {**known, "session_ends_at": None, **others}


def told(server: Server, status: str, **others: object) -> None:
    """Queue the server's answer about the device."""
    whose = {"id": ID, "person": "alice", "email": "alice@example.test", "name": "laptop", "status": status}
    known = {"key": KEY, "key_type": "x25519", "fingerprint": {}, "registered_at": "2026-01-05T10:00:00Z"}
    server.will_say(200, {**whose, **known, "last_seen_at": "2026-01-05T10:00:00Z", **others})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the key is kept."""
    return tmp_path / "config" / "countersign"


@pytest.fixture
def enrol(command: Run, server: Server) -> Run:
    return lambda *options: command("device", "enrol", *options, "--url", server.url, "--token", "t")


def test_it_waits_with_the_same_key_until_it_is_decided_and_sends_no_secret(
    enrol: Run, server: Server, folder: Path
) -> None:
    server.will_say(200, answer("pending", approval_id=1042))
    server.will_say(503, {"title": "Unavailable", "detail": "for a moment"})
    server.will_say(200, answer("pending", approval_id=1042))
    server.will_say(200, answer("approved", address="10.64.0.7"))
    umask = os.umask(0)
    try:
        ran = enrol("--reason", "my laptop", "--json")
    finally:
        os.umask(umask)
    assert (ran.code, ran.json["address"]) == (0, "10.64.0.7")
    assert ran.err.count("Request #1042 asks for it. Ctrl-C ends the waiting") == 1
    assert [one["path"].partition("wait=")[2] for one in server.seen] == ["0", "25", "25", "25"]
    sent = [json.loads(one["body"]) for one in server.seen]
    assert sent[0]["justification"] == "my laptop"
    assert sent[0]["fingerprint"]["platform"] == "linux"
    assert sent.count(sent[0]) == 4
    assert (folder / "device.key").stat().st_mode & 0o777 == 0o600
    assert (folder / "device.key").read_text().strip() not in str(server.seen) + ran.out + ran.err


@pytest.mark.parametrize("status", ["denied", "blocked", "archived"])
def test_where_the_answer_is_no_it_ends_so(enrol: Run, server: Server, status: str) -> None:
    server.will_say(200, answer(status))
    ran = enrol()
    assert (ran.code, ran.out.splitlines()[0]) == (1, f"The device is {status}.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((*GATE[2:],), "--endpoint is the gate's HOST:PORT"),
        (("--endpoint", "vpn.example.com", *GATE[2:]), "--endpoint is the gate's HOST:PORT"),
        ((*GATE[:2], "--gate-key", "abc", *GATE[4:]), "--gate-key is the gate's public key"),
        ((*GATE[:4],), "--network is missing"),
        ((*GATE[:4], "--network", "10.64.0.1/16"), "is not a network"),
        ((*GATE[:4], "--network", "0.0.0.0/0"), "is every address"),
        ((*GATE, "--interface", "a b"), "is not the name of a network interface"),
        ((*GATE, "--interface", "lo"), "There is an interface lo already"),
    ],
)
def test_what_was_asked_wrongly_is_said_before_anything_is_sent(
    enrol: Run, server: Server, options: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    ran = enrol(*options)
    assert (ran.code, server.seen) == (2, [])
    assert message in ran.err


def test_only_root_brings_an_interface_up(enrol: Run, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    ran = enrol(*GATE)
    assert (ran.code, server.seen) == (2, [])
    assert "use sudo, or leave --endpoint out" in ran.err


def test_an_approved_device_without_an_address_has_no_interface(
    enrol: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    server.will_say(200, answer("approved"))
    ran = enrol(*GATE)
    assert ran.code == 1
    assert "has no address; ask an administrator to set `network`" in ran.err


def test_a_device_leaves_before_it_enrols_elsewhere(command: Run, enrol: Run, server: Server, folder: Path) -> None:
    assert command("device", "status").code == 5
    server.will_say(200, answer("pending"))
    assert enrol("--no-wait").code == 0
    ran = command("device", "enrol", "--url", "https://other.example.com", "--token", "t")
    assert ran.code == 1
    assert "run `countersign device leave` first" in ran.err
    told(server, "Approved")
    server.will_say(403, {"title": "Not allowed", "detail": "The policy lets no device leave."})
    assert command("device", "leave", "--token", "t").code == 3
    assert (folder / "device.key").exists()
    told(server, "Approved")
    told(server, "Archived")
    assert command("device", "leave", "--token", "t").code == 0
    assert list(folder.iterdir()) == []
    assert server.seen[-1]["path"] == f"/api/v1/devices/{ID}/leave"


def test_one_that_is_archived_has_left(command: Run, enrol: Run, server: Server, folder: Path) -> None:
    server.will_say(200, answer("archived"))
    assert enrol().code == 1
    told(server, "Archived")
    assert command("device", "leave", "--token", "t").code == 0
    assert (list(folder.iterdir()), len(server.seen)) == ([], 2)


def test_the_status_is_the_portals(command: Run, enrol: Run, server: Server) -> None:
    server.will_say(200, answer("pending"))
    assert enrol("--no-wait").code == 0
    told(server, "Blocked", message="Blocked by Ada.")
    ran = command("device", "status", "--token", "t")
    assert (ran.code, ran.out.splitlines()) == (0, [f"Blocked  {ID}, laptop", "  Blocked by Ada."])
