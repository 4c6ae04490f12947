"""The policy over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.applying import large_policy
from countersign.client import Client
from countersign.policy import file as policy_file
from engine.policy import apply_policy
from portal.app import create_app
from portal.context import Plan
from portal.server import Server
from settings import Settings
from tests.portal.context import POLICY, Portal, serving

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


def without_admin(policy: str = POLICY) -> str:
    return policy.replace(", roles: [admin]", "")


async def test_a_policy_without_any_admin_is_refused(portal: Portal) -> None:
    [problem] = (await portal.client("ada").post("/policy", content=without_admin())).json()["problems"]
    assert problem.startswith("line 2: users: nobody who is enabled is an admin")
    assert (await portal.client("ada").post("/policy/check", content=without_admin())).json()["problems"] == [problem]


HEIDI_TOO = POLICY.replace("heidi@example.test", "heidi@example.test, roles: [admin]").replace("[ada]", "[ada, bob]")


@pytest.mark.parametrize(
    "locks_out",
    [
        HEIDI_TOO.replace("ada@example.test, roles: [admin]", "ada@example.test"),
        HEIDI_TOO.replace("ada@example.test, roles: [admin]", "ada@example.test, roles: [admin], disabled: true"),
    ],
)
async def test_whoever_would_be_no_admin_any_more_has_to_say_so(portal: Portal, locks_out: str) -> None:
    before = (await portal.get("ada", "/policy")).json()["version"]
    planned = (await portal.client("ada").post("/policy/plan", content=locks_out)).json()
    assert planned["author_loses_admin"] is True
    assert [item["name"] for part in planned["parts"] if part["kind"] == "admins_lost" for item in part["items"]] == [
        "ada"
    ]
    refused = await portal.client("ada").post("/policy", content=locks_out)
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("/author-loses-admin")
    assert "With this policy ada would no longer be an admin." in refused.json()["detail"]
    # Grace's token makes her an admin whatever the policy says.
    assert (await portal.client("root").post("/policy/plan", content=locks_out)).json()["author_loses_admin"] is False
    try:
        applied = await portal.client("ada").post("/policy?give_up_admin=true", content=locks_out)
        assert (applied.status_code, applied.json()["version"]) == (200, before + 1)
        assert (await portal.client("ada").post("/policy", content=POLICY)).status_code in {401, 403}
    finally:
        apply_policy(portal.store, POLICY, "ada")


async def test_what_a_policy_would_do_is_told_and_not_done(portal: Portal) -> None:
    waiting, granted = await portal.opened("carol"), await portal.approved("carol")
    before = (await portal.get("ada", "/policy")).json()["version"]
    new = POLICY.replace("carol@example.test}", "carol@example.test, disabled: true}")
    planned = (await portal.client("ada").post("/policy/plan", content=new)).json()
    items = {part["kind"]: part["items"] for part in planned["parts"]}
    assert planned["version"] == before
    assert items["users_changed"] == [{"name": "carol", "words": "disabled false -> true", "approval_id": None}]
    assert waiting in [item["approval_id"] for item in items["requests_cancelled"]]
    assert granted in [item["approval_id"] for item in items["grants_revoked"]]
    assert (await portal.get("ada", "/policy")).json()["version"] == before
    assert (await portal.get("ada", f"/requests/{waiting}")).json()["status"] == "Waiting"
    assert (await portal.client("alice").post("/policy/plan", content=new)).status_code == 403
    assert (await portal.client("ada").post("/policy/plan", content="users: []")).status_code == 422


async def test_a_policy_that_was_planned_against_another_version_is_refused(portal: Portal) -> None:
    version = (await portal.get("ada", "/policy")).json()["version"]
    post = portal.client("ada").post
    assert (await post(f"/policy?replaces={version}", content=POLICY)).json() == {"version": version + 1}
    refused = await post(f"/policy?replaces={version}", content=POLICY)
    assert (refused.status_code, refused.json()["version"]) == (409, version + 1)
    assert refused.json()["type"].endswith("/other-policy")
    assert (await portal.get("ada", "/policy")).json()["version"] == version + 1


async def test_a_key_holds_for_what_was_asked_of_a_policy_too(portal: Portal) -> None:
    version = (await portal.get("ada", "/policy")).json()["version"]
    headers = {"Idempotency-Key": "once-by-query"}
    post = portal.client("ada").post
    assert (await post(f"/policy?replaces={version}", content=POLICY, headers=headers)).status_code == 200
    again = await post(f"/policy?replaces={version}", content=POLICY, headers=headers)
    assert again.json() == {"version": version + 1}
    other = await post(f"/policy?replaces={version}&end_grants=true", content=POLICY, headers=headers)
    assert other.status_code == 422


async def test_versions_are_listed_and_read(portal: Portal) -> None:
    text = "# listed\n" + POLICY
    version = (await portal.client("ada").post("/policy", content=text)).json()["version"]
    apply_policy(portal.store, POLICY, "operator:root")
    listed = (await portal.get("ada", "/policy/versions", limit=2)).json()
    assert [(one["version"], one["applied_by"]) for one in listed] == [(version + 1, "operator:root"), (version, "ada")]
    assert (await portal.get("ada", "/policy/versions", before=version + 1, limit=1)).json() == listed[1:]
    assert (await portal.get("ada", "/policy", version=version)).json() == {"version": version, "text": text}
    unknown = await portal.get("ada", "/policy", version=version + 100)
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/api/v1/problems/no-version")
    for path in ("/policy/versions", f"/policy?version={version}"):
        assert (await portal.client("alice").get(path)).status_code == 403


async def test_grants_that_a_policy_would_not_give_end_on_demand_and_their_people_are_told(portal: Portal) -> None:
    granted, version = await portal.approved("bob"), 0
    new = POLICY.replace("\ngrant_minutes: 600", "\ngrant_minutes: 500")
    planned = (await portal.client("ada").post("/policy/plan?end_grants=true", content=new)).json()
    [part] = [part for part in planned["parts"] if part["kind"] == "grants_not_given"]
    assert part["takes_away"]
    [message] = [item["words"] for item in part["items"] if item["approval_id"] == granted]
    assert message.endswith(": It lasts 10 hours; 8 hours 20 minutes is the most.")
    try:
        # Without being asked to, it ends nothing.
        assert (await portal.client("ada").post("/policy", content=new)).status_code == 200
        assert (await portal.get("bob", f"/requests/{granted}")).json()["grant"]["status"] == "Active"
        reply = await portal.client("ada").post("/policy?end_grants=true", content=new)
        version = reply.json()["version"]
        seen = await portal.version(granted)
        view: dict[str, Any] = {"grant": {"status": "Active"}}
        while view["grant"]["status"] == "Active":
            view = (await portal.get("bob", f"/requests/{granted}/wait", after=seen, timeout=60)).json()
            assert view["version"] > seen or view["grant"]["status"] != "Active"
            seen = view["version"]
    finally:
        apply_policy(portal.store, POLICY, "ada")
    why = f"Policy version {version} would not give it. It lasts 10 hours; 8 hours 20 minutes is the most."
    assert (view["grant"]["status"], view["grant"]["words"]) == ("Revoked", f"Revoked by ada: {why}")
    timeline = (await portal.get("bob", f"/requests/{granted}/timeline")).json()
    assert [(one["kind"], one["who"]) for one in timeline if one["kind"] == "grant_revoked"] == [
        ("grant_revoked", "ada")
    ]


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
        apply_policy(portal.store, POLICY, "ada")


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
        apply_policy(portal.store, POLICY, "ada")


async def test_versions_are_compared_line_by_line(portal: Portal) -> None:
    old = apply_policy(portal.store, POLICY, "ada")
    new = apply_policy(portal.store, POLICY.replace("\ngrant_minutes: 600", "\ngrant_minutes: 30"), "ada")
    found = (await portal.get("ada", "/policy/difference", old=old)).json()
    assert (found["old"], found["new"], len(found["parts"])) == (old, new, 1)
    changed = [(one["sign"], one["text"]) for one in found["parts"][0] if one["sign"] != " "]
    assert changed == [("-", "grant_minutes: 600"), ("+", "grant_minutes: 30")]
    back = (await portal.get("ada", "/policy/difference", old=new, new=old)).json()
    assert [one["sign"] for one in back["parts"][0] if one["sign"] != " "] == ["-", "+"]
    assert (await portal.get("ada", "/policy/difference", old=new, new=new)).json()["parts"] == []
    assert (await portal.get("ada", "/policy/difference", old=new + 100)).status_code == 404
    assert (await portal.get("alice", "/policy/difference", old=old)).status_code == 403
    apply_policy(portal.store, POLICY, "ada")


async def test_an_earlier_version_is_put_in_force_again_as_a_new_one(portal: Portal) -> None:
    text = POLICY + "# back to here\n"
    earlier = apply_policy(portal.store, text, "ada")
    newest = apply_policy(portal.store, POLICY, "ada")
    path = f"/policy/versions/{earlier}/roll-back"
    post = portal.client("ada").post
    refused = await post(path, params={"replaces": earlier})
    assert (refused.status_code, refused.json()["version"]) == (409, newest)
    replies = [
        await post(path, params={"replaces": newest}, headers={"Idempotency-Key": f"back-{earlier}"}) for _ in range(2)
    ]
    assert [one.json() for one in replies] == [{"version": newest + 1}] * 2
    assert (await portal.get("ada", "/policy")).json() == {"version": newest + 1, "text": text}
    assert (await post(f"/policy/versions/{newest + 100}/roll-back")).status_code == 404
    assert (await portal.client("alice").post(path)).status_code == 403
    apply_policy(portal.store, POLICY, "ada")


async def test_the_list_of_versions_leads_on(portal: Portal) -> None:
    version = apply_policy(portal.store, POLICY, "ada")
    first = await portal.get("ada", "/policy/versions", limit=1)
    assert [one["version"] for one in first.json()] == [version]
    second = await portal.client("ada").get(first.links["next"]["url"].removeprefix("/api/v1"))
    assert [one["version"] for one in second.json()] == [version - 1]


async def test_one_change_to_the_text_is_made_for_programs_and_changes_nothing(portal: Portal) -> None:
    version = apply_policy(portal.store, POLICY, "ada")
    change = {"path": ["user_groups", "finance", "require_managerial_approval"], "action": "set", "value": True}
    reply = await portal.post("ada", "/policy/change", change)
    finance = "finance: {members: [heidi], managers: [heidi]"
    assert reply.json() == {
        "version": version,
        "text": POLICY.replace(finance, f"{finance}, require_managerial_approval: true"),
    }
    assert (await portal.get("ada", "/policy")).json() == {"version": version, "text": POLICY}
    gone = await portal.post("ada", "/policy/change", change | {"path": ["user_groups", "nobody", "members"]})
    assert (gone.status_code, gone.json()["detail"]) == (409, "There is no nobody in the policy any more.")
    wrong = await portal.post("ada", "/policy/change", {"path": ["reminder_minutes"], "action": "set", "value": "soon"})
    assert wrong.status_code == 422
    assert wrong.json()["problems"][0].startswith("reminder_minutes: must be a duration")
    assert (await portal.post("alice", "/policy/change", change)).status_code == 403
