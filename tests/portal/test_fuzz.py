"""Whatever is sent, what comes back is an answer or a problem in words, never a server error."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.portal.context import DB, WEB, Portal
from tests.whole import IS_WHOLE

pytestmark = pytest.mark.asyncio(loop_scope="session")
SOME = settings(
    max_examples=40 if IS_WHOLE else 15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
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
FILTERS = ["person", "device", "user_group", "device_group", "text"]
RECORD = ["person", "device", "request", "kind", "since", "until"]
# The parameters of each list, and of what waits for something.
QUERIES = {
    "/requests": [
        "status",
        "requester",
        "approver",
        "person",
        "device",
        "user_group",
        "device_group",
        "text",
        "before",
        "limit",
    ],
    "/requests/1/wait": ["after", "timeout"],
    "/events": ["after", "timeout"],
    "/audit": [*RECORD, "before", "limit"],
    "/audit/export": [*RECORD, "format"],
    "/overview": ["days"],
}
VALUES = ["1", "-1", str(2**53), "1e400", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "%", "\\", "7"]
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


@pytest.mark.parametrize("path", QUERIES)
@settings(SOME, max_examples=15)
@given(data=st.data())
async def test_any_query(portal: Portal, path: str, data: st.DataObject) -> None:
    names = st.sampled_from(QUERIES[path])
    query = data.draw(st.dictionaries(names, st.text(max_size=30) | st.sampled_from(VALUES), max_size=3))
    at_once = {"timeout": "0"} if "timeout" in QUERIES[path] else {}
    try:
        reply = await portal.client("ada").get(path, params=query | at_once)
    except UnicodeEncodeError:  # no client can send it
        return
    assert reply.status_code in {200, 404, 422}, (query, reply.text)


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
