"""Health, and the API's description."""

from __future__ import annotations

import asyncio
import gc

import pytest
from sqlalchemy import make_url

from engine.credentials.tokens import TokenActions
from portal.app import create_app
from portal.server import Server
from store import Store
from store.tokens import Owner
from tests.portal.context import Portal, serving, without_temporal
from tests.proxy import Proxy

pytestmark = pytest.mark.asyncio(loop_scope="session")


def make_token(database_url: str, person: str, is_admin: bool = False) -> str:
    store = Store(database_url)
    try:
        return TokenActions(store).create(Owner(kind="person", name=person, is_admin=is_admin), "tests")
    finally:
        store.close()


async def test_all_is_well(portal: Portal) -> None:
    well = {"database": True, "writable": True, "temporal": True, "worker": True, "channels": {}}
    reply = await portal.get("nobody", "/health")
    assert (reply.status_code, reply.json()) == (200, well)


async def test_temporal_is_away(sqlite_url: str) -> None:
    async with serving(Server(create_app(without_temporal(sqlite_url)), "127.0.0.1", 0)) as url:
        portal = Portal(url)
        reply = await portal.get("nobody", "/health")
        away = {"database": True, "writable": True, "temporal": False, "worker": False, "channels": {}}
        assert (reply.status_code, reply.json()) == (503, away)
        await portal.aclose()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_the_database_goes_away_and_comes_back(postgres_url: str) -> None:
    address = make_url(postgres_url)
    assert address.host
    assert address.port
    with Proxy((address.host, address.port)) as proxy:
        there = address.set(host=proxy.host, port=proxy.port).render_as_string(hide_password=False)
        async with serving(Server(create_app(without_temporal(there)), "127.0.0.1", 0)) as url:
            portal = Portal(url)
            portal.tokens["ada"] = make_token(postgres_url, "ada", is_admin=True)
            assert (await portal.get("ada", "/me")).status_code == 200
            waiting = asyncio.create_task(portal.get("ada", "/events", timeout=1))
            proxy.refuse()
            proxy.cut()
            health = await portal.get("nobody", "/health")
            assert (health.status_code, health.json()["database"], health.json()["writable"]) == (503, False, False)
            reply = await portal.get("ada", "/me")
            assert (reply.status_code, reply.headers["Content-Type"]) == (503, "application/problem+json")
            assert reply.headers["Retry-After"] == "5"
            assert str(proxy.port) not in reply.text
            assert (await waiting).status_code in {200, 503}
            proxy.refuse(False)
            assert (await portal.get("ada", "/me")).status_code == 200
            await portal.aclose()
    # The driver leaves the sockets of connections that broke to the garbage collector, which warns of each.
    gc.collect()


async def test_before_the_first_policy_an_admin_may_apply_one(sqlite_url: str) -> None:
    async with serving(Server(create_app(without_temporal(sqlite_url)), "127.0.0.1", 0)) as at:
        portal = Portal(at)
        portal.tokens = {"ada": make_token(sqlite_url, "ada", is_admin=True), "alice": make_token(sqlite_url, "alice")}
        refused = await portal.get("alice", "/requests")
        assert refused.status_code == 409
        assert "No policy has been applied yet" in refused.json()["detail"]
        assert (await portal.get("ada", "/policy")).status_code == 409
        policy = "users: {ada: {name: Ada, email: ada@example.test, roles: [admin]}}"
        reply = await portal.client("ada").post("/policy", content=policy)
        assert (reply.status_code, reply.json()) == (200, {"version": 1})
        assert (await portal.get("alice", "/requests")).status_code == 401
        await portal.aclose()


async def test_the_description_speaks_of_every_route_and_its_problems(portal: Portal) -> None:
    described = (await portal.get("nobody", "/openapi.json")).json()
    assert described["info"]["title"] == "Countersign"
    assert "Problem" in described["components"]["schemas"]
    assert "HTTPValidationError" not in described["components"]["schemas"]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (method, path)
            if path not in ("/api/v1/health", "/api/v1/login", "/api/v1/login/token"):
                assert operation["security"] == [{"token": []}], (method, path)
                problem = operation["responses"]["401"]["content"]["application/problem+json"]["schema"]
                assert problem == {"$ref": "#/components/schemas/Problem"}
