"""The page on which one asks: devices are found, and it is said who would have to agree before anything is asked."""

import re

import pytest
from playwright.async_api import expect

from tests.portal.context import DB, LAB, MARK
from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_without_scripts_a_device_is_found_and_its_approvers_are_named(site: Site) -> None:
    alice = await site.signed_in("alice", "/requests/new", java_script_enabled=False)
    await alice.get_by_label("Reason").fill("a look & a <b>fix</b>")
    await alice.get_by_label("Device").fill("DB-")
    await alice.get_by_role("button", name="Who must agree?").click()
    await expect(alice.locator("#who")).to_contain_text("db- is in no device group")
    await alice.get_by_role("link", name=DB, exact=True).click()
    await expect(alice.locator("#who")).to_contain_text("Heidi or Grace must agree: managerial approval is required by")
    assert await alice.get_by_label("Reason").input_value() == "a look & a <b>fix</b>"
    await alice.get_by_role("button", name="Ask", exact=True).click()
    await alice.wait_for_url(re.compile(r"/requests/\d+$"))
    await expect(alice.locator("main")).to_contain_text("a look & a <b>fix</b>")


async def test_with_scripts_devices_are_offered_and_the_approvers_follow_the_choice(site: Site) -> None:
    alice = await site.signed_in("alice", "/requests/new")
    await alice.get_by_label("Device").type(f"lab-{MARK[:3]}")
    await expect(alice.locator("#devices option")).to_have_count(1)
    assert await alice.locator("#devices option").get_attribute("value") == LAB
    await alice.get_by_label("Device").fill(DB)
    await alice.get_by_label("Protocol").select_option("sftp")
    await expect(alice.locator("#who")).to_contain_text("must agree: managerial approval")
    assert "?" not in alice.url


async def test_what_is_wrong_in_the_fields_is_said_on_the_page(site: Site) -> None:
    alice = await site.signed_in("alice", f"/requests/new?device={LAB}&minutes=x")
    await expect(alice.locator("#who")).to_contain_text("minutes")
    await alice.goto("/requests/new?device=not%20an%20id&protocol=telnet")
    await expect(alice.locator("#who")).to_contain_text("protocol")
    await alice.goto("/requests/new?device=no-such-device-at-all")
    await expect(alice.locator("#who")).to_contain_text("is in no device group")
