"""No token gets in the way of others: how much it may have under way at once, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial

import httpx
import pytest
import pytest_asyncio

from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from engine.record import WRITTEN_EACH
from portal.app import create_app
from portal.context import HEAVY_AT_ONCE
from portal.server import Server
from store import Store
from store.tokens import Owner
from tests.portal.context import POLICY, Portal, serving, until, without_temporal

pytestmark = pytest.mark.asyncio(loop_scope="session")

AT_ONCE = 3


@pytest_asyncio.fixture(loop_scope="session")
async def small(sqlite_url: str) -> AsyncIterator[Portal]:
    """A portal that answers few calls of one token at the same time."""
    store = Store(sqlite_url)
    apply_policy(store, POLICY, "ada")
    tokens = {who: TokenActions(store).create(Owner(kind="person", name=who), "tests") for who in ("ada", "bob")}
    plan = replace(without_temporal(sqlite_url), calls_at_once=AT_ONCE)
    async with serving(Server(create_app(plan), "127.0.0.1", 0)) as where:
        portal = Portal(where, tokens)
        yield portal
        await portal.aclose()
    store.close()


def is_too_many(reply: httpx.Response, limit: int) -> bool:
    told = reply.json()
    assert (reply.status_code, reply.headers["Retry-After"], told["limit"]) == (429, "1", limit)
    return bool(told["type"] == "/api/v1/problems/too-many-at-once")


async def answered(
    portal: Portal, status: int = 200, ask: Callable[[], Awaitable[httpx.Response]] | None = None
) -> httpx.Response:
    """Ask as bob until the answer has this status."""
    async with asyncio.timeout(120):
        while (reply := await (ask() if ask else portal.get("bob", "/me"))).status_code != status:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return reply


async def test_more_waits_of_one_token_than_it_may_have_are_refused(small: Portal) -> None:
    waits = [
        asyncio.create_task(answered(small, 200, partial(small.get, "bob", "/events", timeout=60)))
        for _ in range(AT_ONCE)
    ]
    reply = await answered(small, 429)
    assert is_too_many(reply, AT_ONCE)
    assert "try again" in reply.json()["detail"]
    assert (await small.get("ada", "/me")).status_code == 200
    assert (await small.get("nobody", "/health")).json()["database"] is True
    for wait in waits:
        wait.cancel()  # a wait ends when its client goes away
    await asyncio.gather(*waits, return_exceptions=True)
    await answered(small)


async def test_the_calls_of_all_leave_connections_for_who_asks_how_the_portal_is(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    apply_policy(store, POLICY, "ada")
    tokens = {who: TokenActions(store).create(Owner(kind="person", name=who), "tests") for who in ("ada", "bob")}
    plan = replace(without_temporal(sqlite_url), calls_in_all=1)
    async with serving(Server(create_app(plan), "127.0.0.1", 0)) as where:
        portal = Portal(where, tokens)
        wait = partial(portal.get, "ada", "/events", timeout=60)
        waiting = asyncio.create_task(answered(portal, 200, wait))
        reply = await answered(portal, 503)
        assert reply.json()["type"] == "/api/v1/problems/unavailable"
        assert (await portal.get("nobody", "/health")).json()["database"] is True
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await portal.aclose()
    store.close()


async def test_few_large_bodies_of_one_token_are_read_at_the_same_time(small: Portal) -> None:
    address = httpx.URL(small.url)
    begun = []
    for _ in range(HEAVY_AT_ONCE):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(
            f"POST /api/v1/policy/check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {small.tokens['bob']}\r\n"
            "Content-Length: 6\r\n\r\nuse".encode()
        )
        begun.append((reader, writer))
    check = partial(small.client("bob").post, "/policy/check", content=b"users:")
    reply = await answered(small, 429, check)
    assert is_too_many(reply, HEAVY_AT_ONCE)
    assert (await small.client("ada").post("/policy/check", content=b"users:")).status_code == 200
    for reader, writer in begun:
        writer.write(b"rs:")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_much_work_of_one_token_does_not_keep_another_waiting(portal: Portal) -> None:
    """SQLite's only thread reads all lists, but a token that asks for many keeps only itself waiting."""
    for name in ("ada", "bob"):
        assert (await portal.get(name, "/me")).status_code == 200
    much, done = 200, 0

    async def one_of_many() -> None:
        nonlocal done
        assert (await portal.get("ada", "/requests", limit=200)).status_code == 200
        done += 1

    many = [asyncio.create_task(one_of_many()) for _ in range(much)]
    await until(lambda: done > 0)
    assert (await portal.get("bob", "/me")).status_code == 200
    assert done < much / 2
    await asyncio.gather(*many)


async def test_who_is_refused_again_and_again_has_to_wait_and_fills_no_record(sqlite_url: str) -> None:
    most = WRITTEN_EACH + 5
    store = Store(sqlite_url)
    apply_policy(store, POLICY, "ada")
    tokens = {who: TokenActions(store).create(Owner(kind="person", name=who), "tests") for who in ("ada", "bob")}
    plan = replace(without_temporal(sqlite_url), refusals_an_hour=most)
    async with serving(Server(create_app(plan), "127.0.0.1", 0)) as at:
        portal = Portal(at, tokens)
        decide = partial(portal.post, "bob", "/requests/7/decide", {"verdict": "approve"})
        assert [(await decide()).status_code for _ in range(most)] == [404] * most
        refused = await decide()
        assert (refused.status_code, refused.json()["type"]) == (429, "/api/v1/problems/too-many-refusals")
        assert 3500 < int(refused.headers["Retry-After"]) <= 3600
        assert (await portal.get("bob", "/me")).status_code == 200
        other = await portal.post("ada", "/requests/7/decide", {"verdict": "approve"})
        assert other.status_code == 404
        await portal.aclose()
    attempts = [row.who for row in store.events.since(0, 10**6) if row.kind == "answer_refused"]
    assert attempts == ["bob"] * WRITTEN_EACH + ["ada"]
    store.close()


async def test_a_token_that_calls_too_often_within_a_minute_is_told_when_to_try_again(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    apply_policy(store, POLICY, "ada")
    tokens = {who: TokenActions(store).create(Owner(kind="person", name=who), "tests") for who in ("ada", "bob")}
    plan = replace(without_temporal(sqlite_url), calls_a_minute=3)
    async with serving(Server(create_app(plan), "127.0.0.1", 0)) as where:
        portal = Portal(where, tokens)
        replies = [await portal.get("bob", "/me") for _ in range(8)]
        refused = replies[-1]
        assert refused.status_code == 429
        assert refused.json()["type"] == "/api/v1/problems/too-many-calls"
        assert "3 calls within a minute" in refused.json()["detail"]
        assert 0 < int(refused.headers["Retry-After"]) <= 20
        assert (await portal.get("ada", "/me")).status_code == 200
        await portal.aclose()
    store.close()
