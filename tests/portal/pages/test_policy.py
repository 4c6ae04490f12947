"""The policy in the browser: nothing applies before its plan was confirmed, and nobody's change is lost."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Page, expect

from benchmarks.applying import large_policy
from engine.policy import apply_policy
from tests.portal.context import DB, LAB, POLICY
from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

WITHOUT_SCRIPTS: dict[str, Any] = {"java_script_enabled": False}


@pytest.fixture(autouse=True)
def policy(installation: Site) -> Iterator[int]:
    """The version that is in force; what a test applies is undone after it."""
    yield apply_policy(installation.store, POLICY, "ada")
    apply_policy(installation.store, POLICY, "ada")


def in_force(site: Site) -> tuple[int, str]:
    return site.store.policies.text()


async def planned(page: Page, text: str) -> None:
    """Edit the text on the page, and look at the plan."""
    await page.goto("/policy/edit")
    await page.get_by_label("The text, in YAML").fill(text)
    await page.get_by_role("button", name="Look at the plan").click()


async def test_a_text_is_edited_its_plan_looked_at_and_applied(site: Site, policy: int) -> None:
    ada = await site.signed_in("ada", **WITHOUT_SCRIPTS)
    new = POLICY.replace("grant_minutes: 600", "grant_minutes: 500") + "# <b>ä</b> &amp;\n"
    await planned(ada, new)
    await expect(ada.get_by_role("heading", level=1)).to_have_text("What it would change")
    await expect(ada.locator("main")).to_contain_text("1 term of the whole policy changed")
    await expect(ada.locator("del")).to_have_text(["− grant_minutes: 600"])
    await expect(ada.locator("ins")).to_have_text(["+ grant_minutes: 500", "+ # <b>ä</b> &amp;"])
    assert in_force(site) == (policy, POLICY)
    await ada.get_by_role("button", name=f"Apply as version {policy + 1}").click()
    await ada.wait_for_url("**/policy")
    assert in_force(site) == (policy + 1, new)
    [applied] = site.store.policies.versions(None, 1)
    assert applied.applied_by == "ada"
    assert "policy_applied" in [one.kind for one in site.store.events.since(site.store.events.last_version() - 3)]


async def test_mistakes_stand_beside_the_lines_that_they_name(site: Site, policy: int) -> None:
    ada = await site.signed_in("ada", **WITHOUT_SCRIPTS)
    wrong = POLICY.replace("managers: [grace]", "managers: [nobody]").replace("grant_minutes: 600", "grant_minutes: x")
    await planned(ada, wrong)
    await expect(ada.get_by_role("alert")).to_have_text("The policy has 2 mistakes. Nothing was changed.")
    number = wrong[: wrong.index("nobody")].count("\n") + 1
    finding = ada.locator(".findings li", has_text="nobody")
    await expect(finding).to_contain_text(f"Line {number}:")
    await expect(finding.locator("code")).to_contain_text("managers: [nobody]")
    assert await ada.get_by_label("The text, in YAML").input_value() == wrong
    await planned(ada, "users: [")
    await expect(ada.locator(".findings")).to_contain_text("is not closed")
    assert in_force(site)[0] == policy


async def test_with_scripts_the_line_of_a_mistake_is_selected(site: Site) -> None:
    ada = await site.signed_in("ada")
    await planned(ada, POLICY.replace("managers: [grace]", "managers: [nobody]"))
    await ada.get_by_role("link", name=re.compile("Line ")).first.click()
    selected = "text => text.value.slice(text.selectionStart, text.selectionEnd)"
    line = await ada.get_by_label("The text, in YAML").evaluate(selected)
    assert line == next(one for one in POLICY.split("\n") if "grace]" in one).replace("grace]", "nobody]")
    assert await ada.get_by_label("The text, in YAML").evaluate("text => text.scrollTop > 0 || text.scrollHeight < 700")


async def test_two_admins_at_once_lose_nothing(site: Site, policy: int) -> None:
    ada = await site.signed_in("ada")
    mine = POLICY + "# mine\n"
    await planned(ada, mine)
    theirs = apply_policy(site.store, POLICY + "# theirs\n", "heidi")
    await ada.get_by_role("button", name="Apply as version").click()
    alert = ada.get_by_role("alert")
    await expect(alert).to_contain_text(f"Heidi has applied version {theirs} meanwhile, so nothing was changed.")
    assert in_force(site) == (theirs, POLICY + "# theirs\n")
    assert await ada.get_by_label("The text, in YAML").input_value() == mine
    link = await alert.get_by_role("link").get_attribute("href")
    assert link == f"/policy/difference?old={policy}&new={theirs}"
    # An admin who has looked at the difference goes on from there.
    await ada.get_by_label("The text, in YAML").fill(POLICY + "# theirs\n# mine\n")
    again = apply_policy(site.store, POLICY + "# theirs\n# once more\n", "heidi")
    await ada.get_by_role("button", name="Look at the plan").click()
    await expect(alert).to_contain_text(f"Heidi has applied version {again} meanwhile")
    await ada.get_by_role("button", name="Look at the plan").click()
    await ada.get_by_role("button", name="Apply as version").click()
    await ada.wait_for_url("**/policy")
    assert in_force(site) == (again + 1, POLICY + "# theirs\n# mine\n")


async def test_an_earlier_version_is_rolled_back_to(site: Site, policy: int) -> None:
    apply_policy(site.store, POLICY + "# a mistake\n", "heidi")
    ada = await site.signed_in("ada", "/policy", **WITHOUT_SCRIPTS)
    await expect(ada.locator(".line").first).to_contain_text("applied by Heidi")
    await ada.get_by_role("link", name=f"What version {policy + 1} changed").click()
    await expect(ada.locator("ins")).to_have_text("+ # a mistake")
    await ada.goto(f"/policy/versions/{policy}")
    await ada.get_by_role("button", name="Roll back to it").click()
    await expect(ada.locator("del")).to_have_text("− # a mistake")
    await expect(ada.locator("main")).to_contain_text("Nothing changes but the text.")
    await ada.get_by_role("button", name="Apply as version").click()
    await ada.wait_for_url("**/policy")
    assert in_force(site) == (policy + 2, POLICY)
    await ada.goto(f"/policy/versions/{policy + 1}")
    assert await ada.get_by_role("button", name="Roll back to it").count() == 1
    await ada.goto(f"/policy/versions/{policy + 2}")
    assert await ada.get_by_role("button", name="Roll back to it").count() == 0


async def test_nobody_locks_themselves_out_by_mistake(site: Site, policy: int) -> None:
    ada = await site.signed_in("ada", **WITHOUT_SCRIPTS)
    heidi = POLICY.replace("heidi@example.test", "heidi@example.test, roles: [admin]").replace(
        "ada@example.test, roles: [admin]", "ada@example.test"
    )
    await planned(ada, heidi)
    assert await ada.locator("nav a[href='/policy']").count() == 1
    await expect(ada.get_by_role("alert")).to_contain_text("You would no longer be an admin")
    await ada.locator("[name=give_up_admin]").evaluate("box => box.removeAttribute('required')")
    await ada.get_by_role("button", name="Apply as version").click()
    await expect(ada.get_by_role("alert")).to_contain_text("you have not said that you give it up")
    assert in_force(site)[0] == policy
    await ada.get_by_role("button", name="Look at the plan").click()
    await ada.get_by_label("I give up being an admin").check()
    await ada.get_by_role("button", name="Apply as version").click()
    await ada.wait_for_url("**/approvals")
    assert in_force(site) == (policy + 1, heidi)
    assert await ada.locator("a[href='/policy']").count() == 0


async def test_grants_that_it_would_not_give_end_where_that_is_wished(site: Site, policy: int) -> None:
    number = await site.portal.approved("alice")
    ada = await site.signed_in("ada", **WITHOUT_SCRIPTS)
    new = POLICY.replace("grant_minutes: 600\n", "grant_minutes: 500\n")
    await planned(ada, new)
    await expect(ada.locator("main")).to_contain_text(f"#{number}")
    await ada.get_by_label("Also end the grants").check()
    await ada.get_by_role("button", name="Apply as version").click()
    await ada.wait_for_url("**/policy")
    timeline = (await site.portal.get("alice", f"/requests/{number}/wait", after=0, timeout=0)).json()
    while timeline["grant"]["status"] == "Active":
        path = f"/requests/{number}/wait"
        timeline = (await site.portal.get("alice", path, after=timeline["version"], timeout=60)).json()
    assert timeline["grant"]["words"].startswith(f"Revoked by ada: Policy version {policy + 1} would not give it.")


async def test_a_form_that_is_sent_twice_applies_once(site: Site, policy: int) -> None:
    ada = await site.signed_in("ada")
    data: dict[str, str | float | bool] = {"replaces": str(policy), "text": POLICY + "# twice\n"}
    headers = {"Sec-Fetch-Site": "same-origin"}
    for _ in range(2):
        reply = await ada.request.post("/policy/apply", form=data, headers=headers, max_redirects=0)
        assert (reply.status, reply.headers["location"]) == (303, "/policy")
    assert in_force(site) == (policy + 1, POLICY + "# twice\n")


async def test_it_says_for_anybody_who_must_approve(site: Site) -> None:
    ada = await site.signed_in("ada", "/policy", **WITHOUT_SCRIPTS)
    await ada.get_by_label("Person").fill("alice")
    await ada.get_by_label("Device").fill(DB)
    await ada.get_by_role("button", name="Show").click()
    await expect(ada.locator(".card")).to_contain_text("Heidi or Grace must agree: managerial approval is required by")
    await ada.goto(f"/policy?requester=heidi&device={LAB}")
    await expect(ada.locator(".card")).to_contain_text("Approved at once: nobody requires approval.")
    await ada.goto("/policy?requester=ghost&device=x&protocol=telnet")
    await expect(ada.get_by_role("alert")).to_contain_text("protocol")


async def test_others_are_told_that_it_is_for_admins(site: Site, policy: int) -> None:
    grace = await site.signed_in("grace")
    assert await grace.locator("a[href='/policy']").count() == 0
    for path in ("/policy", "/policy/edit", f"/policy/versions/{policy}", f"/policy/difference?old=1&new={policy}"):
        await grace.goto(path)
        await expect(grace.get_by_role("alert")).to_have_text("Only an admin may do this.")
        assert "fallback_approvers" not in await grace.content()
    headers = {"Sec-Fetch-Site": "same-origin"}
    for path in ("/policy/plan", "/policy/edit", "/policy/apply", f"/policy/versions/{policy}/roll-back"):
        reply = await grace.request.post(path, form={"replaces": str(policy), "text": POLICY}, headers=headers)
        assert (reply.status, "fallback_approvers" in await reply.text()) == (403, False)
    assert in_force(site)[0] == policy


async def test_versions_go_on_page_by_page(site: Site, policy: int) -> None:
    for n in range(30):
        apply_policy(site.store, f"{POLICY}# {n}\n", "operator:root")
    ada = await site.signed_in("ada", "/policy", **WITHOUT_SCRIPTS)
    assert await ada.locator(".line").count() == 25
    await expect(ada.locator(".line").first).to_contain_text("In force")
    await ada.get_by_role("link", name="Older ones").click()
    await expect(ada.locator(".line").first).to_contain_text(f"Version {policy + 5}")
    await ada.goto(f"/policy/versions/{policy + 1000}")
    await expect(ada.get_by_role("alert")).to_have_text(re.compile("There is no policy version"))


@pytest.mark.whole
async def test_a_policy_of_thousands_is_planned_applied_and_changed_as_any(site: Site, policy: int) -> None:
    large = large_policy(11_000)
    assert len(large) > 1_400_000
    before = apply_policy(site.store, large, "ada")
    boss = await site.signed_in("p00000")
    headers = {"Sec-Fetch-Site": "same-origin"}

    async def posted(address: str, **form: str | float | bool) -> str:
        reply = await boss.request.post(address, form=form, headers=headers, timeout=120_000, max_redirects=0)
        return await reply.text() if reply.ok else str(reply.status)

    moved = large.replace("@example.test", "@example.org")
    shown = await posted("/policy/plan", replaces=before, text=moved)
    assert "11000 people changed" in shown
    assert "more lines" in shown
    assert await posted("/policy/apply", replaces=before, text=moved) == "303"
    assert in_force(site) == (before + 1, moved)
    data = {"action": "set", "path": "rejection_needs_reason", "value": "true"}
    assert "+ rejection_needs_reason: true" in await posted("/policy/change", **data)
    assert await posted("/policy/plan", replaces=before, text="#" * (7 * 1024 * 1024)) == "413"
    await boss.goto("/policy")
    await expect(boss.locator("ol.code li").first).to_have_text("users:")
