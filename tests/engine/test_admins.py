"""What only admins may do, the engine refuses to everybody else, whatever its caller has checked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from countersign.certificates import Revoking
from countersign.client import Client
from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed
from countersign.machines import NewProvisioningKey, NewServiceToken
from countersign.permissions import Principal
from countersign.registration import DeviceAction
from engine.engine import Engine
from engine.policy import ReadPolicy, put_in_force_by
from sandbox.temporal_server import free_port
from store import Store
from tests.workflows.people import policy

BOB = Principal("bob")
DAY = timedelta(days=1)
ACTS: dict[str, Callable[[Engine, Store], object]] = {
    "make a service token": lambda engine, _: engine.service_tokens.make(NewServiceToken(name="CI"), BOB, {}),
    "rotate one": lambda engine, _: engine.service_tokens.rotate("st0", DAY, BOB, {}),
    "change one": lambda engine, _: engine.service_tokens.change("st0", "revoke", BOB, {}),
    "make a provisioning key": lambda engine, _: engine.provisioning_keys.make(
        NewProvisioningKey(label="kiosks", person="bob", devices=1), BOB, {}
    ),
    "end one": lambda engine, _: engine.provisioning_keys.end("k0", BOB, {}),
    "trust an authority": lambda engine, _: engine.certificates.trust("", ["access.example.test"], BOB, {}),
    "distrust one": lambda engine, _: engine.certificates.distrust("0", BOB, {}),
    "take a revocation list": lambda engine, _: engine.certificates.add_list("", BOB, {}),
    "revoke a certificate": lambda engine, _: engine.certificates.revoke("0", Revoking(serial="1"), BOB, {}),
    "export the record": lambda engine, _: engine.audit.record_export(BOB, "as csv", {}),
    "apply a policy": lambda _, store: put_in_force_by(store, ReadPolicy.of(policy()), BOB),
}


async def engine_of(store: Store) -> Engine:
    return Engine(await Client.connect(f"127.0.0.1:{free_port()}", lazy=True), store)


async def test_nobody_but_an_admin_may(store: Store) -> None:
    engine, before, refused = await engine_of(store), store.events.last_version(), []
    for name, act in ACTS.items():
        with pytest.raises(NotAllowed) as raised:
            act(engine, store)
        refused += [name] if raised.value.code == ErrorCode.ADMIN_ONLY else []
    assert refused == list(ACTS)
    assert store.events.last_version() == before


async def test_nobody_but_an_admin_may_revoke_all_devices_of_somebody(store: Store) -> None:
    with pytest.raises(NotAllowed) as refused:
        await (await engine_of(store)).devices.act_on_all(DeviceAction.REVOKE, BOB, "", "portal", {}, "alice")
    assert refused.value.code == ErrorCode.ADMIN_ONLY
