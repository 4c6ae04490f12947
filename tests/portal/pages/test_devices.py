"""Registered devices in the browser: approved as they stream in, found, acted on, and removed by their people."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from countersign.registration import DeviceStatus
from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from sandbox.device_keys import new_key
from store.registered_devices import WantedDevices
from store.tokens import Owner
from tests.http_clients import plain_client
from tests.portal.context import MARK, POLICY
from tests.portal.pages.conftest import Site
from tests.portal.pages.registering import registered

pytestmark = pytest.mark.asyncio(loop_scope="session")

RULES = """
roles:
  contractor: {people: [alice], require_device_approval: true}
registered_devices: {network: 10.64.0.0/16, ask_about_changes: [disk_encrypted]}
"""
WITHOUT_SCRIPTS: dict[str, Any] = {"java_script_enabled": False}


@pytest.fixture(autouse=True)
def policy(installation: Site) -> Iterator[None]:
    """A policy under which alice's devices have to be approved; afterwards it is the plain policy again."""
    apply_policy(installation.store, POLICY + RULES, "ada")
    yield
    apply_policy(installation.store, POLICY, "ada")


def status(site: Site, device: str) -> DeviceStatus:
    return site.store.registered_devices.one(device).status


async def press(page: Page, button: str, reason: str = "") -> None:
    """Do something to the device whose page is shown, and confirm it."""
    await page.get_by_role("link", name=f"{button} …").click()
    await page.get_by_label("Reason").fill(reason)
    await page.get_by_role("button", name=button, exact=True).click()


async def clear(site: Site, person: str) -> None:
    """Archive somebody's devices, so that no test finds those of another test."""
    for one in site.store.registered_devices.page(WantedDevices(person=person)):
        await site.portal.post("ada", f"/devices/{one.id}/archive", {"reason": "test"})


@pytest.fixture(autouse=True)
def tokens(installation: Site) -> None:
    """The API tokens of an admin, and of somebody whose devices no other test counts."""
    for person in {"ada", "bob"} - installation.portal.tokens.keys():
        owner = Owner(kind="person", name=person)
        installation.portal.tokens[person] = TokenActions(installation.store).create(owner, "tests")


async def test_a_new_device_streams_in_is_approved_there_and_asked_about_again_as_it_changes(site: Site) -> None:
    ada = await site.signed_in("ada", "/approvals")
    alice = await site.signed_in("alice", "/devices")
    await expect(alice.locator("main")).to_contain_text("You have not registered a device yet")
    key = new_key()
    first = await registered(site, "alice", key)
    card = ada.locator(f"article#r{first['approval_id']}")
    await expect(card.get_by_role("heading")).to_have_text("Alice asks to connect with the new device carbon")
    await expect(card.locator(".details")).to_contain_text("Disk encryptedyes")
    await expect(alice.locator(f"#{first['id']} .status")).to_have_text("Pending approval")
    await card.get_by_role("button", name="Approve").click()
    await expect(ada.locator(".status").first).to_have_text("Approved")
    await expect(alice.locator(f"#{first['id']} .status")).to_have_text("Approved")
    again = await registered(site, "alice", key, posture={"disk_encrypted": False})
    await ada.goto(f"/requests/{again['approval_id']}")
    await expect(ada.get_by_role("heading", level=2).first).to_have_text(
        "Alice asks to connect with the device carbon, which has changed"
    )
    await expect(ada.locator(".details div").first).to_have_text("Disk encryptedno was: yes")
    await ada.get_by_role("button", name="Reject").click()
    await expect(ada.locator(".status").first).to_have_text("Rejected")
    assert status(site, first["id"]) is DeviceStatus.DENIED
    await ada.goto(f"/devices/{first['id']}")
    main = ada.locator("main")
    await expect(main.locator(".record")).to_contain_text("Disk encrypted: no (was: yes)")
    await expect(main.locator(".wide")).to_contain_text(f"Approved byAda, #{first['approval_id']}")
    assert await main.locator(".lines .line").count() == 2
    await clear(site, "alice")


async def test_an_admin_blocks_revokes_and_archives_each_confirmed_with_a_reason_and_undone(site: Site) -> None:
    device = (await registered(site, "grace"))["id"]
    ada = await site.signed_in("ada", "/team/devices", **WITHOUT_SCRIPTS)
    await ada.locator(f"#{device}").get_by_role("link", name="carbon").click()
    await expect(ada.locator("main")).to_contain_text("nobody: no approval was required")
    steps = [
        ("Block", "Blocked", DeviceStatus.BLOCKED),
        ("Unblock", "Unblocked", DeviceStatus.PENDING),
        ("Revoke", "Revoked", DeviceStatus.REVOKED),
        ("Take the revocation back", "Given back", DeviceStatus.PENDING),
        ("Archive", "Archived", DeviceStatus.ARCHIVED),
        ("Restore", "Restored", DeviceStatus.PENDING),
    ]
    for button, done, after in steps:
        await ada.get_by_role("link", name=f"{button} …").click()
        await ada.get_by_role("link", name="Leave it as it is").click()
        assert status(site, device) is not after
        await press(ada, button, "a test")
        await expect(ada.locator(".status").first).to_have_text(after)
        await expect(ada.locator(".card p").first).to_contain_text(f"{done} by Ada: a test")
        assert status(site, device) is after
    await clear(site, "grace")


async def test_what_others_do_to_a_device_is_shown_to_an_admin_at_once(site: Site) -> None:
    device = (await registered(site, "grace"))["id"]
    ada, list_of_ada = [await site.signed_in("ada", path) for path in (f"/devices/{device}", "/team/devices")]
    await expect(ada.locator("#away")).to_be_hidden()
    await site.portal.post("ada", f"/devices/{device}/block", {"reason": "stolen"})
    await expect(ada.locator(".status").first).to_have_text("Blocked")
    await expect(list_of_ada.locator(f"#{device} .status")).to_have_text("Blocked")
    await clear(site, "grace")


async def test_however_many_devices_change_a_page_is_read_once_at_a_time(site: Site) -> None:
    ada = await site.signed_in("ada", "/team/devices")
    await expect(ada.locator("#away")).to_be_hidden()
    reads, released = [], asyncio.Event()

    async def hold(route: Route) -> None:
        reads.append(route.request.url)
        await released.wait()
        await route.continue_()

    await ada.route("**/team/devices", hold)
    made = [(await registered(site, "grace"))["id"] for _ in range(5)]
    last = site.store.events.last_version()
    await ada.wait_for_function("last => Number(document.body.dataset.version) >= last", arg=last)
    released.set()
    for device in made:
        await expect(ada.locator(f"#{device}")).to_be_visible()
    assert len(reads) == 2
    await clear(site, "grace")


async def test_devices_are_found_and_all_of_a_person_revoked_and_given_back(site: Site) -> None:
    one, two = [await registered(site, "bob", serial=f"SN-{n}-{MARK}") for n in (1, 2)]
    ada = await site.signed_in("ada", "/team/devices", **WITHOUT_SCRIPTS)
    await ada.get_by_label("Serial number").fill(f"SN-1-{MARK}")
    await ada.get_by_role("button", name="Show").click()
    await expect(ada.locator(".line")).to_have_count(1)
    await ada.goto("/team/devices?query=no-such-device")
    await expect(ada.locator("main")).to_contain_text("There is no such device.")
    await ada.goto("/team/devices?person=Bob&status=Approved")
    await expect(ada.locator(".line")).to_have_count(2)
    await ada.get_by_role("link", name="Revoke all …").click()
    await expect(ada.get_by_role("heading", level=1)).to_have_text("Revoke: all devices of Bob")
    await ada.get_by_label("Reason").fill("he left")
    await ada.get_by_role("button", name="Revoke").click()
    await expect(ada.locator(".line", has_text="Revoked by Ada: he left")).to_have_count(2)
    await ada.get_by_role("link", name="Take that back …").click()
    await ada.get_by_role("button", name="Take the revocation back").click()
    assert {status(site, each["id"]) for each in (one, two)} == {DeviceStatus.APPROVED}
    await clear(site, "bob")


async def test_people_remove_their_own_device_unless_the_policy_forbids_it_in_words(site: Site) -> None:
    device = (await registered(site, "grace"))["id"]
    grace = await site.signed_in("grace", "/devices", **WITHOUT_SCRIPTS)
    apply_policy(site.store, POLICY + "registered_devices: {allow_devices_to_leave: false}\n", "ada")
    await grace.goto("/devices")
    await expect(grace.locator("main")).to_contain_text("Devices may not leave here; ask an administrator.")
    await grace.get_by_role("link", name="carbon").click()
    await expect(grace.get_by_role("link", name="Remove …")).to_have_count(0)
    await grace.goto(f"/devices/{device}/leave")
    await expect(grace.get_by_role("alert")).to_have_text("Devices may not leave here; ask an administrator.")
    apply_policy(site.store, POLICY, "ada")
    await grace.goto(f"/devices/{device}")
    await press(grace, "Remove")
    await expect(grace.locator(".status").first).to_have_text("Archived")
    assert status(site, device) is DeviceStatus.ARCHIVED


async def test_nobody_sees_or_changes_the_device_of_another(installation: Site) -> None:
    device = (await registered(installation, "grace"))["id"]
    cookies = {"session": installation.session("carol")}
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with plain_client(base_url=installation.url, cookies=cookies, headers=headers) as client:
        for path in (f"/devices/{device}", f"/devices/{device}/leave", "/devices/d00000000000a"):
            assert (await client.get(path)).status_code == 404, path
        for action in ("leave", "block", "archive"):
            assert (await client.post(f"/devices/{device}/{action}")).status_code == 404
        for path in ("/team/devices", "/team/devices/revoke?person=grace", "/roles", "/roles/admin"):
            assert (await client.get(path)).status_code == 403, path
        assert (await client.post("/team/devices/revoke", data={"person": "grace"})).status_code == 403
    assert status(installation, device) is DeviceStatus.APPROVED
    own = {"session": installation.session("grace")}
    async with plain_client(base_url=installation.url, cookies=own, headers=headers) as client:
        assert (await client.get(f"/devices/{device}/block")).status_code == 403
        assert (await client.post(f"/devices/{device}/block")).status_code == 403
    assert status(installation, device) is DeviceStatus.APPROVED
    await clear(installation, "grace")


async def test_what_a_device_says_of_itself_is_shown_as_text(installation: Site) -> None:
    hostile = "<script>alert(1)</script><img src=x>"
    device = (await registered(installation, "grace", hostname=hostile, model=hostile))["id"]
    cookies = {"session": installation.session("ada")}
    async with plain_client(base_url=installation.url, cookies=cookies) as client:
        for path in ("/team/devices", f"/devices/{device}", f"/devices/{device}/block"):
            text = (await client.get(path)).text
            assert "&lt;script&gt;alert(1)" in text
            assert "<img" not in text
    await clear(installation, "grace")
