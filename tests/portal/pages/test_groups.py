"""Groups and settings in the browser: one change at a time, each confirmed, and nothing else in the text differs."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Page, expect

from engine.policy import apply_policy
from tests.portal.context import DB, POLICY
from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

WITHOUT_SCRIPTS: dict[str, Any] = {"java_script_enabled": False}
# Written as people do, with comments and both kinds of quotes.
TEXT = POLICY + "# the end\nchannels: {'email': \"decide\"} # how people are told\n"


@pytest.fixture(autouse=True)
def policy(installation: Site) -> Iterator[int]:
    """The version that is in force."""
    yield apply_policy(installation.store, TEXT, "ada")
    apply_policy(installation.store, POLICY, "ada")


async def confirmed(page: Page, back: str) -> None:
    """Apply what is planned."""
    await expect(page.get_by_role("heading", level=1)).to_have_text("What it would change")
    await page.get_by_role("button", name="Apply as version").click()
    await page.wait_for_url(f"**{back}")


def text_of(site: Site) -> str:
    return site.store.policies.text()[1]


async def test_managerial_approval_is_required_by_a_switch(site: Site, policy: int) -> None:
    ada = await site.signed_in("ada", "/groups", **WITHOUT_SCRIPTS)
    await ada.get_by_role("link", name="finance").click()
    await ada.get_by_role("button", name="Turn on: Require managerial approval").click()
    await expect(ada.locator("main")).to_contain_text("require managerial approval false -> true")
    assert text_of(site) == TEXT
    await confirmed(ada, "/groups/user_groups/finance")
    finance = "finance: {members: [heidi], managers: [heidi]"
    assert text_of(site) == TEXT.replace(finance, f"{finance}, require_managerial_approval: true")
    await expect(ada.locator(".setting .status")).to_have_text("On")
    await ada.get_by_role("button", name="Turn off: Require managerial approval").click()
    await confirmed(ada, "/groups/user_groups/finance")
    assert site.store.policies.current()[0] == policy + 2
    assert [one.applied_by for one in site.store.policies.versions(None, 2)] == ["ada", "ada"]


async def test_members_managers_and_devices_come_and_go(site: Site) -> None:
    ada = await site.signed_in("ada", "/groups/user_groups/engineers", **WITHOUT_SCRIPTS)
    await ada.get_by_label("Add to members").fill(" Heidi ")
    await ada.get_by_role("button", name="Add", exact=True).nth(1).click()
    await expect(ada.locator("main")).to_contain_text("members with heidi")
    await confirmed(ada, "/groups/user_groups/engineers")
    await ada.get_by_role("button", name="Remove Bob from members").click()
    await expect(ada.locator("h2.takes-away")).to_have_text("1 user group changed")
    await confirmed(ada, "/groups/user_groups/engineers")
    assert text_of(site) == TEXT.replace("[alice, bob, carol]", "[alice, carol, heidi]")
    await ada.goto("/groups/device_groups/lab")
    await ada.get_by_label("Add to devices").fill("lab-2")
    await ada.get_by_role("button", name="Add", exact=True).nth(1).click()
    await confirmed(ada, "/groups/device_groups/lab")
    assert site.store.policies.current()[1].group_with("lab-2") == "lab"


async def test_what_would_leave_nobody_to_ask_is_named_with_its_line(site: Site, policy: int) -> None:
    ada = await site.signed_in("ada", "/settings", **WITHOUT_SCRIPTS)
    await ada.get_by_role("button", name="Remove Ada from fallback approvers").click()
    await expect(ada.locator(".findings")).to_contain_text("has nobody to ask")
    await ada.goto("/groups/user_groups/engineers")
    await ada.get_by_label("Add to managers").fill("nobody")
    await ada.get_by_role("button", name="Add", exact=True).first.click()
    await expect(ada.locator(".findings")).to_contain_text("there is no user nobody")
    assert site.store.policies.current()[0] == policy


async def test_settings_are_changed_one_by_one(site: Site) -> None:
    ada = await site.signed_in("ada", "/settings", **WITHOUT_SCRIPTS)
    await ada.get_by_role("button", name="Turn on: Auto-approval").click()
    await confirmed(ada, "/settings")
    await ada.get_by_label("Time to expire", exact=True).fill("36h")
    await ada.get_by_role("button", name="Change: Time to expire").click()
    await confirmed(ada, "/settings")
    await ada.get_by_label("Reminder", exact=True).fill("15m")
    await ada.get_by_role("button", name="Change: Reminder").click()
    await confirmed(ada, "/settings")
    await ada.get_by_label("Channel slack", exact=True).select_option("link_only")
    await ada.get_by_role("button", name="Change: channel slack").click()
    await expect(ada.get_by_role("alert")).to_contain_text("slack is not set up")
    await confirmed(ada, "/settings")
    await ada.get_by_label("Add to fallback approvers").fill("heidi")
    await ada.get_by_role("button", name="Add", exact=True).click()
    await confirmed(ada, "/settings")
    expected = (
        TEXT.replace("approval_status_change_to_expire: 600", "approval_status_change_to_expire: 36h")
        .replace("'email': \"decide\"}", "'email': \"decide\", slack: link_only}")
        .replace("fallback_approvers: [ada]", "fallback_approvers: [ada, heidi]")
    )
    assert text_of(site) == expected + "auto_approve_when_requester_is_approver: true\nreminder_minutes: 15m\n"
    await ada.get_by_role("button", name="Turn on: Sign in again").click()
    await confirmed(ada, "/settings")
    assert text_of(site).endswith("confirm: sign_in_again\n")
    await ada.goto(f"/policy?requester=alice&device={DB}")
    await expect(ada.locator(".card")).to_contain_text("Whoever approves has to sign in again first.")
    await ada.goto("/settings")
    await ada.get_by_role("button", name="Turn off: Sign in again").click()
    await confirmed(ada, "/settings")
    assert text_of(site).endswith("confirm: null\n")
    await ada.get_by_label("Reminder", exact=True).fill("")
    await ada.get_by_role("button", name="Change: Reminder").click()
    await confirmed(ada, "/settings")
    assert site.store.policies.current()[1].reminder_minutes is None
    await ada.get_by_label("Time to expire", exact=True).fill("soon")
    await ada.get_by_role("button", name="Change: Time to expire").click()
    await expect(ada.get_by_role("alert")).to_contain_text("must be a duration such as 90s, 15m, 36h or 2d")


async def test_what_only_the_text_can_change_is_said_so(site: Site) -> None:
    shared = TEXT.replace("members: [heidi], managers: [heidi]", "members: &h [heidi], managers: *h")
    apply_policy(site.store, shared, "ada")
    ada = await site.signed_in("ada", "/groups/user_groups/finance", **WITHOUT_SCRIPTS)
    await ada.get_by_label("Add to managers").fill("grace")
    await ada.get_by_role("button", name="Add", exact=True).first.click()
    await expect(ada.get_by_role("alert")).to_contain_text("edit the text on the Policy page")
    assert text_of(site) == shared


async def test_two_admins_at_once_lose_nothing(site: Site, policy: int) -> None:
    ada = await site.signed_in("ada", "/settings", **WITHOUT_SCRIPTS)
    await ada.get_by_role("button", name="Turn on: A rejection needs a reason").click()
    theirs = apply_policy(site.store, TEXT + "# theirs\n", "heidi")
    await ada.get_by_role("button", name="Apply as version").click()
    await expect(ada.get_by_role("alert")).to_contain_text(f"Heidi has applied version {theirs} meanwhile")
    assert text_of(site) == TEXT + "# theirs\n"
    # The switch is turned in the text that is in force, whatever the page showed.
    await ada.goto("/settings")
    apply_policy(site.store, TEXT + "# once more\n", "heidi")
    await ada.get_by_role("button", name="Turn on: A rejection needs a reason").click()
    await confirmed(ada, "/settings")
    assert text_of(site) == TEXT + "rejection_needs_reason: true\n# once more\n"


async def test_nobody_is_led_elsewhere_and_others_are_refused(site: Site, policy: int) -> None:
    ada, grace = await site.signed_in("ada"), await site.signed_in("grace")
    headers = {"Sec-Fetch-Site": "same-origin"}
    data: dict[str, str | float | bool] = {
        "replaces": str(policy),
        "text": TEXT + "# led\n",
        "back": "https://evil.example/",
    }
    refused = await grace.request.post("/policy/change", form={"action": "set", "path": "users"}, headers=headers)
    assert refused.status == 403
    reply = await ada.request.post("/policy/apply", form=data, headers=headers, max_redirects=0)
    assert (reply.status, reply.headers["location"]) == (303, "/policy")
    for path in ("/groups", "/groups/user_groups/engineers", "/settings"):
        await grace.goto(path)
        await expect(grace.get_by_role("alert")).to_have_text("Only an admin may do this.")
    await ada.goto("/groups/user_groups/no-such-group")
    await expect(ada.get_by_role("alert")).to_have_text("There is no group no-such-group.")


async def test_groups_are_found_by_a_part_of_their_name(site: Site) -> None:
    ada = await site.signed_in("ada", "/groups", **WITHOUT_SCRIPTS)
    await ada.get_by_label("Name").fill("FIN")
    await ada.get_by_role("button", name="Find").click()
    assert await ada.locator(".line").count() == 1
    await ada.get_by_role("link", name="Device groups").click()
    assert await ada.locator(".line").count() == len(site.store.policies.current()[1].device_groups)


async def test_a_group_of_thousands_shows_some_and_finds_the_others(site: Site) -> None:
    people = "".join(f"  many-{n}: {{name: Person {n}, email: many-{n}@example.test}}\n" for n in range(3000))
    members = ", ".join(f"many-{n}" for n in range(3000))
    with_people = POLICY.replace("user_groups:\n", f"{people}user_groups:\n  all-of-them: {{members: [{members}]}}\n")
    apply_policy(site.store, with_people, "ada")
    ada = await site.signed_in("ada", "/groups/user_groups/all-of-them", **WITHOUT_SCRIPTS)
    entries = ada.get_by_role("button", name="from members")
    await expect(entries).to_have_count(100)
    await expect(ada.locator("main")).to_contain_text("and 2900 more")
    await ada.get_by_label("Name").fill("person 2999")
    await ada.get_by_role("button", name="Find").click()
    await expect(entries).to_have_count(1)
    await entries.click()
    await expect(ada.locator("main")).to_contain_text("members without many-2999")
    await confirmed(ada, "/groups/user_groups/all-of-them")
    await expect(ada.locator("main")).to_contain_text("and 2899 more")
