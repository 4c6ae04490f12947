"""Problems as programs read them: each kind has its type, and the fields that tell what was meant."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from countersign.error_codes import ErrorCode
from tests.portal.context import DB, WEB, Portal

pytestmark = pytest.mark.asyncio(loop_scope="session")


def kind_and_fields(reply: httpx.Response) -> tuple[int, str, dict[str, Any]]:
    """The status, the code of the problem's type, and the fields of its kind."""
    problem = reply.json()
    assert reply.headers["Content-Type"] == "application/problem+json"
    prefix, _, code = problem.pop("type").rpartition("/")
    assert prefix == "/api/v1/problems"
    assert problem.pop("title") == ErrorCode(code).meaning
    assert problem.pop("status") == reply.status_code
    assert problem.pop("detail")
    return reply.status_code, code, problem


async def test_each_refusal_to_open_a_request_has_its_type(portal: Portal) -> None:
    async def asked(name: str, **body: object) -> tuple[int, str, dict[str, Any]]:
        return kind_and_fields(await portal.post(name, "/requests", {"protocol": "ssh", **body}))

    assert await asked("alice", device="nowhere") == (409, "unknown-device", {"device": "nowhere"})
    assert await asked("ada", device=DB, requester="zoe") == (409, "unknown-requester", {"requester": "zoe"})
    assert await asked("ada", device=DB, requester="dora") == (409, "disabled-requester", {"requester": "dora"})
    assert await asked("alice", device=WEB, minutes=601) == (409, "too-many-minutes", {"minutes": 601, "limit": 600})
    assert await asked("alice", device=DB, requester="bob") == (403, "other-requester", {"requester": "bob"})
    assert await asked("bastion", device=DB, requester="bob") == (403, "other-device", {"device": DB})


async def test_a_grant_that_does_not_cover_the_question_says_which_and_until_when(portal: Portal) -> None:
    body: dict[str, Any] = {"device": next(portal.devices), "protocol": "ssh", "source_address": "192.0.2.7"}
    number = (await portal.post("alice", "/requests", {**body, "minutes": 5})).json()["approval_id"]
    await portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
    grant = (await portal.get("alice", f"/requests/{number}")).json()["grant"]
    elsewhere = await portal.post("alice", "/requests", {**body, "source_address": "192.0.2.8"})
    status, code, fields = kind_and_fields(elsewhere)
    assert (status, code) == (409, "other-source-address")
    assert (fields["approval_id"], fields["source_address"]) == (number, "192.0.2.7")
    assert fields["ends_at"][:19] == grant["ends_at"][:19]
    longer = await portal.post("alice", "/requests", {**body, "minutes": 6})
    status, code, fields = kind_and_fields(longer)
    assert (status, code) == (409, "more-than-granted")
    assert (fields["approval_id"], fields["minutes"], fields["limit"]) == (number, 6, 5)


async def test_each_refusal_of_an_answer_has_its_type(portal: Portal) -> None:
    number = await portal.opened("alice")

    async def decided(name: str, about: int = number, **body: object) -> tuple[int, str, dict[str, Any]]:
        return kind_and_fields(await portal.post(name, f"/requests/{about}/decide", {"verdict": "approve", **body}))

    assert await decided("alice") == (409, "own-request", {})
    assert await decided("ada") == (409, "not-asked", {})
    assert await decided("bob") == (404, "no-request", {"approval_id": number})
    assert await decided("bastion") == (403, "person-only", {})
    settled = await portal.approved("alice")
    fields = {"approval_id": settled, "request_status": "Approved"}
    assert await decided("grace", settled) == (409, "already-settled", fields)


async def test_a_refused_answer_keeps_its_type_when_it_is_repeated(portal: Portal) -> None:
    number, key = await portal.opened("alice"), uuid.uuid4().hex
    replies = [await portal.post("alice", f"/requests/{number}/decide", {"verdict": "approve"}, key) for _ in range(2)]
    assert [kind_and_fields(one) for one in replies] == [(409, "own-request", {})] * 2


async def test_each_refusal_to_undo_has_its_type(portal: Portal) -> None:
    number = await portal.opened("alice")

    async def undone(name: str, what: str) -> tuple[int, str, dict[str, Any]]:
        return kind_and_fields(await portal.post(name, f"/requests/{number}/{what}"))

    assert await undone("grace", "cancel") == (403, "not-theirs", {"approval_id": number})
    without = {"approval_id": number, "request_status": "Waiting"}
    assert await undone("grace", "revoke") == (409, "no-grant", without)
    await portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
    settled = {"approval_id": number, "request_status": "Approved"}
    assert await undone("alice", "cancel") == (409, "already-settled", settled)
    await portal.post("grace", f"/requests/{number}/revoke")
    assert await undone("grace", "revoke") == (409, "grant-over", {"approval_id": number})


async def test_what_is_malformed_or_without_a_token_has_its_type(portal: Portal) -> None:
    missing = await portal.post("alice", "/requests", {"protocol": "ssh"})
    fields = {"errors": [{"field": "device", "words": "is missing; add it"}]}
    assert kind_and_fields(missing) == (422, "malformed", fields)
    assert kind_and_fields(await portal.get("nobody", "/me")) == (401, "no-token", {})
    assert kind_and_fields(await portal.post("alice", "/policy")) == (403, "admin-only", {})
    assert kind_and_fields(await portal.get("alice", "/nowhere")) == (404, "not-found", {})
    assert kind_and_fields(await portal.post("alice", "/me")) == (405, "method-not-allowed", {})
    large = await portal.client("alice").post("/requests", content=b"x" * 70_000)
    assert kind_and_fields(large) == (413, "too-large", {})
