"""The page to ask on: it finds devices, and says who would have to agree before anything is asked."""

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


async def test_what_is_asked_on_the_page_is_good_for_a_gate_that_sees_the_same_address(site: Site) -> None:
    device = next(site.portal.devices)
    alice = await site.signed_in("alice", f"/requests/new?device={device}", java_script_enabled=False)
    assert await alice.get_by_label("Source address").input_value() == "127.0.0.1"
    await alice.get_by_role("button", name="Ask", exact=True).click()
    await alice.wait_for_url(re.compile(r"/requests/\d+$"))
    number = int(alice.url.rpartition("/")[2])
    await site.portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
    connected = {"device": device, "protocol": "ssh", "source_address": "127.0.0.1"}
    reply = await site.portal.post("alice", "/requests", connected)
    assert (reply.status_code, reply.json()["approval_id"], reply.json()["status"]) == (200, number, "Approved")


async def test_more_time_is_asked_for_the_address_of_the_grant_and_another_may_be_named(site: Site) -> None:
    device = next(site.portal.devices)
    body = {"device": device, "protocol": "ssh", "source_address": "192.0.2.7"}
    number = (await site.portal.post("alice", "/requests", body)).json()["approval_id"]
    await site.portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
    alice = await site.signed_in("alice", f"/requests/{number}", java_script_enabled=False)
    await alice.get_by_role("link", name="Ask for more time").click()
    address = alice.get_by_label("Source address")
    assert await address.input_value() == "192.0.2.7"
    await address.fill("192.0.2.8")
    await alice.get_by_role("button", name="Ask", exact=True).click()
    await alice.wait_for_url(re.compile(r"/requests/\d+$"))
    asked = (await site.portal.get("alice", f"/requests/{alice.url.rpartition('/')[2]}")).json()
    assert asked["question"]["source_address"] == "192.0.2.8"


async def test_an_emptied_address_asks_for_none_as_a_console_has(site: Site) -> None:
    alice = await site.signed_in(
        "alice", f"/requests/new?device={next(site.portal.devices)}", java_script_enabled=False
    )
    await alice.get_by_label("Source address").fill("")
    await alice.get_by_role("button", name="Who must agree?").click()
    assert await alice.get_by_label("Source address").input_value() == ""
    await alice.get_by_role("button", name="Ask", exact=True).click()
    await alice.wait_for_url(re.compile(r"/requests/\d+$"))
    asked = (await site.portal.get("alice", f"/requests/{alice.url.rpartition('/')[2]}")).json()
    assert asked["question"]["source_address"] == ""


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
