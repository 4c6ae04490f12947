"""Devices that register under enrolment rules: who they are counts when they enrol, the rest each time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from countersign.fingerprints import Fingerprint
from countersign.machines import NewServiceToken
from countersign.permissions import Principal
from countersign.registration import DeviceAction, Presented, Registered
from engine.devices.admitted import admitted_devices
from engine.devices.registrant import Registrant
from sandbox.device_keys import new_key
from tests.workflows.deployment import Deployment, until
from tests.workflows.people import policy

ADA = Principal("ada", admin=True)

pytestmark = pytest.mark.asyncio(loop_scope="session")
OFFICE = {"source_networks": ["192.0.2.0/24"]}


@pytest.fixture
def enrolment(deployment: Deployment) -> Iterator[Enrolment]:
    yield (found := Enrolment(deployment))
    for one in found.made:
        with deployment.store.database.transaction() as connection:
            connection.exec_driver_sql(f"UPDATE registered_devices SET archived_at = registered_at WHERE id = '{one}'")


class Enrolment:
    """Registers devices; `made` are their ids."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.made: set[str] = set()

    def rules(self, *rules: dict[str, Any], **changed: Any) -> None:
        """Put these rules in force."""
        self.deployment.apply(policy(enrolment=list(rules), **changed))

    async def register(self, one: Presented, person: str = "alice", **known: Any) -> Registered:
        found = await self.deployment.engine.devices.register(one, Registrant("gateway:vpn", person=person, **known))
        self.made.add(found.id)
        return found

    def admitted(self) -> set[str]:
        return {one.id for one in admitted_devices(self.deployment.store, datetime.now(UTC))}

    def refusals(self, device: str) -> list[str]:
        rows = self.deployment.store.events.since(0, 10**6)
        return [one.detail for one in rows if one.kind == "enrolment_refused" and one.proof["device"] == device]


def laptop() -> Presented:
    key = new_key()
    return Presented(key=key, fingerprint=Fingerprint(hostname="carbon", serial="S-1"))


def rule(name: str, action: str, include: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "action": action, "include": include, **more}


async def test_who_no_rule_lets_in_is_refused_on_record_and_may_try_again(enrolment: Enrolment) -> None:
    enrolment.rules(rule("finance", "allow", {"user_groups": ["finance"]}))
    one = laptop()
    found = await enrolment.register(one)
    assert (found.status, found.message) == ("denied", "No enrolment rule lets this device in.")
    assert enrolment.refusals(found.id) == ["No enrolment rule lets this device in."]
    enrolment.rules(rule("engineers", "allow", {"user_groups": ["engineers"]}))
    again = await enrolment.register(one)
    assert (again.id, again.status) == (found.id, "approved")
    device = enrolment.deployment.store.registered_devices.one(found.id)
    assert device.rule == "engineers"


async def test_a_rule_may_need_an_approval_and_a_reason(enrolment: Enrolment) -> None:
    everyone = rule("vpn", "allow", {"email_domains": ["example.test"]}, approval_required=True, justification=True)
    enrolment.rules(everyone)
    one = laptop()
    silent = await enrolment.register(one)
    assert (silent.status, silent.approval_id) == ("denied", None)
    assert "needs to know why" in silent.message
    asked = await enrolment.register(one, justification="for the trip")
    assert asked.status == "pending"
    assert asked.approval_id is not None
    view = enrolment.deployment.store.reading.request(asked.approval_id)
    assert view.question.reason == "for the trip"
    await enrolment.deployment.engine.cancel(asked.approval_id, Principal("alice"), "test")


async def test_who_somebody_is_counts_when_they_enrol_and_where_they_are_each_time(enrolment: Enrolment) -> None:
    office = rule("office", "allow", {"user_groups": ["engineers"]}, require=OFFICE)
    enrolment.rules(office)
    one = laptop()
    found = await enrolment.register(one, source_address="192.0.2.7")
    assert found.status == "approved"
    # She left the group since, which doesn't matter for a device that has enrolled.
    enrolment.rules(office, user_groups={"engineers": {"members": ["bob", "grace"]}})
    assert (await enrolment.register(one, source_address="192.0.2.8")).status == "approved"
    assert found.id in enrolment.admitted()
    away = await enrolment.register(one, source_address="198.51.100.1")
    assert away.status == "denied"
    assert found.id not in enrolment.admitted()
    enrolment.rules(office)
    assert (await enrolment.register(one, source_address="192.0.2.7")).status == "approved"
    assert found.id in enrolment.admitted()


async def test_when_its_session_is_over_a_device_enrols_anew(enrolment: Enrolment) -> None:
    short = rule("short", "allow", {"user_groups": ["engineers"]}, session="1s")
    enrolment.rules(short)
    one = laptop()
    found = await enrolment.register(one)
    assert found.session_ends_at is not None
    ends_at = found.session_ends_at
    assert (await enrolment.register(one)).session_ends_at == ends_at  # registering does not extend it
    await until(lambda: datetime.now(UTC) > ends_at, "the session ends")
    assert found.id not in enrolment.admitted()
    assert (await enrolment.deployment.engine.devices.registered(found.id)).status == "denied"
    enrolment.rules(short, user_groups={"engineers": {"members": ["bob", "grace"]}})
    assert (await enrolment.register(one)).status == "denied"
    enrolment.rules(short)
    assert (await enrolment.register(one)).status == "approved"
    record = enrolment.deployment.store.events
    about = [line.kind for line in record.since(0, 1000) if line.proof.get("device") == found.id]
    assert about[-2:] == ["enrolment_refused", "device_enrolled"]  # so that gates hear of it at once


async def test_a_block_rule_and_a_blocked_device_stay_out(enrolment: Enrolment) -> None:
    rules = (
        rule("no contractors", "block", {"claims": {"kind": ["contractor"]}}),
        rule("all", "allow", {"roles": ["x"]}),
    )
    enrolment.rules(*rules, roles={"x": {"people": ["alice"]}})
    one = laptop()
    claims = {"kind": ["contractor"]}
    assert (await enrolment.register(one, claims=claims)).message == (
        "The enrolment rule no contractors does not let this device in."
    )
    found = await enrolment.register(one, claims={"kind": ["staff"]})
    assert found.status == "approved"
    ada = Principal("ada", admin=True)
    await enrolment.deployment.engine.devices.act(found.id, DeviceAction.BLOCK, ada)
    assert (await enrolment.register(one, claims={"kind": ["staff"]})).status == "blocked"


async def test_machines_enrol_by_rules_for_machines_alone(enrolment: Enrolment) -> None:
    make = enrolment.deployment.engine.service_tokens.make
    token, second = [make(NewServiceToken(name=name), ADA, {}).client_id for name in ("t1", "t2")]
    enrolment.rules(rule("all", "allow", {"everyone": True}))
    one = laptop()
    found = await enrolment.register(one, person="", service_token=token)
    assert (found.status, "is for people" in found.message) == ("denied", True)
    enrolment.deployment.apply(policy())
    without_rules = await enrolment.register(one, person="", service_token=token)
    assert without_rules.message == "The policy has no enrolment rule that lets machines in."
    enrolment.rules(rule("builders", "service_auth", {"service_tokens": [token]}))
    assert (await enrolment.register(one, person="", service_token=token)).status == "approved"
    device = enrolment.deployment.store.registered_devices.one(found.id)
    assert (device.person, device.email, device.service_token) == ("", "non_identity@countersign", token)
    other = await enrolment.register(laptop(), person="", service_token=second)
    assert other.status == "denied"
