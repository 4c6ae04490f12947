"""The API as people and gateways use it, for the portal's tests."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from countersign.client import Client
from portal.api.routes import PREFIX
from portal.context import Plan
from portal.server import Server
from store import Store
from tests.http_clients import plain_client

# Other tests use the same Temporal server. With devices and numbers of our own, our ids differ from theirs.
MARK = uuid.uuid4().hex[:8]
WEB, DB, LAB, SHORT, VAULT = (f"{name}-{MARK}" for name in ("web", "db", "lab", "short", "vault"))

DEVICES = 1500
POLICY = f"""
users:
  ada: {{name: Ada, email: ada@example.test, roles: [admin]}}
  grace: {{name: Grace, email: grace@example.test}}
  heidi: {{name: Heidi, email: heidi@example.test}}
  alice: {{name: Alice, email: alice@example.test}}
  bob: {{name: Bob, email: bob@example.test}}
  carol: {{name: Carol, email: carol@example.test}}
  dora: {{name: Dora, email: dora@example.test, disabled: true}}
user_groups:
  engineers: {{members: [alice, bob, carol], managers: [grace], require_managerial_approval: true}}
  finance: {{members: [heidi], managers: [heidi]}}
device_groups:
  web: {{devices: [{", ".join([WEB, *(f"web-{n}-{MARK}" for n in range(DEVICES))])}]}}
  databases: {{devices: [{DB}], managers: [heidi], require_managerial_approval: true}}
  lab: {{devices: [{LAB}]}}
  short: {{devices: [{SHORT}], grant_minutes: 2s}}
  vaults: {{devices: [{VAULT}], confirm: sign_in_again}}
fallback_approvers: [ada]
approval_status_change_to_expire: 600
grant_minutes: 600
"""


class Portal:
    """The API as people and gateways use it; `tokens` has each one's token."""

    store: Store

    def __init__(self, url: str, tokens: dict[str, str] | None = None) -> None:
        self.url = url + PREFIX
        self.tokens = tokens or {}
        self.clients: dict[str, httpx.AsyncClient] = {}
        self.devices = iter(f"web-{n}-{MARK}" for n in range(DEVICES))

    def client(self, name: str) -> httpx.AsyncClient:
        """The client of somebody with a token, or of `nobody`, who has none."""
        if name not in self.clients:
            headers = {"Authorization": f"Bearer {self.tokens[name]}"} if name != "nobody" else {}
            self.clients[name] = plain_client(base_url=self.url, headers=headers, timeout=70)
        return self.clients[name]

    async def aclose(self) -> None:
        """Close the clients."""
        for client in self.clients.values():
            await client.aclose()

    async def get(self, name: str, path: str, **params: object) -> httpx.Response:
        return await self.client(name).get(path, params={key: str(value) for key, value in params.items()})

    async def post(self, name: str, path: str, body: object = None, key: str = "") -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.client(name).post(path, json={} if body is None else body, headers=headers)

    async def opened(self, requester: str = "alice", protocol: str = "ssh") -> int:
        """A new request that waits for grace."""
        reply = await self.post(requester, "/requests", {"device": next(self.devices), "protocol": protocol})
        assert reply.status_code == 201, reply.text
        number: int = reply.json()["approval_id"]
        return number

    async def approved(self, requester: str = "alice") -> int:
        """A new request that grace has approved."""
        number = await self.opened(requester)
        reply = await self.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
        assert reply.json()["status"] == "Approved", reply.text
        return number

    async def version(self, number: int) -> int:
        """The version of a request's last event."""
        version: int = (await self.get("ada", f"/requests/{number}")).json()["version"]
        return version


def without_temporal(database_url: str) -> Plan:
    """A portal whose Temporal is away."""
    return Plan(database_url, lambda: Client.connect("127.0.0.1:1", lazy=True))


async def until(so: Callable[[], bool], seconds: float = 120) -> None:
    """Poll until it is so; raises TimeoutError if it takes longer."""
    async with asyncio.timeout(seconds):
        while not so():  # noqa: ASYNC110 - what is looked at knows no events
            await asyncio.sleep(0.01)


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    """Serve an application as `python -m portal serve` does, without its signal handlers."""
    task = asyncio.create_task(_serve(server))
    await until(lambda: server.started or task.done())
    if task.done():
        await task
    try:
        yield server.url
    finally:
        server.should_exit = True
        await task


async def _serve(server: Server) -> None:
    try:
        await server._serve()
    except SystemExit as error:  # which would end the tests, too
        raise RuntimeError("the portal did not start; the log says why") from error
    except pytest.skip.Exception:  # it may not listen here (--no-servers); Python crashes if this is left half open
        await server.lifespan.shutdown()
        raise
