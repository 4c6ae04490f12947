"""Roles in the browser: who has them, the switch, and what it leaves as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import expect

from engine.policy import apply_policy
from tests.http_clients import plain_client
from tests.portal.context import POLICY
from tests.portal.pages.conftest import Site
from tests.portal.pages.registering import registered
from tests.portal.pages.test_groups import confirmed
from tests.portal.pages.test_looks import WIDTH_OF_A_PHONE, looks_well

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEXT = POLICY + "roles:\n  vendor: {people: [grace], user_groups: [engineers]} # who comes and goes\n"
PHONE: dict[str, Any] = {
    "java_script_enabled": False,
    "viewport": {"width": WIDTH_OF_A_PHONE, "height": 740},
}


@pytest.fixture(autouse=True)
def policy(installation: Site) -> Iterator[None]:
    apply_policy(installation.store, TEXT, "ada")
    yield
    apply_policy(installation.store, POLICY, "ada")


async def test_turning_the_switch_on_leaves_and_lists_the_devices_that_are_known(site: Site) -> None:
    known = (await registered(site, "grace", hostname="known-before"))["id"]
    ada = await site.signed_in("ada", "/roles", **PHONE)
    await expect(ada.locator(".line", has_text="vendor")).to_contain_text("4 people, including the members of eng")
    await ada.get_by_role("link", name="vendor").click()
    await looks_well_without_scripts(site, "/roles/vendor")
    await ada.get_by_role("button", name="Turn on: Require device approval").click()
    await expect(ada.locator("main")).to_contain_text("require device approval false -> true")
    await confirmed(ada, "/roles/vendor")
    text = TEXT.replace("[engineers]}", "[engineers], require_device_approval: true}")
    assert site.store.policies.text()[1] == text
    await expect(ada.locator(f"#{known}")).to_contain_text("known-before of Grace")
    await expect(ada.locator(f"#{known} .status")).to_have_text("Approved")
    new = await registered(site, "grace")
    assert new["status"] == "pending"
    await ada.goto("/roles/vendor")
    await expect(ada.locator(f"#{new['id']}")).to_have_count(0)
    await ada.get_by_role("button", name="Turn off: Require device approval").click()
    await confirmed(ada, "/roles/vendor")
    assert site.store.registered_devices.one(new["id"]).status == "Pending approval"


async def looks_well_without_scripts(site: Site, path: str) -> None:
    """Axe needs scripts, so open the page once more, with them."""
    page = await site.signed_in("ada", path, viewport=PHONE["viewport"])
    await looks_well(page, path)


async def test_people_and_groups_come_and_go(site: Site) -> None:
    ada = await site.signed_in("ada", "/roles/vendor", **PHONE)
    await ada.get_by_label("Add to people").fill("heidi")
    await ada.get_by_role("button", name="Add", exact=True).first.click()
    await confirmed(ada, "/roles/vendor")
    await ada.get_by_role("button", name="Remove engineers from user groups").click()
    await confirmed(ada, "/roles/vendor")
    assert site.store.policies.current()[1].people_in("vendor") == ["grace", "heidi"]


async def test_of_admins_no_approval_can_be_required(site: Site) -> None:
    ada = await site.signed_in("ada", "/roles/admin", **PHONE)
    await expect(ada.locator("main")).to_contain_text("it can't be required of this role")
    await expect(ada.get_by_role("button", name="Turn on: Require device approval")).to_have_count(0)
    await expect(ada.get_by_role("link", name="Ada", exact=True)).to_be_visible()
    apply_policy(site.store, TEXT + "  admin: {people: [ada]}\n", "ada")
    cookies = {one["name"]: one["value"] for one in await ada.context.cookies()}
    sent = {"action": "set", "path": ["roles", "admin", "require_device_approval"], "value": "true"}
    async with plain_client(base_url=site.url, cookies=cookies, headers={"Sec-Fetch-Site": "same-origin"}) as client:
        refused = await client.post("/policy/change", data=sent)
    assert refused.status_code == 422
    assert "admins approve devices, so their own need no approval" in refused.text
