"""Idempotency keys: repeated, concurrent, crossed, abandoned."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from datetime import UTC, datetime
from functools import partial

import httpx
import pytest
from sqlalchemy import event, func, null, select, update

from engine.credentials.tokens import TokenActions
from portal.__main__ import plan
from portal.api.idempotency import LEASE
from portal.app import create_app
from portal.server import Server
from settings import Settings
from store import Store
from store.tables import idempotency
from store.tokens import Owner
from tests.portal.context import LAB, POLICY, Portal, serving, until, without_temporal

pytestmark = pytest.mark.asyncio(loop_scope="session")


def change(store: Store, statement: str) -> None:
    with store.database.transaction() as connection:
        connection.exec_driver_sql(statement)


def rows(store: Store) -> int:
    with store.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(idempotency)).scalar_one()


async def repeats(portal: Portal, number: int) -> int:
    lines = (await portal.get("ada", f"/requests/{number}/timeline")).json()
    return [one["kind"] for one in lines].count("asked_again")


async def test_the_same_request_again_is_answered_the_same_and_asked_once(portal: Portal) -> None:
    body, key = {"device": next(portal.devices), "protocol": "ssh"}, uuid.uuid4().hex
    first = await portal.post("alice", "/requests", body, key)
    again = await portal.post("alice", "/requests", body, key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.content, first.headers["Location"]) == (again.content, again.headers["Location"])
    assert await repeats(portal, first.json()["approval_id"]) == 0


async def test_without_a_key_it_is_asked_again(portal: Portal) -> None:
    body = {"device": next(portal.devices), "protocol": "ssh"}
    number = (await portal.post("alice", "/requests", body)).json()["approval_id"]
    await portal.post("alice", "/requests", body)
    assert await repeats(portal, number) == 1


async def test_concurrent_repeats_are_answered_the_same(portal: Portal) -> None:
    body, key = {"device": next(portal.devices), "protocol": "ssh"}, uuid.uuid4().hex
    replies = await asyncio.gather(*(portal.post("alice", "/requests", body, key) for _ in range(8)))
    assert {(one.status_code, one.content) for one in replies} == {(201, replies[0].content)}
    assert await repeats(portal, replies[0].json()["approval_id"]) == 0


async def test_concurrent_repeats_of_what_is_approved_at_once(portal: Portal) -> None:
    body, key = {"device": LAB, "protocol": "sftp"}, uuid.uuid4().hex
    replies = await asyncio.gather(*(portal.post("heidi", "/requests", body, key) for _ in range(8)))
    assert {(one.status_code, one.content) for one in replies} == {(201, replies[0].content)}


async def test_a_refusal_is_repeated_too(portal: Portal) -> None:
    body, key = {"device": "nowhere", "protocol": "ssh"}, uuid.uuid4().hex
    first, again = [await portal.post("alice", "/requests", body, key) for _ in range(2)]
    assert (first.status_code, again.status_code) == (409, 409)
    assert again.headers["Content-Type"] == "application/problem+json"
    assert first.json() == again.json()


async def test_a_key_is_for_one_request_only(portal: Portal) -> None:
    key = uuid.uuid4().hex
    await portal.post("alice", "/requests", {"device": next(portal.devices), "protocol": "ssh"}, key)
    other = await portal.post("alice", "/requests", {"device": next(portal.devices), "protocol": "ssh"}, key)
    assert other.status_code == 422
    assert "take a new one" in other.json()["detail"]


async def test_a_key_belongs_to_its_token(portal: Portal) -> None:
    key, device = uuid.uuid4().hex, next(portal.devices)
    replies = [
        await portal.post(name, "/requests", {"device": device, "protocol": "ssh"}, key) for name in ("alice", "bob")
    ]
    assert [one.status_code for one in replies] == [201, 201]
    assert replies[0].json() != replies[1].json()


async def test_a_crash_before_the_reply_was_kept_is_harmless(portal: Portal) -> None:
    body, key = {"device": next(portal.devices), "protocol": "ssh"}, uuid.uuid4().hex
    first = await portal.post("alice", "/requests", body, key)
    lose_the_reply(portal, key)
    again = await portal.post("alice", "/requests", body, key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert await repeats(portal, first.json()["approval_id"]) == 0


async def test_what_was_cancelled_before_a_crash_is_cancelled_when_it_is_said_again(portal: Portal) -> None:
    number, key = await portal.opened(), uuid.uuid4().hex
    path = f"/requests/{number}/cancel"
    first = await portal.post("alice", path, {"words": "not needed"}, key)
    lose_the_reply(portal, key)
    again = await portal.post("alice", path, {"words": "not needed"}, key)
    assert (again.status_code, again.json()) == (200, first.json())
    assert (await portal.post("alice", path, {"words": "not needed"}, uuid.uuid4().hex)).status_code == 409


@pytest.mark.parametrize(("who", "how"), [("grace", "revoke"), ("alice", "give-back")])
async def test_a_grant_that_ended_before_a_crash_has_ended_when_it_is_said_again(
    portal: Portal, who: str, how: str
) -> None:
    number, key = await portal.approved(), uuid.uuid4().hex
    first = await portal.post(who, f"/requests/{number}/{how}", {}, key)
    lose_the_reply(portal, key)
    again = await portal.post(who, f"/requests/{number}/{how}", {}, key)
    assert (again.status_code, again.json()["grant"]) == (200, first.json()["grant"])
    assert (await portal.post(who, f"/requests/{number}/{how}", {}, uuid.uuid4().hex)).status_code == 409


def lose_the_reply(portal: Portal, key: str) -> None:
    """Make the database look as if a portal had died before it stored its reply."""
    with portal.store.database.transaction() as connection:
        lost = update(idempotency).where(idempotency.c.key == key)
        connection.execute(lost.values(reply=null(), at=datetime.now(UTC) - 2 * LEASE))


async def test_a_repeat_is_told_the_grant_as_it_is_now(portal: Portal) -> None:
    body, key = {"device": next(portal.devices), "protocol": "ssh"}, uuid.uuid4().hex
    number = (await portal.post("alice", "/requests", body, key)).json()["approval_id"]
    await portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
    approved = await portal.post("alice", "/requests", body, key)
    assert (approved.status_code, approved.json()["approval_id"]) == (201, number)
    assert (approved.json()["status"], approved.json()["grant"]["status"]) == ("Approved", "Active")
    await portal.post("grace", f"/requests/{number}/revoke", {"words": "wrong server"})
    revoked = (await portal.post("alice", "/requests", body, key)).json()
    assert (revoked["status"], revoked["grant"]["status"]) == ("Approved", "Revoked")
    assert revoked["words"] == "Revoked by Grace: wrong server"


async def test_a_yes_at_once_is_no_yes_after_it_was_revoked(portal: Portal) -> None:
    body, key = {"device": LAB, "protocol": "http"}, uuid.uuid4().hex
    first = (await portal.post("heidi", "/requests", body, key)).json()
    assert first["grant"]["status"] == "Active"
    await portal.post("ada", f"/requests/{first['approval_id']}/revoke")
    again = (await portal.post("heidi", "/requests", body, key)).json()
    assert (again["approval_id"], again["grant"]["status"]) == (first["approval_id"], "Revoked")


async def test_a_repeat_says_no_yes_to_who_joined_from_another_address(portal: Portal) -> None:
    body, key = {"device": next(portal.devices), "protocol": "ssh"}, uuid.uuid4().hex
    number = (await portal.post("alice", "/requests", {**body, "source_address": "192.0.2.7"})).json()["approval_id"]
    other = {**body, "source_address": "192.0.2.8"}
    joined = await portal.post("alice", "/requests", other, key)
    assert (joined.status_code, joined.json()["status"]) == (200, "Waiting")
    await portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
    refused = await portal.post("alice", "/requests", other, key)
    assert (refused.status_code, refused.json()["type"]) == (409, "/api/v1/problems/other-source-address")


async def test_repeats_of_other_posts_tell_how_the_request_is_now(portal: Portal) -> None:
    number, keys = await portal.opened("alice"), [uuid.uuid4().hex for _ in range(2)]
    approve = f"/requests/{number}/decide", {"verdict": "approve"}
    assert (await portal.post("grace", *approve, keys[0])).json()["status"] == "Approved"
    revoke = f"/requests/{number}/revoke", {"words": "enough"}
    first = (await portal.post("grace", *revoke, keys[1])).json()
    again = (await portal.post("grace", *revoke, keys[1])).json()
    assert again["grant"]["status"] == first["grant"]["status"] == "Revoked"
    assert 0 < first["version"] <= again["version"] <= await portal.version(number)


async def test_repeats_that_wait_for_another_process_write_nothing(portal: Portal, settings: Settings) -> None:
    body, key = json.dumps({"device": next(portal.devices), "protocol": "ssh"}).encode(), uuid.uuid4().hex
    owner = portal.store.tokens.find(portal.tokens["alice"])
    assert owner
    digest = hashlib.sha256(b"POST /api/v1/requests\n" + body).hexdigest()
    assert portal.store.idempotency.claim(owner.id, key, digest, LEASE) == "ours"
    app = create_app(plan(settings))
    async with serving(Server(app, "127.0.0.1", 0)) as url:
        said: list[str] = []
        engine = app.state.context.store.database.engine
        event.listen(engine, "before_cursor_execute", lambda *called: said.append(called[2]))
        other = Portal(url, portal.tokens)
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        posts = [other.client("alice").post("/requests", content=body, headers=headers) for _ in range(20)]
        replies = asyncio.gather(*posts)
        await until(lambda: sum("FROM idempotency" in one for one in said) > 5)
        reply = {"status": 409, "body": {"detail": "No."}, "location": None}
        portal.store.idempotency.reply(owner.id, key, reply)
        assert {(one.status_code, one.text) for one in await replies} == {(409, '{"detail":"No."}')}
        await other.aclose()
    assert sum(one.startswith("INSERT INTO idempotency") for one in said) == 1


async def test_what_failed_unexpectedly_may_be_repeated_at_once(sqlite_url: str) -> None:
    key = uuid.uuid4().hex
    store = Store(sqlite_url)
    token = TokenActions(store).create(Owner(kind="person", name="ada", is_admin=True), "tests")
    async with serving(Server(create_app(without_temporal(sqlite_url)), "127.0.0.1", 0)) as where:
        other = Portal(where, {"ada": token})
        post = partial(other.client("ada").post, "/policy", content=POLICY, headers={"Idempotency-Key": key})
        change(store, "CREATE TRIGGER broken BEFORE INSERT ON policies BEGIN SELECT RAISE(ABORT, 'broken'); END")
        assert (await post()).status_code == 500
        change(store, "DROP TRIGGER broken")
        reply = await post()
        assert (reply.status_code, reply.json()) == (200, {"version": 1})
        await other.aclose()
    store.close()


@pytest.mark.parametrize("key", ["a b", "x" * 201, "\u00e9"])
async def test_what_is_no_key(portal: Portal, key: str) -> None:
    headers = httpx.Headers({"Idempotency-Key": key}, encoding="latin-1")
    body = {"device": next(portal.devices), "protocol": "ssh"}
    reply = await portal.client("alice").post("/requests", json=body, headers=headers)
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"] == "Idempotency-Key"
