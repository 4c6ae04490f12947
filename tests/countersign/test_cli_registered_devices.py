"""device list, show, and what admins do to devices, against a real portal."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest

from sandbox.device_keys import new_key
from tests.countersign.installation import Installation, Run

SERIAL = f"PF-{secrets.token_hex(4)}"


def register(installation: Installation, who: str, key: str, **fingerprint: Any) -> str:
    """A device registers; returns its id."""
    reply = httpx.post(
        f"{installation.url}/api/v1/devices/register",
        json={"key": key, "fingerprint": {"hostname": "carbon", "serial": SERIAL, **fingerprint}},
        headers={"Authorization": f"Bearer {installation.tokens[who]}"},
        trust_env=False,
        timeout=60,
    )
    return str(reply.raise_for_status().json()["id"])


@pytest.fixture(scope="module")
def key() -> str:
    return new_key()


@pytest.fixture(scope="module")
def device(installation: Installation, key: str) -> str:
    """A device of alice's that has changed twice."""
    first = register(installation, "alice", key, kernel="6.1", posture={"tpm": True})
    assert register(installation, "alice", key, kernel="6.2", posture={"tpm": True}) == first
    assert register(installation, "alice", key, kernel="6.2", posture={"firewall": False}) == first
    return first


def test_devices_are_listed_by_what_is_asked_for(by: Run, device: str, key: str) -> None:
    listed = by("alice", "device", "list")
    assert listed.code == 0
    assert [part in listed.out for part in (device, "Approved", "carbon", "just now")] == [True] * 4
    for option in (("--serial", SERIAL), ("--key", key), ("--query", device[3:]), ("--person", "alice")):
        assert [one["id"] for one in by("ada", "device", "list", *option, "--json").json] == [device], option
    assert by("ada", "device", "list", "--query", device, "--status", "blocked", "--json").json == []
    assert by("grace", "device", "list").out.strip() == "There is no such device."
    refused = by("grace", "device", "list", "--person", "alice")
    assert (refused.code, "your own devices" in refused.err) == (3, True)
    assert by("ada", "device", "list", "--status", "no").code == 2


def test_a_device_is_shown_with_what_has_changed(by: Run, device: str, key: str) -> None:
    shown = by("alice", "device", "show", device)
    assert shown.code == 0
    for part in (f"carbon {device} Approved", key, "Person", "What it says about itself", SERIAL):
        assert part in shown.out
    lines = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert {"Kernel 6.2", "TPM not known", "Firewall no", "Kernel 6.1 → 6.2", "TPM yes → not known"} <= set(lines)
    assert lines.index("Kernel 6.1 → 6.2") > lines.index("TPM yes → not known")  # the newest first
    found = by("ada", "device", "show", device, "--json").json
    assert [one["changed"] for one in found["snapshots"]] == [["firewall", "tpm"], ["kernel"], []]
    assert by("grace", "device", "show", device).code == 5
    assert by("ada", "device", "show", "d000000000000").code == 5
    assert by("ada", "device", "show", "registered").code == 2


def test_admins_act_on_devices_and_nobody_else(by: Run, device: str) -> None:
    for action, status in (
        ("revoke", "Revoked"),
        ("unrevoke", "Approved"),
        ("archive", "Archived"),
        ("restore", "Approved"),
        ("block", "Blocked"),
        ("unblock", "Pending approval"),
    ):
        assert by("alice", "device", action, device).code == 3
        found = by("ada", "device", action, device, "--reason", "a test", "--json")
        assert (found.code, found.json["status"]) == (0, status)
        assert found.json["message"].endswith("by Ada Admin: a test")
    blocked = by("ada", "device", "block", device)
    assert (blocked.code, " ".join(blocked.out.split())) == (0, f"carbon {device} Blocked Blocked by Ada Admin.")
    again = by("ada", "device", "block", device)
    assert (again.code, "is blocked already" in again.err) == (1, True)
