"""Signing in by a mailed link, with a real browser."""

import pytest
from playwright.async_api import expect

from tests.http_clients import plain_client
from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_link_signs_in_once_and_leads_back_to_the_page_that_was_wanted(site: Site) -> None:
    page = await site.signed_in_by_link("grace", "/requests?before=5000")
    assert page.url == f"{site.url}/requests?before=5000"
    await expect(page.get_by_role("heading", level=1)).to_have_text("My requests")

    link = await site.link_for("grace")
    await page.goto(link)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("doesn't sign you in")


async def test_another_browser_can_not_use_the_link(site: Site) -> None:
    asked, other = await site.page(), await site.page()
    before = await site.links_of("alice")
    await asked.goto("/sign-in")
    await asked.get_by_label("Mail address").fill("ALICE@example.test")
    await asked.get_by_role("button", name="Send me a link").click()
    link = await site.link_for("alice", before + 1)
    await other.goto(link)
    await other.get_by_role("button", name="Sign in").click()
    await expect(other.get_by_role("alert")).to_contain_text("only in the browser where you asked")
    await other.goto("/approvals")
    await expect(other.get_by_role("heading", level=1)).to_have_text("Sign in")
    # It is still good in the browser where it was asked for.
    await asked.goto(link)
    await asked.get_by_role("button", name="Sign in").click()
    await expect(asked.get_by_role("heading", level=1)).to_have_text("Approvals")


async def test_signing_out_ends_the_session_and_its_cookie_is_good_for_nothing(site: Site) -> None:
    page = await site.signed_in_by_link("grace")
    cookies = {one["name"]: one["value"] for one in await page.context.cookies()}
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    async with plain_client(base_url=site.url, cookies=cookies) as client:
        assert (await client.get("/approvals")).headers["Location"].startswith("/sign-in")
