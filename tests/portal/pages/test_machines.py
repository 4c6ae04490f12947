"""The pages of service tokens and provisioning keys, with a real browser."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def shown_once(page: Page, site: Site) -> list[str]:
    """The secrets on a page that shows them; also checks that the list that follows has none."""
    shown = await page.locator("code.secret").all_inner_texts()
    await page.get_by_role("link", name=re.compile("^To the")).click()
    await page.wait_for_url(re.compile(r"/(service-tokens|provisioning-keys)$"))
    assert shown[-1][-40:] not in await page.content()
    return shown


async def test_a_service_token_is_made_rotated_disabled_and_revoked(site: Site) -> None:
    ada = await site.signed_in("ada", "/service-tokens", java_script_enabled=False)
    await ada.get_by_label("What it is for").fill("<b>CI</b>")
    await ada.get_by_label("How long it lasts").select_option("90 days")
    await ada.get_by_role("button", name="Make a service token").click()
    client_id, secret = await shown_once(ada, site)
    assert (re.fullmatch(r"st[0-9a-f]{12}", client_id), re.fullmatch(r"cs_service_[0-9a-f]{72}", secret)) != (
        None,
        None,
    )
    line = ada.locator(".line", has_text="<b>CI</b>")
    await expect(line).to_contain_text("never used")
    await line.get_by_text("Change <b>CI</b>").click()
    await line.get_by_label("Its current secret still works for").select_option("1 hour")
    await line.get_by_role("button", name="Make a new secret").click()
    assert (await shown_once(ada, site))[0] == client_id
    await expect(line).to_contain_text("the previous secret works until")
    for button, then in (("End the previous secret", "until"), ("Disable", "Disabled"), ("Enable", "until")):
        await line.get_by_text("Change <b>CI</b>").click()
        await line.get_by_role("button", name=f"{button}: <b>CI</b>").click()
        await expect(line).to_contain_text(then)
    await line.get_by_text("Change <b>CI</b>").click()
    await line.get_by_role("button", name="Revoke").click()
    await expect(line).to_have_count(0)


async def test_a_provisioning_key_is_made_and_ended(site: Site) -> None:
    ada = await site.signed_in("ada", "/provisioning-keys", java_script_enabled=False)
    await ada.get_by_label("What it is for").fill("kiosks")
    await ada.get_by_label("Whose devices they become").fill("alice")
    await ada.get_by_label("How many may register").fill("3")
    await ada.get_by_label("They need no approval").check()
    await ada.get_by_role("button", name="Make a provisioning key").click()
    [key] = await shown_once(ada, site)
    assert re.fullmatch(r"cs_provisioning_k[0-9a-f]{12}_[0-9a-f]{72}", key)
    line = ada.locator(".line", has_text="kiosks")
    await expect(line).to_contain_text("0 of 3 devices of Alice")
    await expect(line).to_contain_text("Skips approval")
    await line.get_by_role("button", name="End kiosks").click()
    await expect(line).to_have_count(0)


@pytest.mark.parametrize("path", ["/service-tokens", "/provisioning-keys"])
async def test_others_are_told_whose_page_it_is_and_not_led_there(site: Site, path: str) -> None:
    grace = await site.signed_in("grace", path)
    await expect(grace.locator("main")).to_contain_text("Only an admin may do this.")
    assert await grace.locator(f'a[href="{path}"]').count() == 0
