"""Many devices register at once: none is lost, each has an address of its own, and no limit is passed."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import func, select

from countersign.errors import TooMany
from countersign.fingerprints import Fingerprint
from countersign.registration import Presented, Registered
from engine.devices.limits import MOST_WAITING_FROM_ADDRESS, MOST_WAITING_OF_PERSON
from engine.devices.registrant import Registrant
from sandbox.device_keys import new_key
from store.tables import fingerprints, registered_devices
from tests.whole import IS_WHOLE
from tests.workflows.deployment import Deployment, new_namespace
from tests.workflows.people import policy

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Each has one device that nobody has to approve; all are in one office. CI has a thousand devices in all.
EMPLOYEES = [f"employee-{n}" for n in range(950 if IS_WHOLE else 250)]
# Each has one device more than may wait, each at an address of its own.
VENDORS = [f"vendor-{n}" for n in range(10)]
# Each has one device, and all are at the same address.
GUESTS = [f"guest-{n}" for n in range(30)]
ADDRESS, OFFICE = "192.0.2.1", "192.0.2.2"
DEVICES = len(EMPLOYEES) + len(VENDORS) * MOST_WAITING_OF_PERSON + MOST_WAITING_FROM_ADDRESS


@pytest_asyncio.fixture(loop_scope="session")
async def crowd(temporal_address: str, database_url: str) -> AsyncIterator[Deployment]:
    """An engine whose directory has all these people."""
    async with Deployment(temporal_address, await new_namespace(temporal_address), database_url) as deployment:
        everybody = [*EMPLOYEES, *VENDORS, *GUESTS]
        users = {one: {"name": one.title(), "email": f"{one}@example.test"} for one in everybody}
        roles = {"vendor": {"people": [*VENDORS, *GUESTS], "require_device_approval": True}}
        deployment.apply(policy(users=users, roles=roles, registered_devices={"network": "10.64.0.0/16"}))
        yield deployment


async def register(crowd: Deployment, person: str, address: str) -> Registered | TooMany:
    key = new_key()
    presented = Presented(key=key, fingerprint=Fingerprint(hostname="carbon", serial=secrets.token_hex(4)))
    try:
        return await crowd.engine.devices.register(presented, Registrant(person, person, address))
    except TooMany as error:
        return error


@pytest.mark.parametrize(
    "database_url", ["sqlite_url", pytest.param("postgres_url", marks=pytest.mark.whole)], indirect=True
)
@pytest.mark.timeout(400)
async def test_many_devices_register_at_once(crowd: Deployment) -> None:
    trying = [
        *((one, OFFICE) for one in EMPLOYEES),
        *((one, f"10.1.{n}.{again}") for n, one in enumerate(VENDORS) for again in range(MOST_WAITING_OF_PERSON + 1)),
        *((one, ADDRESS) for one in GUESTS),
    ]
    secrets.SystemRandom().shuffle(trying)
    answers = await asyncio.gather(*(register(crowd, *one) for one in trying))
    told = Counter("too many" if isinstance(one, TooMany) else one.status for one in answers)
    refused = len(VENDORS) + len(GUESTS) - MOST_WAITING_FROM_ADDRESS
    assert told == {"approved": len(EMPLOYEES), "pending": DEVICES - len(EMPLOYEES), "too many": refused}
    with crowd.store.database.reading() as connection:
        rows = connection.execute(select(registered_devices)).all()
        kept = connection.execute(select(func.count(), func.count(fingerprints.c.device.distinct()))).one()
    let_in = [row for row in rows if row.decision]
    # For the others, what they said is kept, and that they were refused.
    assert len(let_in) == DEVICES
    assert (len(rows), len(rows)) == tuple(kept)
    assert all("more may not" in row.message for row in rows if not row.decision)
    waiting = [row for row in let_in if row.decision == "pending"]
    assert set(Counter(row.person for row in waiting if row.person in VENDORS).values()) == {MOST_WAITING_OF_PERSON}
    assert sum(row.first_source == ADDRESS for row in waiting) == MOST_WAITING_FROM_ADDRESS
    addresses = {one.address for one in answers if isinstance(one, Registered) and one.status == "approved"}
    assert len(addresses - {None}) == len(EMPLOYEES)
    # Each has a request of its own.
    assert len({row.approval_id for row in waiting} - {None}) == len(waiting)
    recorded = Counter(row.kind for row in crowd.store.events.since(0, 10**6))
    assert recorded["device_registered"] == len(rows)
    assert recorded["device_approved"] == len(EMPLOYEES)
