"""The page of tokens, with a real browser."""

import re

import pytest
from playwright.async_api import expect

from tests.http_clients import plain_client
from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_token_is_made_shown_once_used_and_ended(site: Site) -> None:
    heidi = await site.signed_in("heidi", "/tokens")
    await heidi.get_by_label("What it is for").fill("<b>backup</b>")
    await heidi.get_by_label("How long it lasts").select_option("7")
    await heidi.get_by_role("button", name="Make a token").click()
    token = await heidi.locator("code").inner_text()
    assert re.fullmatch(r"cs_[0-9a-f]{12}_[0-9a-f]{64}", token)

    async def may() -> int:
        async with plain_client() as client:
            reply = await client.get(f"{site.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"})
            return reply.status_code

    assert await may() == 200
    await heidi.get_by_role("link", name="To your tokens").click()
    line = heidi.locator(".line", has_text="<b>backup</b>")
    await expect(line).to_contain_text("until")
    assert token.rpartition("_")[2] not in await heidi.content()
    await line.get_by_role("button", name="End").click()
    await expect(heidi.locator(".line")).to_have_count(0)
    assert await may() == 401
    kinds = [(one.kind, one.who) for one in site.store.events.since(0, 10**6) if one.kind.startswith("token")]
    assert kinds[-2:] == [("token_created", "heidi"), ("token_ended", "heidi")]


async def test_an_admin_sees_and_ends_those_of_everybody(site: Site) -> None:
    ada = await site.signed_in("ada", "/tokens?everybody=true")
    await expect(ada.locator(".line", has_text="Grace ·")).to_have_count(1)
    alice = await site.signed_in("alice", "/tokens?everybody=true")
    await expect(alice.locator(".line", has_text="Grace")).to_have_count(0)


async def test_nobody_has_more_than_anybody_needs_and_none_is_of_another_length(site: Site) -> None:
    carol = await site.signed_in("carol", "/tokens")
    cookie = {one["name"]: one["value"] for one in await carol.context.cookies()}
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with plain_client(base_url=site.url, cookies=cookie, headers=headers) as client:
        for lasts in ("0", "-1", "36500", "", "x"):
            assert (await client.post("/tokens", data={"lasts": lasts})).status_code == 422
        assert (await client.post("/tokens", data={"lasts": "1", "label": "x" * 101})).status_code == 422
        replies = [(await client.post("/tokens", data={"lasts": "1"})).status_code for _ in range(51)]
    assert replies == [200] * 50 + [409]
