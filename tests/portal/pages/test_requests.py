"""Asking, deciding and undoing on pages, with real browsers."""

import re

import pytest
from playwright.async_api import Page, expect

from countersign.models import Status
from tests.portal.context import DB
from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

GOOD = "Rotate the keys <b>now</b>"


async def asked(page: Page, device: str, reason: str = GOOD) -> int:
    """Ask on the page, and return the number of the request that it leads to."""
    await page.goto("/requests/new")
    await page.get_by_label("Device").fill(device)
    await page.get_by_label("Reason").fill(reason)
    await page.get_by_role("button", name="Ask", exact=True).click()
    await page.wait_for_url(re.compile(r"/requests/\d+$"))
    return int(page.url.rpartition("/")[2])


async def heading_is(page: Page, text: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(text)


async def test_a_request_is_asked_approved_shown_and_revoked_on_pages(site: Site) -> None:
    alice, grace = await site.signed_in("alice"), await site.signed_in("grace")
    number = await asked(alice, next(site.portal.devices))
    await heading_is(alice, f"Request #{number}")
    assert GOOD in await alice.inner_text("main")

    await grace.goto("/approvals")
    card = grace.locator(f"#r{number}")
    await card.get_by_label("Comment").fill("Until the audit.")
    await card.get_by_role("button", name="Approve").click()
    await heading_is(grace, f"Request #{number}")
    await expect(grace.locator("main")).to_contain_text("Until the audit.")
    view = site.store.reading.request(number)
    assert view.status is Status.APPROVED
    assert (view.decisions[0].channel, view.decisions[0].comment) == ("portal", "Until the audit.")

    await grace.get_by_label("Ends the access at once").fill("Enough.")
    await grace.get_by_role("button", name="Revoke access").click()
    await heading_is(grace, f"Request #{number}")
    await alice.reload()
    await expect(alice.locator("main")).to_contain_text("Enough.")


async def test_a_requester_cancels_and_gives_back(site: Site) -> None:
    alice, grace = await site.signed_in("alice"), await site.signed_in("grace")
    number = await asked(alice, next(site.portal.devices))
    await alice.get_by_role("button", name="Cancel the request").click()
    await expect(alice.locator(".status").first).to_have_text("Cancelled")
    assert site.store.reading.request(number).status is Status.CANCELLED

    number = await asked(alice, next(site.portal.devices))
    await grace.goto(f"/requests/{number}")
    await grace.get_by_role("button", name="Approve").click()
    await expect(grace.locator(".status").first).to_have_text("Approved")
    await alice.reload()
    await alice.get_by_role("button", name="Give it back").click()
    await expect(alice.locator(".status").first).to_have_text("Ended")


async def test_a_question_and_its_answer_are_passed_on_and_decide_nothing(site: Site) -> None:
    alice, grace = await site.signed_in("alice"), await site.signed_in("grace")
    number = await asked(alice, next(site.portal.devices))
    await grace.goto(f"/requests/{number}")
    await grace.get_by_label("A question for Alice").fill("For how long?")
    await grace.get_by_role("button", name="Ask", exact=True).click()
    await expect(alice.get_by_role("region", name="What happened")).to_contain_text("For how long?")
    await alice.get_by_label("A comment for those who are asked").fill("An hour.")
    await alice.get_by_role("button", name="Send").click()
    await expect(grace.get_by_role("region", name="What happened")).to_contain_text("An hour.")
    assert site.store.reading.request(number).status is Status.WAITING


async def test_who_may_not_see_a_request_is_told_nothing_of_it(site: Site) -> None:
    alice, carol = await site.signed_in("alice"), await site.signed_in("carol")
    number = await asked(alice, DB)
    found = await carol.goto(f"/requests/{number}")
    assert found is not None
    assert found.status == 404
    assert DB not in await carol.inner_text("body")
    assert await alice.get_by_role("button", name="Approve").count() == 0
