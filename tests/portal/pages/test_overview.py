"""How approving goes, and whether all is well, for admins."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from engine.credentials.tokens import TokenActions
from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_admin_sees_how_approving_goes_as_charts_that_are_tables(site: Site) -> None:
    await site.portal.approved()
    ada = await site.signed_in("ada", "/overview")
    await ada.get_by_role("link", name="90 days").click()
    await expect(ada.get_by_role("link", name="90 days")).to_have_attribute("aria-current", "page")
    by_group = ada.get_by_role("table").filter(has_text="User group")
    await expect(by_group.get_by_role("row").filter(has_text="engineers")).to_contain_text("second")
    assert await by_group.locator("svg.bar rect").count() >= 2
    await expect(ada.get_by_role("row").filter(has_text="Grace").first).to_be_visible()


async def test_an_admin_reads_what_doctor_finds(site: Site) -> None:
    ada = await site.signed_in("ada", "/health")
    await expect(ada.locator("main")).to_contain_text("Temporal, worker")
    await expect(ada.locator("main")).to_contain_text("can be reached")


@pytest.mark.parametrize("path", ["/overview", "/health"])
async def test_others_are_told_that_it_is_for_admins(site: Site, path: str) -> None:
    grace = await site.signed_in("grace", path)
    await expect(grace.locator("main")).to_contain_text("Only an admin may do this.")


async def test_the_overview_over_http(site: Site) -> None:
    ada = site.portal
    if "ada" not in ada.tokens:
        from store.tokens import Owner

        ada.tokens["ada"] = TokenActions(site.store).create(Owner(kind="person", name="ada"), "tests")
    assert (await ada.get("ada", "/overview", days=7)).json()["days"] == 7
    assert (await ada.get("ada", "/overview", days=8)).status_code == 422
    assert (await ada.get("alice", "/overview")).status_code == 403
