"""What machines send to prove who they are, and all that must not pass for it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import update

from countersign.machines import NewProvisioningKey, NewServiceToken, ServiceTokenAction
from countersign.permissions import Principal
from engine.credentials.machines import ProvisioningKeyActions, ServiceTokenActions
from engine.policy import apply_policy
from engine.record import WRITTEN_EACH
from portal.app import create_app
from portal.server import Server
from store.machine_secrets import PREFIX, new_secret
from store.tables import provisioning_keys, registered_devices, service_tokens
from tests.databases import new_sqlite
from tests.portal.api.test_registered_devices import DEVICES, body
from tests.portal.context import POLICY, Portal, serving, until, without_temporal
from tests.portal.test_auth import OPEN_TO_ALL

ADA = Principal("ada", admin=True)

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLOUDFLARE = "CF-Access-Client-Id", "CF-Access-Client-Secret"
OURS = "Countersign-Client-Id", "Countersign-Client-Secret"
KEY = "Countersign-Provisioning-Key"
HOUR = timedelta(hours=1)
Headers = list[tuple[str, str]]


class Machine:
    """A service token, a provisioning key, and calls with them."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self.rules = ServiceTokenActions(portal.store)
        self.keys = ProvisioningKeyActions(portal.store)
        made = self.rules.make(NewServiceToken(name="CI"), ADA, {})
        self.id, self.secret = made.client_id, made.client_secret
        found = self.keys.make(NewProvisioningKey(label="kiosks", person="carol", devices=3), ADA, {})
        self.key, self.key_id = found.key, found.provisioning_key.id

    def pair(self, names: tuple[str, str] = CLOUDFLARE) -> Headers:
        return [(names[0], self.id), (names[1], self.secret)]

    def as_json(self, names: tuple[str, str] = CLOUDFLARE, more: dict[str, Any] | None = None) -> str:
        return json.dumps({names[0].lower(): self.id, names[1].lower(): self.secret} | (more or {}))

    async def call(self, headers: Headers, method: str = "GET", path: str = "/me") -> httpx.Response:
        return await self.portal.client("nobody").request(method, path, headers=headers)

    async def register(self, headers: Headers, sent: dict[str, Any] | None = None) -> httpx.Response:
        """Register this device, or a new one."""
        return await self.portal.client("nobody").post("/devices/register", json=sent or body(), headers=headers)

    def provisioned(self, devices: int, skips_approval: bool = True) -> Headers:
        """The header with a new provisioning key for this many devices of carol."""
        wanted = NewProvisioningKey(label="kiosks", person="carol", devices=devices, skips_approval=skips_approval)
        return [(KEY, self.keys.make(wanted, ADA, {}).key)]

    async def is_known(self, headers: Headers) -> bool:
        """Whether the caller was recognised, though a machine may not do this; if not, nothing was proven."""
        reply = await self.call(headers)
        kind = reply.json()["type"].rpartition("/")[2]
        if reply.status_code == 403:
            assert kind == "devices-only"
            return True
        assert (reply.status_code, kind) == (401, "invalid-token"), reply.text
        assert reply.headers["WWW-Authenticate"].startswith("Bearer ")
        assert not [one for one in (self.secret, self.key) if one[-40:] in reply.text]
        return False


@pytest_asyncio.fixture(loop_scope="session")
async def machine(portal: Portal) -> Machine:
    return Machine(portal)


@pytest_asyncio.fixture(loop_scope="session")
async def registering(machine: Machine) -> AsyncIterator[Machine]:
    """The same under a policy under which the devices of carol need an approval."""
    apply_policy(machine.portal.store, POLICY + DEVICES, "ada")
    yield machine
    with machine.portal.store.database.transaction() as connection:  # other tests count the devices of carol
        of_machines = registered_devices.c.provisioning_key + registered_devices.c.service_token != ""
        connection.execute(update(registered_devices).where(of_machines).values(archived_at=datetime.now(UTC)))
    apply_policy(machine.portal.store, POLICY, "ada")


async def test_a_service_token_is_known_by_either_pair_of_headers_and_by_one_with_json(machine: Machine) -> None:
    upper = {name.upper(): value for name, value in machine.pair(OURS)}
    for headers in (machine.pair(), machine.pair(OURS), list(upper.items())):
        assert await machine.is_known(headers), headers
    for text in (machine.as_json(), machine.as_json(OURS), json.dumps(dict(machine.pair()))):
        assert await machine.is_known([("Authorization", text)]), text
    assert await machine.is_known([(KEY, machine.key)])


async def test_what_is_doubled_incomplete_or_mixed_proves_nothing(machine: Machine) -> None:
    of_id, of_secret = machine.pair()
    our_id, our_secret = machine.pair(OURS)
    key, bearer = (KEY, machine.key), ("Authorization", f"Bearer {machine.portal.tokens['alice']}")
    as_json = ("Authorization", machine.as_json())
    refused: list[Headers] = [
        *([of_id], [of_secret], [our_id], [our_secret]),
        *([of_id, our_secret], [our_id, of_secret]),
        *(
            [of_id, of_id, of_secret],
            [of_id, of_secret, of_secret],
            [of_id, of_secret, ("cf-access-client-secret", "")],
        ),
        *([*machine.pair(), *machine.pair(OURS)], [*machine.pair(), our_id], [*machine.pair(), key], [key, key]),
        *([*machine.pair(), bearer], [key, bearer], [*machine.pair(), as_json], [as_json, bearer], [bearer, bearer]),
        [of_id, (of_secret[0], f"{machine.secret}, {machine.secret}")],
    ]
    for headers in refused:
        assert not await machine.is_known(headers), [name for name, _ in headers]
    for extra in ({"x": "y"}, {"countersign-client-id": machine.id}, {"CF-ACCESS-CLIENT-ID": machine.id}):
        assert not await machine.is_known([("Authorization", machine.as_json(more=extra))]), extra
    doubled = f'{{"cf-access-client-id": "{machine.id}", {machine.as_json()[1:]}'
    wrong = [doubled, "{", "{}", f"[{machine.as_json()}]", machine.as_json() + "x", '{"a":' * 200]
    values: list[Any] = [None, 1, [], {}]
    wrong += [machine.as_json(more={"cf-access-client-secret": value}) for value in values]
    wrong += [
        json.dumps({"cf-access-client-id": machine.id}),
        json.dumps({"cf-access-client-id": machine.id, our_secret[0].lower(): machine.secret}),
    ]
    for text in wrong:
        headers = [("Authorization", text)]
        reply = await machine.call(headers)
        assert reply.status_code == 401, text


async def test_what_is_mistyped_or_of_another_proves_nothing(machine: Machine) -> None:
    other = Machine(machine.portal)
    for client_id, secret in (
        (machine.id, other.secret),
        (machine.id, new_secret(PREFIX)),
        ("st000000000000", machine.secret),
        (machine.id.upper(), machine.secret),
        ("' OR 1=1 --", machine.secret),
        (machine.id, machine.secret[:-1]),
        (machine.id, machine.secret[:-1] + ("0" if machine.secret[-1] != "0" else "1")),
        (machine.id, machine.secret.upper()),
        (machine.id, machine.key),
        (machine.key_id, machine.key),
        ("", ""),
    ):
        assert not await machine.is_known([(CLOUDFLARE[0], client_id), (CLOUDFLARE[1], secret)]), client_id
    swapped = machine.key.replace(machine.key_id, other.key_id)
    for key in (machine.secret, machine.key[:-1], swapped, machine.key.upper(), "", "k"):
        assert not await machine.is_known([(KEY, key)]), key
    for secret in (machine.secret, machine.key):
        assert (await machine.call([("Authorization", f"Bearer {secret}")])).status_code == 401


async def test_what_is_mistyped_is_refused_without_the_database(tmp_path: Any) -> None:
    url = new_sqlite(tmp_path / "countersign.db")
    async with serving(Server(create_app(without_temporal(url)), "127.0.0.1", 0)) as at:
        portal = Portal(at)
        (tmp_path / "countersign.db").unlink()
        secret = new_secret(PREFIX)
        headers = {CLOUDFLARE[0]: "st000000000000", CLOUDFLARE[1]: secret[:-1]}
        reply = await portal.client("nobody").get("/me", headers=headers)
        assert (reply.status_code, "mistyped or cut off" in reply.json()["detail"]) == (401, True)
        await portal.aclose()


@pytest.mark.parametrize(
    ("action", "why"), [("disable", "is disabled; an admin can enable it"), ("revoke", "was revoked")]
)
async def test_a_token_that_an_admin_has_stopped_proves_nothing(
    machine: Machine, action: ServiceTokenAction, why: str
) -> None:
    machine.rules.change(machine.id, action, ADA, {})
    assert why in (await machine.call(machine.pair())).json()["detail"]
    assert not await machine.is_known(machine.pair())
    if action == "disable":
        machine.rules.change(machine.id, "enable", ADA, {})
        assert await machine.is_known(machine.pair())


async def test_a_call_that_proves_nothing_is_on_record_where_the_credential_is_known(machine: Machine) -> None:
    def refused(credential_id: str) -> list[tuple[str, str, str]]:
        rows = machine.portal.store.events.since(0, 10**6)
        mine = [row for row in rows if row.kind.endswith("_refused") and credential_id in row.proof.values()]
        return [(row.kind, row.detail, row.proof["from"]) for row in mine]

    other_secret = new_secret(PREFIX)
    assert not await machine.is_known([(CLOUDFLARE[0], machine.id), (CLOUDFLARE[1], other_secret)])
    unknown = "This service token is unknown; ask an admin for another."
    assert refused(machine.id) == [("service_token_refused", unknown, "127.0.0.1")]
    machine.keys.end(machine.key_id, ADA, {})
    assert not await machine.is_known([(KEY, machine.key)])
    ended = "This provisioning key was ended; ask an admin for another."
    assert refused(machine.key_id) == [("provisioning_key_refused", ended, "127.0.0.1")]
    assert not await machine.is_known([(CLOUDFLARE[0], "st000000000000"), (CLOUDFLARE[1], other_secret)])
    assert refused("st000000000000") == []
    for _ in range(2 * WRITTEN_EACH):
        assert not await machine.is_known([(CLOUDFLARE[0], machine.id), (CLOUDFLARE[1], other_secret)])
    assert len(refused(machine.id)) == WRITTEN_EACH


async def test_one_that_has_expired_or_ended_proves_nothing(machine: Machine) -> None:
    key = [(KEY, machine.key)]
    with machine.portal.store.database.transaction() as connection:
        now = datetime.now(UTC)
        for table, which in ((service_tokens, machine.id), (provisioning_keys, machine.key_id)):
            connection.execute(update(table).where(table.c.id == which).values(ends_at=now))
    assert not await machine.is_known(machine.pair())
    assert not await machine.is_known(key)
    assert "has expired" in (await machine.call(machine.pair())).json()["detail"]
    other = Machine(machine.portal)
    other.keys.end(other.key_id, ADA, {})
    assert "was ended" in (await other.call([(KEY, other.key)])).json()["detail"]


async def test_the_key_of_somebody_disabled_opens_nothing(machine: Machine) -> None:
    apply_policy(
        machine.portal.store, POLICY.replace("carol@example.test}", "carol@example.test, disabled: true}"), "ada"
    )
    try:
        assert not await machine.is_known([(KEY, machine.key)])
    finally:
        apply_policy(machine.portal.store, POLICY, "ada")
    assert await machine.is_known([(KEY, machine.key)])


async def test_after_a_rotation_both_secrets_work_and_after_its_time_the_new_one_alone(machine: Machine) -> None:
    before = machine.pair()
    machine.secret = machine.rules.rotate(machine.id, HOUR, ADA, {}).client_secret
    assert await machine.is_known(before)
    assert await machine.is_known(machine.pair())
    with machine.portal.store.database.transaction() as connection:
        of = service_tokens.c.id == machine.id
        connection.execute(update(service_tokens).where(of).values(previous_secret_ends_at=datetime.now(UTC)))
    assert not await machine.is_known(before)
    assert await machine.is_known(machine.pair())


async def test_a_machine_may_do_nothing_but_register_look_and_leave(machine: Machine) -> None:
    described = (await machine.portal.get("nobody", "/openapi.json")).json()
    allowed = set()
    for path, methods in described["paths"].items():
        for method in methods:
            url = machine.portal.url.removesuffix("/api/v1") + path
            for headers in (machine.pair(), [(KEY, machine.key)]):
                reply = await machine.call(headers, method.upper(), url)
                if reply.status_code != 403 or not reply.json()["type"].endswith("devices-only"):
                    allowed.add((method, path))
    of_devices = {
        ("post", "/api/v1/devices/register"),
        ("get", "/api/v1/devices/{device_id}"),
        ("post", "/api/v1/devices/{device_id}/{action}"),
    }
    assert allowed == OPEN_TO_ALL | of_devices


async def test_a_use_is_noted_and_no_secret_is_in_the_log_or_the_record(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    store = machine.portal.store
    with caplog.at_level(logging.DEBUG):
        for headers in (machine.pair(), [(KEY, machine.key)], [("Authorization", machine.as_json())]):
            assert await machine.is_known(headers)
        await machine.call([(CLOUDFLARE[0], machine.id), (CLOUDFLARE[1], machine.secret[:-1])])
        await until(
            lambda: all(page(limit=1)[0].used_at for page in (store.service_tokens.page, store.provisioning_keys.page))
        )
    assert f"service-token:{machine.id}" in caplog.text
    written = caplog.text + "".join(one.model_dump_json() for one in store.events.since(0, 10**6))
    for secret in (machine.secret, machine.key):
        assert secret[-72:-8] not in written


async def test_the_header_of_the_json_is_a_setting(machine: Machine, portal: Portal) -> None:
    url = str(portal.store.database.url)
    plan = without_temporal(url)
    plan.service_token_header = "X-Service-Token"
    async with serving(Server(create_app(plan), "127.0.0.1", 0)) as at:
        machine.portal = Portal(at)
        assert await machine.is_known([("X-Service-Token", machine.as_json())])
        assert not await machine.is_known([("X-Service-Token", machine.secret)])
        assert (await machine.call([("Authorization", machine.as_json())])).json()["type"].endswith("no-token")
        await machine.portal.aclose()


async def test_a_provisioning_key_registers_so_many_devices_of_its_person_and_not_one_more(
    registering: Machine,
) -> None:
    key, sent = registering.provisioned(2), body()
    first = (await registering.register(key, sent)).json()
    assert (first["status"], first["approval_id"]) == ("approved", None)
    again = (await registering.register(key, sent)).json()
    assert (again["id"], again["status"]) == (first["id"], "approved")
    assert (await registering.register(key)).json()["status"] == "approved"
    more = await registering.register(key)
    assert (more.status_code, "has registered 2 of 2 devices" in more.json()["detail"]) == (403, True)
    assert (await registering.register(key, sent)).status_code == 200
    shown = (await registering.portal.get("carol", f"/devices/{first['id']}")).json()
    [found] = registering.portal.store.provisioning_keys.page(limit=1)
    assert (shown["person"], shown["provisioning_key"], found.used) == ("carol", found.id, 2)
    rows = [one for one in registering.portal.store.events.since(0, 10**6) if found.id in one.model_dump_json()]
    used = [one.proof["device"] for one in rows if one.kind == "provisioning_key_used"]
    assert (len(used), used[0]) == (2, first["id"])
    assert [one.kind for one in rows].count("device_refused") == 1


async def test_without_skipping_its_devices_wait_for_an_approval(registering: Machine) -> None:
    key, sent = registering.provisioned(5, skips_approval=False), [body() for _ in range(5)]
    found = [(await registering.register(key, one)).json() for one in sent]  # more than a person may have waiting
    assert {one["status"] for one in found} == {"pending"}
    portal = registering.portal
    assert (await portal.post("ada", f"/requests/{found[0]['approval_id']}/decide", {"verdict": "approve"})).is_success
    assert (await registering.register(key, sent[0])).json()["status"] == "approved"
    for one in found:
        await portal.post("ada", f"/devices/{one['id']}/archive", {"reason": ""})


async def test_fifty_machines_at_once_use_up_a_key_and_no_more(registering: Machine) -> None:
    key = registering.provisioned(7)
    replies = await asyncio.gather(*(registering.register(key) for _ in range(50)))
    assert sorted(one.status_code for one in replies) == 7 * [200] + 43 * [403]
    assert registering.portal.store.provisioning_keys.page(limit=1)[0].used == 7


async def test_a_provisioning_key_has_nothing_to_do_with_other_devices(registering: Machine) -> None:
    key, own = registering.provisioned(3), body()
    device = (await registering.portal.post("carol", "/devices/register", own)).json()["id"]
    taken = await registering.register(key, own)
    assert (taken.status_code, taken.json()["type"].rpartition("/")[2]) == (409, "key-taken")
    assert (await registering.call(key, "GET", f"/devices/{device}")).status_code == 404
    assert (await registering.register(key, body(person="alice"))).status_code == 403
    assert registering.portal.store.provisioning_keys.page(limit=1)[0].used == 0
    await registering.portal.post("ada", f"/devices/{device}/archive", {"reason": ""})


async def test_a_service_token_sees_what_it_registered_alone_and_its_revocation_ends_that(registering: Machine) -> None:
    other, sent = Machine(registering.portal), body()
    found = (await registering.register(registering.pair(), sent)).json()
    assert (found["status"], found["message"]) == ("denied", "The policy has no enrolment rule that lets machines in.")
    path = f"/devices/{found['id']}"
    shown = (await registering.call(registering.pair(), "GET", path)).json()
    told = (shown["person"], shown["email"], shown["service_token"], shown["status"])
    assert told == ("", "non_identity@countersign", registering.id, "Not enrolled")
    assert (await other.call(other.pair(), "GET", path)).status_code == 404
    assert (await other.register(other.pair(), sent)).status_code == 409
    assert (await registering.register(registering.pair(), body(person="carol"))).status_code == 403
    gone = (await registering.register(registering.pair())).json()["id"]
    for who, action, status in ((registering, "block", 403), (other, "leave", 404), (registering, "leave", 200)):
        url = f"/devices/{gone}/{action}"
        reply = await registering.portal.client("nobody").post(url, json={"reason": ""}, headers=who.pair())
        assert reply.status_code == status, reply.text
    rules = f"""
enrolment:
  - {{name: Builds, action: service_auth, include: {{service_tokens: [{registering.id}]}}}}
  - {{name: All, action: allow, include: {{everyone: true}}}}
"""
    apply_policy(registering.portal.store, POLICY + DEVICES + rules, "ada")
    assert (await registering.register(registering.pair(), sent)).json()["status"] == "approved"
    assert (await other.register(other.pair())).json()["status"] == "denied"
    registering.rules.change(registering.id, "revoke", ADA, {"session": "s1"})
    now = (await registering.portal.get("ada", path)).json()
    assert (now["status"], now["message"]) == ("Revoked", "Revoked by Ada: Its service token CI was revoked.")
    assert (await registering.register(registering.pair(), sent)).status_code == 401
    last = [one for one in registering.portal.store.events.since(0, 10**6) if one.kind == "service_token_revoked"][-1]
    assert last.detail == "CI, with 2 of its devices"
    back = await registering.portal.post("ada", f"/devices/{gone}/restore", {"reason": ""})
    assert back.json()["status"] == "Revoked"  # archived ones are ended, too
