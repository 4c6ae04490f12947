"""Idempotency keys: repeated, concurrent, crossed, abandoned."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import null, update

from store.idempotency import LEASE
from store.tables import idempotency
from tests.portal.house import LAB, Portal

pytestmark = pytest.mark.asyncio(loop_scope="session")


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
    with portal.store.database.transaction() as connection:
        lost = update(idempotency).where(idempotency.c.key == key)
        connection.execute(lost.values(reply=null(), at=datetime.now(UTC) - 2 * LEASE))
    again = await portal.post("alice", "/requests", body, key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert await repeats(portal, first.json()["approval_id"]) == 0


@pytest.mark.parametrize("key", ["a b", "x" * 201, "\u00e9"])
async def test_what_is_no_key(portal: Portal, key: str) -> None:
    headers = httpx.Headers({"Idempotency-Key": key}, encoding="latin-1")
    body = {"device": next(portal.devices), "protocol": "ssh"}
    reply = await portal.client("alice").post("/requests", json=body, headers=headers)
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"] == "Idempotency-Key"
