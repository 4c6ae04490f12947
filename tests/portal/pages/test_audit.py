"""The page on which admins search the record."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from store.audit import WantedEvents
from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_admin_finds_a_row_and_takes_it_away_as_a_file(site: Site) -> None:
    number = await site.portal.approved()
    ada = await site.signed_in("ada", "/approvals")
    await ada.get_by_text("Administration").click()
    await ada.get_by_role("link", name="Audit").click()
    await ada.get_by_label("Person").fill("Grace")
    await ada.get_by_label("Request").fill(f"#{number}")
    await ada.get_by_label("Kind").select_option("answered")
    await ada.get_by_label("From").fill("2020-01-01T00:00")
    await ada.get_by_role("button", name="Show", exact=True).click()
    rows = ada.locator(".record > li")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text(f"Grace answered #{number} by portal: approved")
    async with ada.expect_download() as started:
        await ada.get_by_role("button", name="CSV").click()
    file = await (await started.value).path()
    text = file.read_text()
    assert (text.count("\n"), f",{number},answered,grace,Grace," in text) == (2, True)
    [row], _ = site.store.audit.page(WantedEvents(kind="audit_exported", limit=1))
    assert (row.who, "session" in row.proof) == ("ada", True)


async def test_others_are_told_that_it_is_for_admins(site: Site) -> None:
    grace = await site.signed_in("grace", "/audit")
    await expect(grace.locator("main")).to_contain_text("Only an admin may do this.")
    assert await grace.get_by_role("link", name="Audit").count() == 0


async def test_pages_lead_on(site: Site) -> None:
    for _ in range(8):
        await site.portal.approved()
    ada = await site.signed_in("ada", "/audit?person=&kind=")
    last = await ada.locator(".record > li").last.inner_text()
    await ada.get_by_role("link", name="Older ones").click()
    await ada.wait_for_url(re.compile("before="))
    assert last not in await ada.locator(".record").inner_text()
