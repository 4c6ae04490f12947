"""Each rule of approval (docs/rules.md) once through a real browser."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.portal.pages.conftest import Site, installed
from tests.portal.pages.test_requests import asked

pytestmark = pytest.mark.asyncio(loop_scope="session")

POLICY = """
users:
  ada: {name: Ada Admin, email: ada@example.test, roles: [admin]}
  grace: {name: Grace Hopper, email: grace@example.test}
  heidi: {name: Heidi Huber, email: heidi@example.test}
  ivan: {name: Ivan Ivanov, email: ivan@example.test}
  alice: {name: Alice Ainsworth, email: alice@example.test}
  bob: {name: Bob Baker, email: bob@example.test}
  carol: {name: Carol Clark, email: carol@example.test}
user_groups:
  engineers: {members: [alice, bob, grace], managers: [grace], require_managerial_approval: true}
  finance: {members: [carol], managers: [heidi]}
device_groups:
  databases: {devices: [db-1], managers: [heidi, ivan], require_managerial_approval: true}
  web: {devices: [web-1, web-2, web-3, web-4, web-5]}
  vaults: {devices: [vault-1]}
  lab: {devices: [lab-1]}
  quick: {devices: [quick-1], approval_status_change_to_expire: 5s}
  brief: {devices: [brief-1], grant_minutes: 4s}
approval_workflows:
  - name: Engineers to databases
    user_group: engineers
    device_group: databases
    levels:
      - approvers: [{managers_of: engineers}]
      - approvers: [{managers_of: databases}, {user: ada}]
        quorum: 2
  - name: Engineers to vaults
    user_group: engineers
    device_group: vaults
    levels:
      - approvers: [{user: bob}]
fallback_approvers: [ada]
auto_approve_when_requester_is_approver: true
approval_status_change_to_expire: 60
grant_minutes: 120
"""
SETTLED = 60_000  # milliseconds: this machine may be busy


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def here(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with installed(temporal_address, tmp_path_factory.mktemp("rules"), POLICY) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def site(here: Site, browser: Browser) -> AsyncIterator[Site]:
    here.browser = browser
    yield here
    for context in here.open:
        await context.close()
    here.open.clear()


async def answers(site: Site, person: str, number: int, button: str = "Approve", comment: str = "") -> Page:
    page = await site.signed_in(person, f"/requests/{number}")
    await page.get_by_label("Comment").fill(comment)
    async with page.expect_navigation():
        await page.get_by_role("button", name=button, exact=True).click()
    return page


async def is_shown(page: Page, status: str) -> None:
    await expect(page.locator("article .status").first).to_have_text(status, timeout=SETTLED)


async def test_1_who_must_agree_is_the_workflow_or_the_managers_or_nobody(site: Site) -> None:
    alice, carol = await site.signed_in("alice"), await site.signed_in("carol")
    await alice.goto("/requests/new?device=db-1&protocol=ssh")
    await expect(alice.locator("#who")).to_contain_text("Grace Hopper must agree, then 2 of Heidi Huber, Ivan Ivanov")
    await alice.goto("/requests/new?device=web-1&protocol=ssh")
    await expect(alice.locator("#who")).to_contain_text("Grace Hopper must agree")
    await asked(carol, "lab-1")
    await is_shown(carol, "Approved")
    await expect(carol.locator("main")).to_contain_text("Nobody had to agree.")


async def test_2_levels_are_passed_one_after_another_and_one_rejection_ends_it(site: Site) -> None:
    bob = await site.signed_in("bob")
    number = await asked(bob, "db-1")
    heidi = await site.signed_in("heidi", f"/requests/{number}")
    assert await heidi.get_by_role("button", name="Approve").count() == 0  # it is not her level yet
    await answers(site, "grace", number)
    await answers(site, "heidi", number)
    await bob.reload()
    await is_shown(bob, "Waiting")
    await expect(bob.locator("main")).to_contain_text("Level 2 of 2: 2 must agree")
    grace = await answers(site, "grace", number, "Reject after all", "I was mistaken.")
    await is_shown(grace, "Rejected")
    await is_shown(bob, "Rejected")


async def test_3_a_requester_counts_only_as_a_manager_of_the_level(site: Site) -> None:
    alice, grace = await site.signed_in("alice"), await site.signed_in("grace")
    await asked(grace, "web-1")
    await is_shown(grace, "Approved")
    await expect(grace.locator("main")).to_contain_text("own approval")
    await asked(alice, "web-1")
    assert await alice.get_by_role("button", name="Approve").count() == 0


async def test_4_where_nobody_else_is_left_the_fallback_approvers_are_asked(site: Site) -> None:
    bob = await site.signed_in("bob")
    number = await asked(bob, "vault-1")
    await expect(bob.locator("main")).to_contain_text("Ada Admin fallback")
    await answers(site, "ada", number)
    await bob.reload()
    await is_shown(bob, "Approved")


async def test_5_an_unanswered_request_expires_and_a_late_yes_changes_nothing(site: Site) -> None:
    alice = await site.signed_in("alice")
    number = await asked(alice, "quick-1")
    grace = await site.signed_in("grace", f"/requests/{number}", java_script_enabled=False)
    await is_shown(alice, "Expired")
    await grace.get_by_role("button", name="Approve").click()
    await expect(grace.locator("main")).to_contain_text("Expired")
    await alice.reload()
    await is_shown(alice, "Expired")


async def test_7_an_admin_revokes_what_others_approved(site: Site) -> None:
    alice = await site.signed_in("alice")
    number = await asked(alice, "web-2")
    await answers(site, "grace", number)
    ada = await site.signed_in("ada", f"/requests/{number}")
    await ada.get_by_role("button", name="Revoke access").click()
    await is_shown(ada, "Revoked")
    await is_shown(alice, "Revoked")


async def test_8_a_grant_begins_with_the_approval_and_ends_by_itself(site: Site) -> None:
    alice = await site.signed_in("alice")
    number = await asked(alice, "brief-1")
    await answers(site, "grace", number)
    await is_shown(alice, "Ended")


async def test_9_everybody_who_was_asked_sees_who_decided(site: Site) -> None:
    alice = await site.signed_in("alice")
    number = await asked(alice, "db-1")
    await answers(site, "grace", number)
    ada = await site.signed_in("ada", "/approvals")
    await expect(ada.locator(f"article#r{number}")).to_be_visible()
    await answers(site, "heidi", number)
    await answers(site, "ivan", number)
    await expect(ada.locator(f"li#r{number}")).to_contain_text("Approved by", timeout=SETTLED)
    await expect(ada.locator(f"li#r{number}")).to_contain_text("Ivan Ivanov")


async def test_10_who_asks_again_gets_the_same_request_and_then_yes_at_once(site: Site) -> None:
    alice = await site.signed_in("alice")
    number = await asked(alice, "web-3")
    assert await asked(alice, "web-3") == number
    await is_shown(alice, "Waiting")
    await answers(site, "grace", number)
    assert await asked(alice, "web-3") == number
    await is_shown(alice, "Approved")


async def test_11_the_record_says_who_did_what_when_and_how(site: Site) -> None:
    alice = await site.signed_in("alice")
    number = await asked(alice, "web-4")
    grace = await answers(site, "grace", number, comment="Until the audit.")
    await is_shown(grace, "Approved")
    rows = await grace.get_by_role("region", name="What happened").get_by_role("listitem").all_inner_texts()
    said = " | ".join(rows)
    order = ["Alice Ainsworth asked", "started a level", "Grace Hopper answered", "Grace Hopper approved", "got access"]
    places = [said.find(one) for one in order]
    assert places == sorted(places), said
    assert -1 not in places, said
    assert all(re.search(r"\d{4}", row) for row in rows), rows
    assert "Until the audit." in said


async def test_6_who_is_disabled_decides_no_more_and_others_are_asked(site: Site) -> None:
    alice, grace = await site.signed_in("alice"), await site.signed_in("grace")
    number = await asked(alice, "web-5")
    ada = await site.signed_in("ada", "/policy/edit")
    text = ada.get_by_role("textbox")
    disabled = (await text.input_value()).replace("grace@example.test}", "grace@example.test, disabled: true}")
    await text.fill(disabled)
    await ada.get_by_role("button", name="Look at the plan").click()
    await expect(ada.locator("main")).to_contain_text("grace")
    await ada.get_by_role("button", name=re.compile("^Apply")).click()
    await grace.goto(f"/requests/{number}")
    await expect(grace.get_by_role("heading", level=1)).to_have_text("Sign in")
    await expect(alice.locator("main")).to_contain_text("Ada Admin", timeout=SETTLED)
    await answers(site, "ada", number)
    await is_shown(alice, "Approved")
