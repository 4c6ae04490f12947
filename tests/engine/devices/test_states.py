"""Registered devices, whatever is done to them in whatever order: none is let through that nobody approved."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import booleans, sampled_from
from sqlalchemy import delete

from countersign.errors import Refused, TooMany
from countersign.fingerprints import Fingerprint, Posture
from countersign.models import Status
from countersign.permissions import Principal
from countersign.registration import DeviceAction, DeviceStatus, Presented, RegisteredDevice
from countersign.transitions import Opened, Opening
from engine.devices.admitted import admitted_devices
from engine.devices.limits import MOST_NEW_OF_PERSON
from engine.devices.registering import MOST_SNAPSHOTS
from engine.devices.registrant import Enrolment, Registrant
from engine.policy import apply_policy
from engine.record import WRITTEN_EACH
from sandbox.device_keys import new_key
from store import Store
from store.registered_devices import WantedDevices
from store.tables import fingerprints, registered_devices
from tests.store.requests import a_transition, transactions, write
from tests.whole import IS_WHOLE
from tests.workflows.people import policy

ADA = Principal("ada", admin=True)
ROLES = {"vendor": {"people": ["alice", "bob"], "require_device_approval": True}}
RULES = {"network": "10.64.0.0/16", "ask_about_changes": ["disk_encrypted"]}
WITH_APPROVAL = policy(roles=ROLES, registered_devices=RULES)
WITHOUT = policy(registered_devices=RULES)
ADMITTED = Enrolment(identity={})
REFUSED = Enrolment(refused="The enrolment rule none does not let this device in.")


def fingerprint(serial: str | None = "PF-1", encrypted: bool | None = True, name: str = "carbon") -> Fingerprint:
    return Fingerprint(hostname=name, serial=serial, posture=Posture(disk_encrypted=encrypted))


class Here:
    """Devices without Temporal: each step writes what a workflow would have written."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.does = transactions(store)

    def register(
        self, key: str, of: Fingerprint | None = None, person: str = "alice", enrolment: Enrolment = ADMITTED
    ) -> RegisteredDevice:
        by = Registrant(person, person=person)
        row = self.does.registering.present(Presented(key=key, fingerprint=of or fingerprint()), by)
        return self.does.registering.enrol(row.id, by, enrolment)[0]

    def ask(self, device: str) -> Opened | None:
        """Open the request about a device, if one has to be opened."""
        question = self.does.registering.question_about(device)
        if question is None:
            return None
        opening = Opening(question=question, workflow_id=question.workflow_id, run_id=uuid.uuid4().hex)
        return self.does.opener.open(opening).opened

    def settle(self, approval_id: int, status: Status = Status.APPROVED) -> None:
        write(self.store, a_transition(approval_id, "1.answer", status=status, message=f"{status} by Ada."))

    def act(self, device: str, action: str) -> RegisteredDevice:
        return self.does.device_actions.act(device, DeviceAction(action), ADA, "", "test", {})[0]

    def one(self, device: str) -> RegisteredDevice:
        return self.store.registered_devices.one(device)

    def admitted(self) -> set[str]:
        return {one.id for one in admitted_devices(self.store, datetime.now(UTC))}


@pytest.fixture
def here(store: Store) -> Here:
    """Devices of people whose role requires an approval."""
    apply_policy(store, WITH_APPROVAL, "ada")
    return Here(store)


def asked(here: Here, device: str) -> int:
    opened = here.ask(device)
    assert opened is not None
    return opened.approval_id


@pytest.mark.parametrize("taken", ["block", "archive", "revoke"])
def test_an_approval_that_comes_after_something_was_taken_does_nothing(here: Here, taken: str) -> None:
    key = new_key()
    device = here.register(key).id
    request = asked(here, device)
    here.act(device, taken)
    here.settle(request)
    undone = here.act(device, {"block": "unblock", "archive": "restore", "revoke": "unrevoke"}[taken])
    assert undone.status is DeviceStatus.PENDING
    assert device not in here.admitted()
    here.register(key)
    here.settle(asked(here, device))
    assert device in here.admitted()


def test_an_approval_lets_in_nothing_that_changed_since_it_was_asked_for(here: Here) -> None:
    key = new_key()
    device = here.register(key).id
    request = asked(here, device)
    here.register(key, fingerprint(encrypted=False))
    here.settle(request)
    assert (here.one(device).status, here.admitted()) == (DeviceStatus.PENDING, set())
    again = here.ask(device)
    assert again is not None
    shown = {
        one.label: (one.before, one.value) for one in here.store.reading.request(again.approval_id).question.details
    }
    assert shown["Disk encrypted"] == ("yes", "no")
    here.settle(again.approval_id)
    assert here.admitted() == {device}


def test_an_approval_of_a_device_that_the_rules_refuse_meanwhile_lets_in_nothing_until_they_do(here: Here) -> None:
    key = new_key()
    device = here.register(key).id
    request = asked(here, device)
    here.register(key, enrolment=REFUSED)
    here.settle(request)
    assert here.admitted() == set()
    here.register(key)
    assert here.admitted() == {device}


def test_a_device_whose_key_another_has_is_not_blocked_beside_it(here: Here) -> None:
    apply_policy(here.store, WITHOUT, "ada")
    key = new_key()
    first, second = here.register(key).id, here.register(key, fingerprint("PF-2")).id
    with pytest.raises(Refused, match="Another device has the key of carbon now; block that one"):
        here.act(first, "block")
    here.act(second, "block")
    assert here.admitted() == set()


def test_a_person_who_is_disabled_while_the_rules_are_judged_is_refused(here: Here) -> None:
    by = Registrant("alice", person="alice")
    row = here.does.registering.present(Presented(key=new_key(), fingerprint=fingerprint()), by)
    apply_policy(here.store, policy(registered_devices=RULES, disabled=("alice",)), "ada")
    with pytest.raises(Refused, match="alice is disabled"):
        here.does.registering.enrol(row.id, by, ADMITTED)
    assert here.one(row.id).status is DeviceStatus.NOT_ENROLLED


def test_nobody_makes_devices_without_end(here: Here) -> None:
    apply_policy(here.store, WITHOUT, "ada")
    for _ in range(MOST_NEW_OF_PERSON):
        here.act(here.register(new_key()).id, "leave")
    with pytest.raises(TooMany, match="50 new devices within an hour"):
        here.register(new_key())
    assert here.register(new_key(), person="bob").status is DeviceStatus.APPROVED


def test_what_changes_again_and_again_fills_neither_the_record_nor_the_history(here: Here) -> None:
    apply_policy(here.store, WITHOUT, "ada")
    key, before = new_key(), here.store.events.last_version()
    for n in range(MOST_SNAPSHOTS + 20):
        device = here.register(key, fingerprint(name=f"name-{n}")).id
    recorded = [one for one in here.store.events.since(before, 1000) if one.kind == "device_changed"]
    assert len(recorded) == WRITTEN_EACH
    kept = here.store.registered_devices.snapshots(device)
    assert (len(kept), kept[0].fingerprint.hostname) == (MOST_SNAPSHOTS, f"name-{MOST_SNAPSHOTS + 19}")
    with here.store.database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM fingerprints").scalar_one() == MOST_SNAPSHOTS


def test_a_gateway_that_names_ever_new_people_fills_no_record(here: Here) -> None:
    before = here.store.events.last_version()
    for n in range(WRITTEN_EACH + 5):
        by = Registrant("gateway:vpn-1", person=f"nobody-{n}")
        with pytest.raises(Refused, match="in the directory"):
            here.does.registering.present(Presented(key=new_key(), fingerprint=fingerprint()), by)
    assert [one.kind for one in here.store.events.since(before, 100)] == ["device_refused"] * WRITTEN_EACH


def test_what_shows_nothing_is_not_known() -> None:
    assert fingerprint(serial=" \u202e", name="\u200b") == fingerprint(serial=None).model_copy(
        update={"hostname": None}
    )


class Devices(RuleBasedStateMachine):
    """Whatever is done, in any order: `may` is the model of which devices are approved, with nothing undone."""

    keys = Bundle("keys")
    requests = Bundle("requests")
    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.here = Here(self.store)
        with self.store.database.transaction() as connection:
            connection.execute(delete(fingerprints))
            connection.execute(delete(registered_devices))
        apply_policy(self.store, WITH_APPROVAL, "ada")
        self.needs_approval = True
        self.may: set[str] = set()
        self.blocked: set[str] = set()
        self.archived: set[str] = set()
        self.addresses: dict[str, str] = {}

    @initialize(target=keys)
    def first_key(self) -> str:
        return new_key()

    @rule(target=keys)
    def another_key(self) -> str:
        return new_key()

    @rule(
        key=keys,
        person=sampled_from(["alice", "bob"]),
        serial=sampled_from([None, "PF-1", "PF-2"]),
        encrypted=sampled_from([True, False, None]),
        enrolment=sampled_from([ADMITTED, ADMITTED, REFUSED]),
    )
    def register(self, key: str, person: str, serial: str | None, encrypted: bool | None, enrolment: Enrolment) -> None:
        known = {one.id for one in self._devices()}
        try:
            found = self.here.register(key, fingerprint(serial, encrypted), person, enrolment)
        except (Refused, TooMany):
            return
        assert found.person == person
        assert (found.id in self.archived) == (found.status is DeviceStatus.ARCHIVED)
        if found.id not in known or found.status is DeviceStatus.APPROVED:
            if found.id not in self.may:
                # Registering alone lets nobody in, unless no approval is needed and it never waited.
                assert found.status is not DeviceStatus.APPROVED or not self.needs_approval
            if found.status is DeviceStatus.APPROVED:
                assert found.id not in self.blocked
                self.may.add(found.id)
        elif found.status is DeviceStatus.PENDING:
            self.may.discard(found.id)
        self._note()

    @rule(target=requests, data=sampled_from(range(1000)))
    def ask(self, data: int) -> tuple[str, int] | None:
        waiting = [one.id for one in self._devices() if one.status is DeviceStatus.PENDING]
        if not waiting:
            return None
        device = waiting[data % len(waiting)]
        opened = self.here.ask(device)
        return (device, opened.approval_id) if opened else None

    @rule(request=consumes(requests), approves=booleans())
    def settle(self, request: tuple[str, int] | None, approves: bool) -> None:
        if request is None:
            return
        device, approval_id = request
        before = self.here.one(device)
        self.here.settle(approval_id, Status.APPROVED if approves else Status.REJECTED)
        now = self.here.one(device)
        if now.status is DeviceStatus.APPROVED and before.status is not DeviceStatus.APPROVED:
            assert approves
            assert before.status is DeviceStatus.PENDING
            assert before.approval_id == approval_id
            self.may.add(device)
            self.blocked.discard(device)

    @rule(
        action=sampled_from([one for one in DeviceAction if one is not DeviceAction.LEAVE]),
        data=sampled_from(range(1000)),
    )
    def act(self, action: DeviceAction, data: int) -> None:
        devices = self._devices()
        if not devices:
            return
        device = devices[data % len(devices)].id
        try:
            self.here.act(device, action)
        except Refused:
            return
        match action:
            case DeviceAction.BLOCK:
                self.blocked.add(device)
                self.may.discard(device)
            case DeviceAction.UNBLOCK:
                self.may.discard(device)
            case DeviceAction.ARCHIVE:
                self.archived.add(device)
            case DeviceAction.RESTORE:
                self.archived.discard(device)

    @rule()
    def switch(self) -> None:
        self.needs_approval = not self.needs_approval
        apply_policy(self.store, WITH_APPROVAL if self.needs_approval else WITHOUT, "ada")

    @invariant()
    def only_approved_ones_are_let_through(self) -> None:
        peers = admitted_devices(self.store, datetime.now(UTC))
        assert {one.id for one in peers} <= self.may - self.archived - self.blocked
        assert len({one.key for one in peers}) == len(peers)

    @invariant()
    def no_key_has_two_devices_and_no_address_ever_another(self) -> None:
        devices = self._devices()
        live = [one.key for one in devices if one.status is not DeviceStatus.ARCHIVED]
        assert len(set(live)) == len(live)
        for one in devices:
            if one.address:
                assert self.addresses.setdefault(one.address, one.id) == one.id

    def _note(self) -> None:
        """Note archived devices: a device that takes another's key has that one archived."""
        self.archived |= {one.id for one in self._devices() if one.status is DeviceStatus.ARCHIVED}

    def _devices(self) -> list[RegisteredDevice]:
        page = self.store.registered_devices.page
        found = [*page(WantedDevices(), limit=500), *page(WantedDevices(status=DeviceStatus.ARCHIVED), limit=500)]
        return sorted(found, key=lambda one: one.id)


def test_whatever_is_done_in_whatever_order_nobody_is_let_through_without_a_yes(sqlite_url: str) -> None:
    here = Store(sqlite_url)

    class OfThisStore(Devices):
        store = here

    calmly = settings(deadline=None, suppress_health_check=list(HealthCheck))
    limits = settings(calmly, max_examples=25 if IS_WHOLE else 10, stateful_step_count=40)
    run_state_machine_as_test(OfThisStore, settings=limits)
    here.close()
