"""Files to connect by RDP, and redeeming the tokens in them, over HTTP."""

from __future__ import annotations

import re

import httpx
import pytest

from engine.credentials.tokens import TokenActions
from store.tokens import Owner
from tests.portal.context import Portal

pytestmark = pytest.mark.asyncio(loop_scope="session")
HERE = "127.0.0.1"


@pytest.fixture(scope="module")
def rdp_1(portal: Portal) -> str:
    """A gateway for RDP."""
    owner = Owner(kind="gateway", name="rdp-1", target_groups=["web"], variants=["rdp"])
    portal.tokens["rdp-1"] = TokenActions(portal.store).create(owner, "tests")
    return "rdp-1"


async def granted(portal: Portal, **changed: str) -> int:
    body = {"device": next(portal.devices), "protocol": "rdp", "source_address": HERE} | changed
    number: int = (await portal.post("alice", "/requests", body)).json()["approval_id"]
    reply = await portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
    assert reply.json()["status"] == "Approved"
    return number


def token_in(reply: httpx.Response) -> str:
    assert reply.status_code == 200, reply.text
    assert (reply.headers["Content-Type"], reply.headers["Cache-Control"]) == ("application/x-rdp", "no-store")
    lines = reply.text.split("\r\n")
    assert lines[0] == "full address:s:rdp.example.test:3390"
    found = re.fullmatch(r"loadbalanceinfo:s:Cookie: msts=(cs_rdp_[0-9a-f]{72})", lines[1])
    assert found
    return found[1]


async def test_a_file_lets_its_person_in_once(portal: Portal, rdp_1: str) -> None:
    number = await granted(portal)
    token = token_in(await portal.post("alice", f"/requests/{number}/rdp-file"))
    body = {"token": token, "source_address": HERE}
    for who in ("alice", "ada"):
        assert (await portal.post(who, "/rdp-tokens/redeem", body)).status_code == 403
    found = (await portal.post(rdp_1, "/rdp-tokens/redeem", body)).json()
    assert (found["person"], found["approval_id"]) == ("alice", number)
    again = await portal.post(rdp_1, "/rdp-tokens/redeem", body)
    assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (409, "invalid-routing-token")


async def test_it_is_for_the_requester_of_a_grant_for_rdp(portal: Portal, rdp_1: str) -> None:
    number = await granted(portal)
    path = f"/requests/{number}/rdp-file"
    assert [(await portal.post(who, path)).status_code for who in ("grace", "carol", rdp_1)] == [403, 404, 403]
    elsewhere = await granted(portal, source_address="192.0.2.7")
    refused = await portal.post("alice", f"/requests/{elsewhere}/rdp-file")
    assert refused.json()["type"].rpartition("/")[2] == "other-source-address"
    by_ssh = await granted(portal, protocol="ssh")
    assert "not for RDP" in (await portal.post("alice", f"/requests/{by_ssh}/rdp-file")).json()["detail"]


@pytest.mark.parametrize("body", [{}, {"token": "x"}, {"token": "x" * 201, "source_address": HERE}])
async def test_what_is_malformed_is_named(portal: Portal, rdp_1: str, body: dict[str, str]) -> None:
    assert (await portal.post(rdp_1, "/rdp-tokens/redeem", body)).status_code == 422
