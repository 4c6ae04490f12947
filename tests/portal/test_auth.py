"""Whose token it is, and what it opens."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from countersign.policy.file import LARGEST_FILE_BYTES
from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from store.tokens import Owner
from tests.portal.context import DEVICES, POLICY, Portal

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPEN_TO_ALL = {("get", "/api/v1/health"), ("post", "/api/v1/login"), ("post", "/api/v1/login/token")}


async def routes(portal: Portal) -> list[tuple[str, str]]:
    described = (await portal.get("nobody", "/openapi.json")).json()
    return [(method, path) for path, methods in described["paths"].items() for method in methods]


def is_challenge(reply: httpx.Response) -> bool:
    return (
        reply.status_code == 401
        and reply.headers["Content-Type"] == "application/problem+json"
        and reply.headers["WWW-Authenticate"].startswith("Bearer ")
    )


async def knock(portal: Portal, authorization: str | None) -> httpx.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    return await portal.client("nobody").get("/me", headers=headers)


async def test_every_route_refuses_without_a_token_whatever_is_sent(portal: Portal) -> None:
    closed = [route for route in await routes(portal) if route not in OPEN_TO_ALL]
    assert len(closed) >= 12
    for method, path in closed:
        url = portal.url.removesuffix("/api/v1") + path.replace("{approval_id}", "1001")
        for body in (b"", b"{", b'{"verdict": "approve"}', b"x" * 100_000):
            headers = {"Content-Type": "application/json"}
            reply = await portal.client("nobody").request(method, url, content=body, headers=headers)
            assert is_challenge(reply), (method, path, body[:30], reply.text)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Basic Y3M6Y3M=",
        "cs_000000000000_00",
        "Bearer cs__",
        "Bearer cs_000000000000_" + "0" * 64,
        "Bearer cs_000000000000_" + "0" * 63 + "\u00e9",
        "Bearer " + "c" * 5000,
        "Bearer ' OR 1=1 --",
    ],
)
async def test_what_is_no_token(portal: Portal, authorization: str) -> None:
    headers = httpx.Headers({"Authorization": authorization}, encoding="latin-1")
    assert is_challenge(await portal.client("nobody").get("/me", headers=headers))


async def test_a_token_with_another_secret(portal: Portal) -> None:
    good = portal.tokens["alice"]
    other = good[:-1] + ("0" if good[-1] != "0" else "1")
    swapped = good[: len("cs_000000000000_")] + portal.tokens["ada"][len("cs_000000000000_") :]
    for text in (other, swapped, good.upper(), good[:-1], good + "0"):
        assert is_challenge(await knock(portal, f"Bearer {text}"))
    assert (await knock(portal, f"bearer  {good}")).json()["name"] == "alice"


async def test_a_token_that_has_ended(portal: Portal) -> None:
    made = TokenActions(portal.store).create(Owner(kind="person", name="alice"), "tests")
    assert (await knock(portal, f"Bearer {made}")).status_code == 200
    TokenActions(portal.store).end(made.split("_")[1], "tests")
    reply = await knock(portal, f"Bearer {made}")
    assert is_challenge(reply)
    assert "has ended" in reply.json()["detail"]


async def test_the_token_of_somebody_disabled_or_unknown(portal: Portal) -> None:
    assert is_challenge(await portal.get("dora", "/me"))
    stranger = TokenActions(portal.store).create(Owner(kind="person", name="zoe", is_admin=True), "tests")
    assert is_challenge(await knock(portal, f"Bearer {stranger}"))


async def test_a_token_opens_nothing_from_the_moment_its_person_is_disabled(portal: Portal) -> None:
    assert (await portal.get("carol", "/me")).status_code == 200
    apply_policy(portal.store, POLICY.replace("carol@example.test}", "carol@example.test, disabled: true}"), "ada")
    try:
        assert is_challenge(await portal.get("carol", "/me"))
    finally:
        apply_policy(portal.store, POLICY, "ada")
    assert (await portal.get("carol", "/me")).status_code == 200


async def test_whose_token_it_is(portal: Portal) -> None:
    me = {name: (await portal.get(name, "/me")).json() for name in ("alice", "ada", "root", "bastion")}
    assert (me["alice"]["name"], me["alice"]["kind"], me["alice"]["admin"]) == ("alice", "person", False)
    assert [me[name]["admin"] for name in ("ada", "root", "bastion")] == [True, True, False]
    assert me["bastion"]["protocols"] == ["sftp", "ssh"]
    assert len(me["bastion"]["devices"]) == DEVICES + 2


@pytest.mark.parametrize("path", ["decide", "cancel", "revoke"])
async def test_a_gateway_neither_decides_nor_cancels_nor_revokes(portal: Portal, path: str) -> None:
    number = await portal.opened("alice")
    body = {"verdict": "approve"} if path == "decide" else {}
    for gateway in ("bastion", "twin"):
        reply = await portal.post(gateway, f"/requests/{number}/{path}", body)
        assert reply.status_code == 403
    assert (await portal.get("alice", f"/requests/{number}")).json()["status"] == "Waiting"


async def test_what_is_for_admins_only(portal: Portal) -> None:
    for name in ("alice", "grace", "bastion"):
        assert (await portal.get(name, "/policy")).status_code == 403
        reply = await portal.client(name).post("/policy", content=POLICY)
        assert reply.status_code == 403


async def test_a_larger_body_than_is_read(portal: Portal) -> None:
    for path, size in (("/requests", 2**16 + 1), ("/policy", LARGEST_FILE_BYTES + 1)):
        reply = await portal.client("ada").post(path, content=b" " * size)
        assert reply.status_code == 413
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert "bytes" in reply.json()["detail"]


async def test_a_larger_body_that_does_not_say_its_size(portal: Portal) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1024

    reply = await portal.client("ada").post("/requests", content=chunks())
    assert reply.status_code == 413


async def test_no_such_address_and_no_such_method(portal: Portal) -> None:
    missing = await portal.get("alice", "/request")
    assert (missing.status_code, missing.headers["Content-Type"]) == (404, "application/problem+json")
    wrong = await portal.client("alice").delete("/requests")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "GET, POST")
    assert wrong.json()["detail"] == "DELETE is not answered here; use GET, POST."
    assert (await portal.get("alice", "/requests/")).status_code == 404


async def test_answers_are_kept_by_no_cache(portal: Portal) -> None:
    assert (await portal.get("alice", "/requests")).headers["Cache-Control"] == "no-store"
