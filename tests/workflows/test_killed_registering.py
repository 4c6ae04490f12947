"""Portal and worker are killed while a device registers, and while it is decided: nothing is lost, nothing done twice.

The moments are exact: PostgreSQL holds the statement that would bring one about until its program is killed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import Connection, make_url, select

from countersign.models import Asked
from countersign.registration import DeviceStatus, RegisteredDevice
from engine.credentials.tokens import TokenActions
from sandbox.device_keys import new_key
from sandbox.temporal_server import free_port
from store import postgres
from store.registered_devices import WantedDevices
from store.tables import requests
from store.tokens import Owner
from tests.http_clients import plain_client
from tests.workflows.deployment import Deployment, Request, new_namespace, until
from tests.workflows.people import policy
from tests.workflows.test_killed import WorkerProcess

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

ROLES = {"vendor": {"people": ["alice"], "require_device_approval": True}}
RULES = {"network": "10.64.0.0/16"}
SENT = {
    "key": new_key(),
    "fingerprint": {"hostname": "carbon", "serial": "PF-1"},
}
HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(CASE
        WHEN OLD.decision = '' THEN 1
        WHEN OLD.approval_id IS DISTINCT FROM NEW.approval_id THEN 2
        WHEN NEW.decision = 'approved' THEN 3
        ELSE 0 END);
    RETURN NEW;
END $$;
CREATE TRIGGER hold BEFORE UPDATE ON registered_devices FOR EACH ROW EXECUTE FUNCTION hold();
"""
WAITS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


class Moment(IntEnum):
    """What is about to be written about a device, by its number in HOLD."""

    DECIDED_WHAT_FOLLOWS = 1
    REQUEST_OPENED = 2
    APPROVED = 3


class PortalProcess(WorkerProcess):
    """`python -m portal serve`."""

    arguments = ("-m", "portal", "serve")


class Site:
    """An installation whose programs are processes, and whose database can hold a chosen statement."""

    def __init__(self, deployment: Deployment, folder: Path, connection: Connection) -> None:
        self.deployment = deployment
        self._connection = connection
        port = free_port()
        self._url = f"http://127.0.0.1:{port}/api/v1"
        self.worker = WorkerProcess(deployment, folder / "worker.log")
        self.portal = PortalProcess(deployment, folder / "portal.log", portal_port=port)
        tokens = TokenActions(deployment.store)
        self._tokens = {one: tokens.create(Owner(kind="person", name=one), "tests") for one in ("alice", "ada")}

    async def call(self, who: str, path: str, body: Any) -> Any:
        """Somebody calls the portal, again and again until it answers."""
        headers = {"Authorization": f"Bearer {self._tokens[who]}"}
        async with plain_client(headers=headers, timeout=60) as client:
            while True:
                with suppress(httpx.TransportError):
                    reply = await client.post(f"{self._url}{path}", json=body)
                    if reply.status_code < 500:
                        return reply.raise_for_status().json()
                await asyncio.sleep(0.1)

    async def killed_at(self, moment: Moment, program: WorkerProcess, who: str, path: str, body: Any) -> None:
        """Somebody calls; the program that is about to write this is killed, and the caller gives up."""
        with self._held(moment):
            calling = asyncio.create_task(self.call(who, path, body))
            await until(self._is_reached, f"{moment!r}")
            await program.kill()
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)
        await until(lambda: not self._is_reached(), "the database notices")

    @contextmanager
    def _held(self, moment: Moment) -> Iterator[None]:
        self._connection.exec_driver_sql(f"SELECT pg_advisory_lock({moment.value})")
        yield
        self._connection.exec_driver_sql(f"SELECT pg_advisory_unlock({moment.value})")

    def _is_reached(self) -> bool:
        return bool(self._connection.exec_driver_sql(WAITS).scalar_one())

    def device(self) -> RegisteredDevice:
        """The only device that there is."""
        [one] = self.deployment.store.registered_devices.page(WantedDevices(person="alice"))
        return one


@pytest_asyncio.fixture(loop_scope="session")
async def site(temporal_address: str, postgres_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    namespace = await new_namespace(temporal_address)
    async with Deployment(temporal_address, namespace, postgres_url, awake=False) as deployment:
        deployment.apply(policy(roles=ROLES, registered_devices=RULES))
        holding = postgres.patient(make_url(postgres_url)).connect().execution_options(isolation_level="AUTOCOMMIT")
        with holding as connection:
            connection.exec_driver_sql(HOLD)
            site = Site(deployment, tmp_path, connection)
            try:
                yield site
            finally:
                await site.portal.kill()
                await site.worker.kill()


@pytest.mark.whole
async def test_a_device_is_registered_asked_about_and_approved_once_whenever_its_programs_are_killed(
    site: Site,
) -> None:
    store = site.deployment.store
    await site.portal.start()
    await site.worker.start()
    await site.killed_at(Moment.DECIDED_WHAT_FOLLOWS, site.portal, "alice", "/devices/register", SENT)
    device = site.device()
    assert device.status is DeviceStatus.NOT_ENROLLED

    # Its client calls again, and is gone before it gets a reply: the request is opened all the same.
    await site.portal.start()
    await site.killed_at(Moment.REQUEST_OPENED, site.worker, "alice", "/devices/register", SENT)
    assert (site.device().id, site.device().status) == (device.id, DeviceStatus.PENDING)
    assert site.device().approval_id is None
    await site.worker.start()
    await until(lambda: site.device().approval_id, "the request is opened")
    number = site.device().approval_id
    assert number is not None
    found = await site.call("alice", "/devices/register", SENT)
    assert (found["id"], found["status"], found["approval_id"]) == (device.id, "pending", number)

    await site.killed_at(Moment.APPROVED, site.worker, "ada", f"/requests/{number}/decide", {"verdict": "approve"})
    assert site.device().status is DeviceStatus.PENDING
    await site.worker.start()
    await until(lambda: site.device().status is DeviceStatus.APPROVED, "the answer that was stored counts")
    found = await site.call("alice", "/devices/register", SENT)
    assert (found["id"], found["status"], found["address"]) == (device.id, "approved", "10.64.0.2")

    view = store.reading.request(number)
    request = Request(site.deployment, view.question, Asked(approval_id=number, status=view.status, joined=False))
    await request.outcome()
    await request.until_mailed(ada=["asked", "settled"], alice=["settled"])
    assert request.lines() == ["opened alice", "level_started countersign", "answered ada", "approved ada"]
    with store.database.reading() as connection:
        assert connection.execute(select(requests.c.approval_id)).scalars().all() == [number]
    assert len(store.registered_devices.snapshots(device.id)) == 1
    recorded = Counter(row.kind for row in store.events.since(0, 10**6))
    assert recorded["device_registered"] == 1
