"""Devices that people connect with, over HTTP: registered, waited for, listed, acted on, let through by gates."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from countersign.models import Status
from countersign.registration import Admitted
from engine.devices.admitted import admitted_devices
from engine.policy import apply_policy
from sandbox.device_keys import new_key
from tests.portal.context import POLICY, Portal, until

pytestmark = pytest.mark.asyncio(loop_scope="session")
DEVICES = """
roles:
  vendor: {people: [bob, carol], require_device_approval: true}
registered_devices: {network: 10.64.0.0/16}
"""


@pytest_asyncio.fixture(loop_scope="session")
async def devices(portal: Portal) -> AsyncIterator[Portal]:
    """The portal under a policy with rules for devices."""
    apply_policy(portal.store, POLICY + DEVICES, "ada")
    yield portal
    apply_policy(portal.store, POLICY, "ada")


def body(**fields: Any) -> dict[str, Any]:
    """What a client sends."""
    fingerprint = {"hostname": "carbon", "serial": secrets.token_hex(4), "posture": {"tpm": True}}
    return {"key": new_key(), "fingerprint": fingerprint} | fields


async def registered(devices: Portal, who: str, sent: dict[str, Any], **query: str) -> dict[str, Any]:
    reply = await devices.client(who).post("/devices/register", json=sent, params=query)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


async def act(devices: Portal, who: str, device: str, action: str) -> httpx.Response:
    return await devices.post(who, f"/devices/{device}/{action}", {"reason": "test"})


async def test_a_client_registers_waits_and_is_told_as_it_is_approved(devices: Portal) -> None:
    sent = body()
    first = await registered(devices, "bob", sent)
    assert (first["status"], first["address"]) == ("pending", None)
    waiting = asyncio.create_task(registered(devices, "bob", sent, wait="30"))
    await asyncio.sleep(0)
    decided = await devices.post("ada", f"/requests/{first['approval_id']}/decide", {"verdict": "approve"})
    assert decided.json()["status"] == "Approved"
    found = await waiting
    assert (found["id"], found["status"]) == (first["id"], "approved")
    shown = (await devices.get("bob", f"/devices/{first['id']}")).json()
    assert (shown["person"], shown["status"], shown["name"]) == ("bob", "Approved", "carbon")
    assert (shown["fingerprint"]["posture"]["tpm"], shown["fingerprint"]["posture"]["firewall"]) == (True, None)
    await act(devices, "ada", first["id"], "archive")


async def test_a_gate_learns_at_once_of_who_is_let_through(devices: Portal) -> None:
    sent = body(person="alice", source_address="192.0.2.7", country="de", claims={"team": ["ops"]})
    before = (await devices.get("gate", "/devices/admitted")).json()
    found = await registered(devices, "gate", sent)
    assert found["status"] == "approved"
    now = (await devices.get("gate", "/devices/admitted", version=before["version"], wait=30)).json()
    peer = next(one for one in now["peers"] if one["id"] == found["id"])
    assert (peer["key"], peer["address"], peer["person"]) == (sent["key"], found["address"], "alice")
    watch = asyncio.create_task(devices.get("gate", "/devices/admitted", version=now["version"], wait=30))
    await asyncio.sleep(0.2)
    assert not watch.done()
    started = time.monotonic()
    assert (await act(devices, "ada", found["id"], "block")).json()["status"] == "Blocked"
    after = (await watch).json()
    assert found["id"] not in {one["id"] for one in after["peers"]}
    assert time.monotonic() - started < 20  # and not only when its wait is over
    await act(devices, "ada", found["id"], "archive")


async def test_many_gates_cost_one_read_of_the_devices_and_none_for_what_is_no_device(
    devices: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0

    def counted(*args: Any) -> list[Admitted]:
        nonlocal reads
        reads += 1
        return admitted_devices(*args)

    monkeypatch.setattr("portal.api.registered_devices.admitted_devices", counted)
    version = (await devices.get("gate", "/devices/admitted")).json()["version"]
    looking = {"version": version, "wait": 60}
    gates = [asyncio.create_task(devices.get("gate", "/devices/admitted", **looking)) for _ in range(20)]
    number = await devices.opened("alice")
    await devices.get("alice", f"/requests/{number}/wait", timeout=1)
    assert not any(gate.done() for gate in gates)
    before = reads
    found = await registered(devices, "gate", body(person="alice"))
    replies = [reply.json() for reply in await asyncio.gather(*gates)]
    assert all(found["id"] in {one["id"] for one in reply["peers"]} for reply in replies)
    # Two events: it registered, and was let in.
    assert reads - before <= 2
    pending = await registered(devices, "bob", body())
    gate = asyncio.create_task(devices.get("gate", "/devices/admitted", version=replies[0]["version"], wait=60))
    await devices.post("ada", f"/requests/{pending['approval_id']}/decide", {"verdict": "approve"})
    assert pending["id"] in {one["id"] for one in (await gate).json()["peers"]}
    for device in (found["id"], pending["id"]):
        await act(devices, "ada", device, "archive")


async def test_who_may_do_what(devices: Portal) -> None:
    found = await registered(devices, "alice", body())
    device = found["id"]
    for who, status in (("alice", 200), ("ada", 200), ("gate", 200), ("grace", 404), ("bastion", 404)):
        assert (await devices.get(who, f"/devices/{device}")).status_code == status, who
    for who, status in (("alice", 403), ("gate", 403), ("grace", 404)):
        assert (await act(devices, who, device, "block")).status_code == status, who
    assert (await devices.get("bastion", "/devices/admitted")).status_code == 403
    assert (await devices.post("bastion", "/devices/register", body(person="alice"))).status_code == 403
    assert (await devices.post("alice", "/devices/register", body(person="bob"))).status_code == 403
    assert (await devices.post("gate", "/devices/register", body())).status_code == 422
    assert (await devices.get("alice", "/devices/registered", person="bob")).status_code == 403
    assert (await act(devices, "alice", device, "leave")).json()["status"] == "Archived"
    apply_policy(devices.store, POLICY + "registered_devices: {allow_devices_to_leave: false}\n", "ada")
    stays = await registered(devices, "alice", body())
    refused = await act(devices, "alice", stays["id"], "leave")
    assert (refused.status_code, refused.json()["type"]) == (403, "/api/v1/problems/may-not-leave")
    await act(devices, "ada", stays["id"], "archive")


async def test_devices_are_listed_by_person_serial_key_and_status_in_pages(devices: Portal) -> None:
    sent = [body(person="alice") for _ in range(3)]
    made = [(await registered(devices, "gate", one))["id"] for one in sent]
    assert [one["id"] for one in (await devices.get("alice", "/devices/registered")).json()] == made[::-1]
    first = await devices.get("ada", "/devices/registered", person="alice", limit=2)
    rest = await devices.client("ada").get(first.links["next"]["url"].removeprefix("/api/v1"))
    assert [one["id"] for one in [*first.json(), *rest.json()]] == made[::-1]
    by_serial = await devices.get("ada", "/devices/registered", serial=sent[1]["fingerprint"]["serial"])
    by_key = await devices.get("ada", "/devices/registered", key=sent[2]["key"])
    assert [one["id"] for one in [*by_serial.json(), *by_key.json()]] == made[1:]
    await act(devices, "ada", made[0], "revoke")
    revoked = await devices.get("ada", "/devices/registered", person="alice", status="Revoked")
    assert [one["id"] for one in revoked.json()] == made[:1]
    for one in made:
        await act(devices, "ada", one, "archive")
    assert (await devices.get("ada", "/devices/registered", person="alice")).json() == []
    assert len((await devices.get("ada", "/devices/registered", person="alice", status="Archived")).json()) >= 3


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("not base64!", "is not base64"),
        (base64.b64encode(b"short").decode(), "has 5 bytes"),
        (base64.b64encode(bytes(32)).decode(), "is all zeros"),
        (base64.b64encode(b"\xff" * 32).decode(), "has its highest bit set"),
        ("A" * 200, "at most 120"),
    ],
)
async def test_a_key_that_is_none_is_refused(devices: Portal, key: str, says: str) -> None:
    reply = await devices.post("alice", "/devices/register", body(key=key))
    assert reply.status_code == 422
    assert says in reply.text


async def test_a_device_question_cannot_be_asked_by_hand(devices: Portal) -> None:
    forged = {"kind": "device", "requester": "bob", "device": "d0123456789ab"}
    assert (await devices.post("bob", "/requests", forged)).status_code == 422


async def test_all_devices_of_a_person_are_revoked_with_what_waits_and_given_back(devices: Portal) -> None:
    waits = await registered(devices, "carol", body())
    let_in = await registered(devices, "gate", body(person="alice"))
    assert (await devices.post("carol", "/people/carol/devices/revoke")).status_code == 403
    assert (await devices.post("ada", "/people/carol/devices/forget")).status_code == 422
    done = await devices.post("ada", "/people/carol/devices/revoke", {"reason": "she left"})
    assert (done.status_code, done.json()) == (200, {"devices": 1})
    shown = (await devices.get("carol", f"/devices/{waits['id']}")).json()
    assert (shown["status"], shown["message"]) == ("Revoked", "Revoked by Ada: she left")
    await until(lambda: devices.store.reading.request(waits["approval_id"]).status is Status.CANCELLED)
    assert (await devices.get("alice", f"/devices/{let_in['id']}")).json()["status"] == "Approved"
    assert (await devices.post("ada", "/people/carol/devices/revoke")).json() == {"devices": 0}
    assert (await devices.post("ada", "/people/carol/devices/unrevoke")).json() == {"devices": 1}
    assert (await devices.get("carol", f"/devices/{waits['id']}")).json()["status"] == "Pending approval"
    for one in (waits, let_in):
        await act(devices, "ada", one["id"], "archive")


async def test_roles_are_listed_with_the_devices_that_nobody_was_asked_about(devices: Portal) -> None:
    apply_policy(devices.store, POLICY, "ada")
    known = [(await registered(devices, "bob", body()))["id"] for _ in range(3)]
    apply_policy(devices.store, POLICY + DEVICES, "ada")
    new = await registered(devices, "bob", body())
    others = await registered(devices, "alice", body())
    found = {one["role"]: one for one in (await devices.get("ada", "/roles")).json()}
    assert found["vendor"]["people"] == ["bob", "carol"]
    assert {name: (one["members"], one["require_device_approval"]) for name, one in found.items()} == {
        "admin": (1, False),
        "vendor": (2, True),
    }
    first = await devices.get("ada", "/roles/vendor/devices", limit=2)
    rest = await devices.client("ada").get(first.links["next"]["url"].removeprefix("/api/v1"))
    assert [one["id"] for one in [*first.json(), *rest.json()]] == known[::-1]
    assert (await devices.get("ada", "/roles/no-such-role/devices")).status_code == 404
    for path in ("/roles", "/roles/vendor/devices"):
        assert (await devices.get("bob", path)).status_code == 403
    for one in (*known, new["id"], others["id"]):
        await act(devices, "ada", one, "archive")


async def test_requests_about_a_device_are_found_by_it(devices: Portal) -> None:
    found = await registered(devices, "bob", body())
    other = await registered(devices, "bob", body())
    seen = await devices.get("ada", "/audit", device=found["id"])
    assert {one["approval_id"] for one in seen.json()} == {found["approval_id"]}
    for one in (found, other):
        await act(devices, "ada", one["id"], "archive")
