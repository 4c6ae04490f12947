"""Pages that keep showing the current state of requests."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
from playwright.async_api import Page, expect

from portal.context import STREAMS_AT_ONCE
from portal.pages.live import RETRY_MS
from store import sessions
from tests.http_clients import plain_client
from tests.portal.pages.conftest import Site
from tests.portal.pages.test_requests import asked
from tests.proxy import Proxy

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARK = "document.body.dataset.seen = 'yes'"


async def never_reloaded(page: Page) -> None:
    assert await page.evaluate("document.body.dataset.seen") == "yes"


async def test_two_browsers_watch_a_request_come_and_settle(site: Site) -> None:
    alice, grace, ada = [await site.signed_in(one) for one in ("alice", "grace", "ada")]
    await grace.goto("/approvals")
    await ada.goto("/approvals/all")
    for page in (grace, ada):
        await page.evaluate(MARK)
    number = await asked(alice, next(site.portal.devices))
    await alice.evaluate(MARK)
    card, line = grace.locator(f"article#r{number}"), ada.locator(f"li#r{number}")
    await expect(card).to_be_visible()
    await expect(line).to_contain_text("Waiting")
    await card.get_by_label("Comment").fill("half a sentence")
    # The comment that is being written stays, whatever happens to the request meanwhile.
    reply = await site.portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
    assert reply.status_code == 200
    await expect(line).to_contain_text("Approved")
    await expect(alice.locator(".status").first).to_have_text("Approved")
    for page in (alice, grace, ada):
        await never_reloaded(page)


async def test_after_the_network_was_away_nothing_is_missed(site: Site) -> None:
    alice = await site.signed_in("alice")
    with Proxy(("127.0.0.1", int(site.url.rpartition(":")[2]))) as network:
        ada = await site.signed_in("ada", "/approvals/all", base_url=f"http://127.0.0.1:{network.port}")
        await ada.evaluate(MARK)
        await expect(ada.locator("#away")).to_be_hidden()
        network.refuse()
        network.cut()
        await expect(ada.locator("#away")).to_be_visible(timeout=60_000)
        number = await asked(alice, next(site.portal.devices))
        network.refuse(False)
        await expect(ada.locator(f"li#r{number}")).to_be_visible(timeout=60_000)
        await expect(ada.locator("#away")).to_be_hidden()
        await never_reloaded(ada)


async def test_an_ended_session_ends_its_stream(site: Site) -> None:
    end_all_sessions(site, "grace")
    grace = await site.signed_in("grace")
    await grace.goto("/approvals/all")
    other = await site.signed_in("grace")
    lasting = {one.id for one in site.store.sessions.lasting(datetime.now(UTC), "grace")}
    assert lasting == {await session_of(grace), await session_of(other)}
    await other.goto("/sessions")
    await other.get_by_role("button", name="End").click()
    await expect(grace.get_by_role("heading", level=1)).to_have_text("Sign in", timeout=30_000)


def end_all_sessions(site: Site, person: str) -> None:
    now = datetime.now(UTC)
    for one in site.store.sessions.lasting(now, person, limit=1000):
        with site.store.database.transaction() as connection:
            sessions.end(connection, one.id, now)


async def session_of(page: Page) -> str:
    cookie = next(one["value"] for one in await page.context.cookies() if one["name"] == "session")
    return cookie.partition("_")[0]


async def test_many_tabs_have_one_stream(site: Site) -> None:
    alice, ada = await site.signed_in("alice"), await site.signed_in("ada")
    await ada.goto("about:blank")  # which ends the stream of the page that was shown
    streams: list[str] = []
    ada.context.on("request", lambda one: streams.append(one.url) if "/live?" in one.url else None)
    tabs = [await ada.context.new_page() for _ in range(3)]
    for tab in tabs:
        await tab.goto("/approvals/all")
    number = await asked(alice, next(site.portal.devices))
    for tab in tabs:
        await expect(tab.locator(f"li#r{number}")).to_be_visible()
    assert len(streams) == 1


async def test_who_signs_in_next_is_not_shown_what_the_last_one_saw(site: Site) -> None:
    alice = await site.signed_in("alice", "/requests")
    await expect(alice.locator("#away")).to_be_hidden()
    cookie = site.session("grace")
    await alice.context.add_cookies([{"name": "session", "value": cookie, "url": site.url}])
    grace = await alice.context.new_page()
    await grace.goto("/approvals")
    device = next(site.portal.devices)
    reply = await site.portal.post("alice", "/requests", {"device": device, "protocol": "ssh"})
    await expect(grace.locator(f"article#r{reply.json()['approval_id']}")).to_be_visible()


async def test_a_session_with_too_many_streams_is_told_to_come_back(site: Site) -> None:
    cookies, after = {"session": site.session("alice")}, site.store.events.last_version()
    async with plain_client(base_url=site.url, cookies=cookies) as client, AsyncExitStack() as open_ones:
        streams = [client.stream("GET", f"/live?after={after}") for _ in range(STREAMS_AT_ONCE)]
        lines = [(await open_ones.enter_async_context(stream)).aiter_lines() for stream in streams]
        assert {await anext(each) for each in lines} == {f"retry: {RETRY_MS}"}
        one_more = await client.get(f"/live?after={after}")
        assert (one_more.status_code, one_more.text) == (200, f"retry: {RETRY_MS}\n\n")
