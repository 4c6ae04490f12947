"""A device that somebody connects with: registered, asked about, decided, and acted on by admins."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed, Refused, TooMany
from countersign.fingerprints import Fingerprint, Posture
from countersign.models import Asked, Status
from countersign.permissions import Principal
from countersign.registration import DeviceAction, DeviceStatus, Presented, Registered, RegisteredDevice
from engine.devices.admitted import admitted_devices
from engine.devices.registrant import Enrolment, Registrant
from sandbox.device_keys import new_key
from store.registered_devices import WantedDevices
from store.tables import registered_devices
from tests.workflows.deployment import Deployment, Request, until
from tests.workflows.people import policy

pytestmark = pytest.mark.asyncio(loop_scope="session")
ROLES = {"vendor": {"people": ["alice", "bob", "carol", "dave"], "require_device_approval": True}}
RULES = {"network": "10.64.0.0/16", "ask_about_changes": ["disk_encrypted"]}
ADA = Principal("ada", admin=True)
LAPTOP = Fingerprint(hostname="carbon", os="Debian", serial="PF-1", posture=Posture(disk_encrypted=True))


def presented(fingerprint: Fingerprint = LAPTOP, key: str = "") -> Presented:
    return Presented(key=key or new_key(), fingerprint=fingerprint)


@pytest.fixture
def devices(deployment: Deployment) -> Deployment:
    """The engine, under a policy that requires approval for devices of some people."""
    deployment.apply(policy(roles=ROLES, registered_devices=RULES))
    return deployment


async def register(devices: Deployment, one: Presented, person: str = "alice", source: str = "") -> Registered:
    return await devices.engine.devices.register(one, Registrant(person, person=person, source_address=source))


async def act(devices: Deployment, device_id: str, action: str, reason: str = "") -> RegisteredDevice:
    return await devices.engine.devices.act(device_id, DeviceAction(action), ADA, reason)


async def clear(devices: Deployment, *people: str) -> None:
    """Archive these people's devices, so that no test finds those of another."""
    for person in people:
        for one in devices.store.registered_devices.page(WantedDevices(person=person)):
            await act(devices, one.id, "archive")


def request_of(devices: Deployment, found: Registered) -> Request:
    """The request about a device."""
    assert found.approval_id is not None
    view = devices.store.reading.request(found.approval_id)
    return Request(devices, view.question, Asked(approval_id=view.approval_id, status=view.status, joined=False))


def status(devices: Deployment, device_id: str) -> DeviceStatus:
    return devices.store.registered_devices.one(device_id).status


def admitted(devices: Deployment) -> set[str]:
    return {one.id for one in admitted_devices(devices.store, datetime.now(UTC))}


async def test_a_device_waits_is_approved_and_let_through(devices: Deployment) -> None:
    one = presented()
    first = await register(devices, one)
    assert (first.status, first.address) == ("pending", None)
    assert first.id not in admitted(devices)
    again = await register(devices, one)
    assert (again.id, again.status, again.approval_id) == (first.id, "pending", first.approval_id)
    request = request_of(devices, first)
    assert request.asked_people() == ["ada"]
    mail = await asyncio.to_thread(devices.person("ada").wait_for_mail, request.id, "device carbon")
    assert mail["Subject"] == f"Countersign - Device Approval Notification - #{request.id}"
    assert (await request.says("ada")).accepted
    found = await register(devices, one)
    assert found.status == "approved"
    assert found.address is not None
    assert found.address.startswith("10.64.0.")
    assert first.id in admitted(devices)
    await clear(devices, "alice")


async def test_a_device_that_registered_while_no_worker_ran_has_asked_once(
    asleep: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.devices.registered.LEFT_AFTER", timedelta(0))
    asleep.apply(policy(roles=ROLES, registered_devices=RULES))
    found = await register(asleep, presented())
    assert (found.status, found.approval_id) == ("pending", None)
    # The sweeper finds the request's workflow while it waits for a worker, and after it has opened the request.
    await asleep.engine.devices.ask_left_over()
    asleep.start_worker()
    await until(lambda: asleep.store.registered_devices.one(found.id).approval_id, "the request is opened")
    await asleep.engine.devices.ask_left_over()
    request = request_of(asleep, await asleep.engine.devices.registered(found.id))
    await request.until_mailed(ada=["asked"])
    assert request.lines() == ["opened alice", "level_started countersign"]


async def test_a_rejected_device_is_denied_until_an_admin_has_it_asked_about_again(devices: Deployment) -> None:
    one = presented()
    first = await register(devices, one, "bob")
    await request_of(devices, first).says("ada", "reject")
    assert (await register(devices, one, "bob")).status == "denied"
    assert (await act(devices, first.id, "unblock")).status is DeviceStatus.PENDING
    again = await register(devices, one, "bob")
    assert again.status == "pending"
    assert again.approval_id != first.approval_id
    await clear(devices, "bob")


async def test_a_block_cancels_what_waits_and_unblocking_asks_again_and_never_approves(devices: Deployment) -> None:
    one = presented()
    first = await register(devices, one)
    await request_of(devices, first).says("ada")
    blocked = await act(devices, first.id, "block", "stolen")
    assert (blocked.status, blocked.message) == (DeviceStatus.BLOCKED, "Blocked by Ada A.: stolen")
    assert first.id not in admitted(devices)
    assert (await register(devices, one)).status == "blocked"
    # A block holds whatever the device calls itself.
    other = presented(LAPTOP.model_copy(update={"serial": "PF-2"}), key=one.key)
    assert (await register(devices, other)).status == "blocked"
    unblocked = await act(devices, first.id, "unblock")
    assert unblocked.status is DeviceStatus.PENDING
    waiting = await register(devices, one)
    await act(devices, first.id, "block")
    assert (await request_of(devices, waiting).outcome()).status is Status.CANCELLED
    await act(devices, first.id, "archive")
    await act(devices, first.id, "restore")
    assert status(devices, first.id) is DeviceStatus.BLOCKED
    await clear(devices, "alice")


async def test_an_archived_device_stays_so_and_keeps_its_address(devices: Deployment) -> None:
    one, two = presented(), presented()
    first = await register(devices, one, "ivan")  # who has no role that needs an approval
    assert first.status == "approved"
    await act(devices, first.id, "archive")
    assert (await register(devices, one, "ivan")).status == "archived"
    assert first.id not in admitted(devices)
    second = await register(devices, two, "ivan")
    assert second.address != first.address
    assert (await act(devices, first.id, "restore")).status is DeviceStatus.APPROVED
    assert (await register(devices, one, "ivan")).address == first.address
    await act(devices, first.id, "revoke")
    assert (await register(devices, one, "ivan")).status == "denied"
    assert (await act(devices, first.id, "unrevoke")).status is DeviceStatus.APPROVED
    await clear(devices, "ivan")


async def test_a_changed_serial_is_a_new_device_and_other_changes_are_kept(devices: Deployment) -> None:
    one = presented()
    first = await register(devices, one)
    await request_of(devices, first).says("ada")
    renamed = presented(LAPTOP.model_copy(update={"hostname": "other"}), one.key)
    assert (await register(devices, renamed)).status == "approved"
    unknown = LAPTOP.model_copy(update={"posture": Posture(disk_encrypted=None)})
    asked = await register(devices, presented(unknown, one.key))
    assert (asked.id, asked.status) == (first.id, "pending")  # an unknown value is not the same as yes
    details = {one.label: (one.before, one.value) for one in request_of(devices, asked).question.details}
    assert details["Disk encrypted"] == ("yes", "not known")
    assert details["Serial number"] == (None, "PF-1")
    kept = devices.store.registered_devices.snapshots(first.id)
    assert [one.changed for one in kept] == [["hostname", "disk_encrypted"], ["hostname"], []]
    new = await register(devices, presented(LAPTOP.model_copy(update={"serial": "PF-9"}), one.key))
    assert (new.id != first.id, new.status) == (True, "pending")
    assert status(devices, first.id) is DeviceStatus.ARCHIVED
    with pytest.raises(Refused, match="Another device has the key"):
        await act(devices, first.id, "restore")
    await clear(devices, "alice")


async def test_the_switch_leaves_devices_as_they_are(devices: Deployment) -> None:
    devices.apply(policy(registered_devices=RULES))
    old = await register(devices, presented(), "carol")
    devices.apply(policy(roles=ROLES, registered_devices=RULES))
    assert status(devices, old.id) is DeviceStatus.APPROVED
    new = await register(devices, presented(), "carol")
    devices.apply(policy(registered_devices=RULES))
    assert (new.status, status(devices, new.id)) == ("pending", DeviceStatus.PENDING)
    await clear(devices, "carol")


async def test_few_may_wait_for_a_person_or_from_an_address(devices: Deployment) -> None:
    for _ in range(3):
        await register(devices, presented(), "dave")
    with pytest.raises(TooMany, match="3 devices of dave wait") as refused:
        await register(devices, presented(), "dave")
    assert refused.value.code == ErrorCode.TOO_MANY_DEVICES
    await clear(devices, "dave")
    await register(devices, presented(), "dave")
    await clear(devices, "dave")


async def test_a_key_of_somebody_else_and_strangers_are_refused_on_record(devices: Deployment) -> None:
    one = presented()
    first = await register(devices, one)
    with pytest.raises(Refused, match="belongs to a device of somebody else"):
        await register(devices, one, "bob")
    with pytest.raises(Refused, match="no mallory in the directory"):
        await register(devices, presented(), "mallory")
    bob = Principal("bob")
    with pytest.raises(NotAllowed):
        await devices.engine.devices.act(first.id, DeviceAction.BLOCK, bob)
    recorded = [one for one in devices.store.events.since(0, 10**6) if one.kind == "device_refused"]
    assert [one.who for one in recorded][-3:] == ["bob", "mallory", "bob"]
    await clear(devices, "alice")


async def test_a_person_who_is_disabled_is_let_through_by_no_device(devices: Deployment) -> None:
    found = await register(devices, presented(), "heidi")
    assert found.id in admitted(devices)
    devices.apply(policy(registered_devices=RULES, disabled=("heidi",)))
    assert found.id not in admitted(devices)
    told = await devices.engine.devices.registered(found.id)
    assert (told.status, told.message) == ("denied", "heidi is disabled.")
    devices.apply(policy(registered_devices=RULES))
    await clear(devices, "heidi")


async def test_what_a_crash_left_unasked_is_asked_by_the_sweeper(devices: Deployment) -> None:
    registering = devices.transactions.registering
    by = Registrant("alice", person="alice")
    # Killed after storing what it said of itself, before deciding: the same call is made again.
    one = presented()
    row = registering.present(one, by)
    assert status(devices, row.id) is DeviceStatus.NOT_ENROLLED
    assert (await register(devices, one)).id == row.id
    # Killed between the decision and the request.
    left, to_ask = registering.enrol(registering.present(presented(), by).id, by, Enrolment())
    assert to_ask
    with devices.store.database.transaction() as connection:
        long_ago = datetime.now(UTC) - timedelta(minutes=1)
        connection.execute(
            update(registered_devices).where(registered_devices.c.id == left.id).values(last_seen_at=long_ago)
        )
    await until(lambda: devices.store.registered_devices.one(left.id).approval_id, "the sweeper asks")
    await clear(devices, "alice")
