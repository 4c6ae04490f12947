"""Whatever is sent, what comes back is an answer or a problem in words; never a failure of ours."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.portal.context import DB, WEB, Portal

pytestmark = pytest.mark.asyncio(loop_scope="session")
SOME = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

ODD = ["alice", "bob", WEB, DB, "ssh", "approve", "\0", "\ud800", "\u202e", "a" * 5000]
TEXT = st.text(max_size=20) | st.sampled_from(ODD)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["requester", "device", "protocol", "reason", "ticket", "source_address", "minutes", "verdict", "comment", "level"]
)
BODIES = st.dictionaries(FIELDS | TEXT, ANYTHING, max_size=5) | ANYTHING
PATHS = st.sampled_from(["/requests", "/requests/1/decide", "/requests/1/cancel", "/requests/1/revoke"])


@SOME
@given(path=PATHS, body=BODIES)
async def test_any_body(portal: Portal, path: str, body: object) -> None:
    await sent(portal, path, json.dumps(body).encode())


@SOME
@given(path=PATHS | st.sampled_from(["/policy", "/policy/check", "/replies/explain"]), body=st.binary(max_size=200))
async def test_any_bytes(portal: Portal, path: str, body: bytes) -> None:
    await sent(portal, path, body)


@SOME
@given(
    path=st.sampled_from(["/requests", "/requests/1/wait", "/events"]),
    query=st.dictionaries(
        st.sampled_from(["status", "requester", "approver", "limit", "after"]), st.text(max_size=30), max_size=3
    ),
)
async def test_any_query(portal: Portal, path: str, query: dict[str, str]) -> None:
    try:
        reply = await portal.client("ada").get(path, params=query | {"timeout": "0"})
    except UnicodeEncodeError:  # what no client can send
        return
    assert reply.status_code in {200, 404, 422}


async def described(portal: Portal, path: str) -> set[str]:
    """The statuses that the API's description gives a POST to this path."""
    paths = (await portal.get("nobody", "/openapi.json")).json()["paths"]
    known = paths[f"/api/v1{path.replace('/1/', '/{approval_id}/')}"]["post"]["responses"]
    return set(known)


async def sent(portal: Portal, path: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    reply = await portal.client("bob").post(path, content=body, headers=headers)
    assert reply.status_code in {200, 201, 400, 403, 404, 409, 422}, (reply.status_code, reply.text)
    assert str(reply.status_code) in await described(portal, path), (path, reply.status_code)
    if reply.is_error:
        problem = reply.json()
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert (problem["status"], bool(problem["detail"])) == (reply.status_code, True)
        assert "Traceback" not in reply.text
