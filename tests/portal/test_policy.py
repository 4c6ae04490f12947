"""The policy over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.applying import large_policy
from countersign import policy_file
from countersign.client import Client
from portal.app import create_app
from portal.house import Plan
from portal.server import Server
from settings import Settings
from tests.portal.house import POLICY, Portal, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_admin_applies_and_reads_the_policy(portal: Portal) -> None:
    text = "# ä\n" + POLICY
    reply = await portal.client("ada").post("/policy", content=text.encode())
    assert reply.status_code == 200
    shown = (await portal.get("root", "/policy")).json()
    assert shown == {"version": reply.json()["version"], "text": text}
    (line,) = [
        one for one in portal.store.events.since(portal.store.events.last_version() - 1) if one.kind == "policy_applied"
    ]
    assert line.who == "ada"


async def test_the_same_application_again_is_the_same_version(portal: Portal) -> None:
    headers = {"Idempotency-Key": "apply-once"}
    replies = [await portal.client("ada").post("/policy", content=POLICY, headers=headers) for _ in range(2)]
    assert [one.status_code for one in replies] == [200, 200]
    assert replies[0].json() == replies[1].json()


async def test_a_wrong_policy_changes_nothing_and_names_each_mistake(portal: Portal) -> None:
    before = (await portal.get("ada", "/policy")).json()
    wrong = POLICY.replace("managers: [grace]", "managers: [nobody]").replace("grace@", "heidi@")
    reply = await portal.client("ada").post("/policy", content=wrong)
    assert reply.status_code == 422
    assert len(reply.json()["problems"]) >= 2
    assert all(one.startswith("line ") for one in reply.json()["problems"])
    assert (await portal.get("ada", "/policy")).json() == before


async def test_a_policy_is_checked_without_being_applied(portal: Portal) -> None:
    before = (await portal.get("ada", "/policy")).json()
    good = await portal.client("alice").post("/policy/check", content=POLICY)
    bad = await portal.client("alice").post("/policy/check", content="users: []")
    assert (good.status_code, good.json()) == (200, {"problems": [], "warnings": []})
    assert (bad.status_code, len(bad.json()["problems"])) == (200, 1)
    assert (await portal.get("ada", "/policy")).json() == before


async def test_a_channel_that_is_not_set_up_is_warned_of(portal: Portal) -> None:
    asked = POLICY + "channels: {email: decide, slack: link_only}\nrooms: {slack: C1}\n"
    checked = (await portal.client("alice").post("/policy/check", content=asked)).json()
    line = asked[: asked.index("channels:")].count("\n") + 1
    assert checked["problems"] == []
    assert checked["warnings"] == [
        f"line {line}: channels.slack: slack is not set up, so nobody is told there; see docs/settings.md, or write "
        "`off`"
    ]


async def test_a_policy_of_thousands_is_taken_by_the_server_as_by_the_check(portal: Portal) -> None:
    large = large_policy(11_000)
    assert 1_400_000 < len(large) < policy_file.LARGEST_FILE_BYTES
    checked = await portal.client("alice").post("/policy/check", content=large)
    assert (checked.status_code, checked.json()["problems"]) == (200, [])
    too_large = await portal.client("alice").post("/policy/check", content=large + "#" * policy_file.LARGEST_FILE_BYTES)
    assert (too_large.status_code, too_large.json()["detail"]) == (
        413,
        f"The body is too large: at most {policy_file.LARGEST_FILE_BYTES} bytes.",
    )


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"a: [", b"\0", b"a: &a [*a]", "users: \u2028".encode()])
async def test_what_is_no_policy_file(portal: Portal, body: bytes) -> None:
    checked = await portal.client("alice").post("/policy/check", content=body)
    applied = await portal.client("ada").post("/policy", content=body)
    assert checked.json()["problems"] == applied.json()["problems"] != []
    assert applied.status_code == 422


async def test_disabling_somebody_cancels_their_requests_and_revokes_their_grants(portal: Portal) -> None:
    waiting, granted = await portal.opened("carol"), await portal.approved("carol")
    versions = {number: await portal.version(number) for number in (waiting, granted)}
    disabled = POLICY.replace("carol@example.test}", "carol@example.test, disabled: true}")
    try:
        assert (await portal.client("ada").post("/policy", content=disabled)).status_code == 200
        for number in (waiting, granted):
            view: dict[str, Any] = {"status": "", "grant": None}
            while view["status"] != "Cancelled" and (view["grant"] or {}).get("status") != "Revoked":
                path = f"/requests/{number}/wait"
                view = (await portal.get("ada", path, after=versions[number], timeout=60)).json()
                assert view["version"] > versions[number]
                versions[number] = view["version"]
    finally:
        portal.store.policies.apply(POLICY, "ada")


async def test_a_policy_is_in_force_also_while_temporal_is_away(portal: Portal, settings: Settings) -> None:
    number = await portal.opened("carol")
    disabled = POLICY.replace("carol@example.test}", "carol@example.test, disabled: true}")
    cut_off = Plan(settings.database_url, lambda: Client.connect("127.0.0.1:1", lazy=True))
    try:
        async with serving(Server(create_app(cut_off), "127.0.0.1", 0)) as url:
            away = Portal(url, portal.tokens)
            assert (await away.client("ada").post("/policy", content=disabled)).status_code == 200
            await away.aclose()
        assert (await portal.get("carol", "/me")).status_code == 401
        assert (await portal.get("ada", f"/requests/{number}")).status_code == 200
    finally:
        portal.store.policies.apply(POLICY, "ada")
