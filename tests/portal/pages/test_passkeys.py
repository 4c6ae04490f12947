"""Passkeys with Chromium's virtual authenticator, and what a forger may send in their place."""

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, expect
from sqlalchemy import update

from countersign.permissions import CONFIRMED_FOR
from engine.policy import apply_policy
from portal.app import create_app
from portal.pages.site import Site as About
from portal.server import Server
from sandbox.temporal_server import free_port
from store import Store, sessions
from store.sessions import Session
from store.tables import passkeys
from store.tables import sessions as session_table
from tests.databases import new_sqlite
from tests.portal.context import POLICY, serving, without_temporal

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG_AGO = CONFIRMED_FOR + timedelta(minutes=1)
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@dataclass
class Portal:
    """A portal with a host name, as passkeys can't be bound to an IP address."""

    url: str
    store: Store

    def session(self, person: str, ago: timedelta = timedelta(0)) -> str:
        """The cookie of a session that began this long ago."""
        at = datetime.now(UTC) - ago
        row = {"person": person, "signed_in_by": "link", "browser": "A test", "source_address": "127.0.0.1"}
        times = {"started_at": at, "confirmed_at": at, "ends_at": at + timedelta(hours=1)}
        with self.store.database.transaction() as connection:
            return sessions.start(connection, row | times)

    def found(self, cookie: str) -> Session:
        session = self.store.sessions.find(cookie, datetime.now(UTC))
        assert session
        return session

    def record(self) -> list[tuple[str, str]]:
        return [
            (one.kind, one.who) for one in self.store.events.since(0, 10**6) if one.kind.startswith(("passkey", "conf"))
        ]


@dataclass
class Person:
    """Somebody with a browser and a device that can verify them."""

    page: Page
    device: CDPSession
    device_id: str
    cookie: str

    async def add(self, label: str) -> None:
        await self.page.goto("/sessions")
        await self.page.get_by_label("Which device it is on").fill(label)
        await self.page.get_by_role("button", name="Add a passkey").click()
        await expect(self.page.locator(".line", has_text=label)).to_have_count(1)

    async def credential(self) -> str:
        """The credential that this person's browser would send to confirm who they are."""
        await self.page.goto("/confirm")
        await self.page.evaluate("document.querySelector('[data-passkey]').submit = () => {}")
        await self.page.get_by_role("button", name="Use a passkey").click()
        field = self.page.locator("[name=credential]")
        await expect(field).not_to_have_value("")
        return await field.input_value()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def portal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Portal]:
    port = free_port()
    url, database = f"http://localhost:{port}", new_sqlite(tmp_path_factory.mktemp("passkeys") / "countersign.db")
    store = Store(database)
    apply_policy(store, POLICY, "ada")
    plan = without_temporal(database)
    plan.site = About("Access at Example", url)
    async with serving(Server(create_app(plan), "127.0.0.1", port)):
        yield Portal(url, store)
    store.close()


@pytest_asyncio.fixture(loop_scope="session")
async def contexts(browser: Browser) -> AsyncIterator[list[BrowserContext]]:
    opened: list[BrowserContext] = []
    yield opened
    for one in opened:
        await one.close()


async def person(portal: Portal, browser: Browser, contexts: list[BrowserContext], name: str, **device: Any) -> Person:
    """Somebody who has just signed in."""
    context = await browser.new_context(base_url=portal.url)
    contexts.append(context)
    cookie = await asyncio.to_thread(portal.session, name)
    await context.add_cookies([{"name": "session", "value": cookie, "url": portal.url}])
    page = await context.new_page()
    cdp = await context.new_cdp_session(page)
    await cdp.send("WebAuthn.enable")
    made = await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR | device})
    return Person(page, cdp, made["authenticatorId"], cookie)


def aged(portal: Portal, cookie: str) -> None:
    """Make it long ago that this session was confirmed."""
    with portal.store.database.transaction() as connection:
        of = session_table.c.id == cookie.partition("_")[0]
        connection.execute(update(session_table).where(of).values(confirmed_at=datetime.now(UTC) - LONG_AGO))


async def sent(portal: Portal, cookie: str, credential: str) -> httpx.Response:
    """The answer to a credential that is sent by hand."""
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with httpx.AsyncClient(
        base_url=portal.url.replace("localhost", "127.0.0.1"), cookies={"session": cookie}, headers=headers
    ) as client:
        return await client.post("/confirm", data={"credential": credential, "go_to": "/requests"})


async def challenged(portal: Portal, cookie: str) -> None:
    """Start a challenge for this session."""
    headers = {"Sec-Fetch-Site": "same-origin"}
    address = portal.url.replace("localhost", "127.0.0.1")
    async with httpx.AsyncClient(base_url=address, cookies={"session": cookie}, headers=headers) as client:
        assert (await client.post("/passkeys/options", data={"purpose": "confirm"})).status_code == 200


async def test_a_passkey_is_added_confirms_and_is_removed(
    portal: Portal, browser: Browser, contexts: list[BrowserContext]
) -> None:
    grace = await person(portal, browser, contexts, "grace")
    await grace.add("<i>laptop</i>")
    aged(portal, grace.cookie)
    before = datetime.now(UTC)
    await grace.page.goto("/confirm?go_to=/requests")
    await grace.page.get_by_role("button", name="Use a passkey").click()
    await expect(grace.page.get_by_role("heading", level=1)).to_have_text("My requests")
    assert portal.found(grace.cookie).confirmed_at >= before
    [passkey] = portal.store.passkeys.of("grace")
    assert passkey.sign_count > 0
    assert passkey.used_at
    await grace.page.goto("/sessions")
    await grace.page.get_by_role("button", name="Remove <i>laptop</i>").click()
    await expect(grace.page.get_by_role("button", name="Remove")).to_have_count(0)
    assert portal.store.passkeys.of("grace") == []
    assert portal.record()[-3:] == [("passkey_added", "grace"), ("confirmed", "grace"), ("passkey_removed", "grace")]


async def test_who_signed_in_long_ago_does_so_again_before_a_passkey_is_added(
    portal: Portal, browser: Browser, contexts: list[BrowserContext]
) -> None:
    alice = await person(portal, browser, contexts, "alice")
    aged(portal, alice.cookie)
    await alice.page.goto("/sessions")
    await alice.page.get_by_role("button", name="Add a passkey").click()
    await expect(alice.page.get_by_role("heading", level=1)).to_have_text("Sign in again")
    assert portal.store.passkeys.of("alice") == []


async def test_a_device_that_does_not_verify_its_person_confirms_nothing(
    portal: Portal, browser: Browser, contexts: list[BrowserContext]
) -> None:
    bob = await person(portal, browser, contexts, "bob")
    await bob.add("phone")
    aged(portal, bob.cookie)
    await bob.device.send("WebAuthn.setUserVerified", {"authenticatorId": bob.device_id, "isUserVerified": False})
    await bob.page.goto("/confirm")
    await bob.page.get_by_role("button", name="Use a passkey").click()
    await expect(bob.page.get_by_role("alert")).to_contain_text("That did not work")
    assert portal.found(bob.cookie).confirmed_at < datetime.now(UTC) - CONFIRMED_FOR


async def test_an_answer_counts_once_for_its_person_its_challenge_and_its_site(
    portal: Portal, browser: Browser, contexts: list[BrowserContext]
) -> None:
    heidi, carol = [await person(portal, browser, contexts, one) for one in ("heidi", "carol")]
    await heidi.add("laptop")
    await carol.add("laptop")
    for one in (heidi, carol):
        aged(portal, one.cookie)

    async def is_refused(cookie: str, credential: str) -> bool:
        reply = await sent(portal, cookie, credential)
        confirmed = portal.found(cookie).confirmed_at > datetime.now(UTC) - CONFIRMED_FOR
        return reply.status_code == 403 and not confirmed

    taken = await heidi.credential()
    # In the session of somebody else, who has a challenge of their own.
    await challenged(portal, carol.cookie)
    assert await is_refused(carol.cookie, taken)
    # Another challenge than the one that it answers.
    await challenged(portal, heidi.cookie)
    assert await is_refused(heidi.cookie, taken)
    # No challenge at all.
    assert await is_refused(heidi.cookie, taken)
    # A changed answer.
    changes: tuple[dict[str, Any], ...] = ({"id": "AAAA", "rawId": "AAAA"}, {"response": {}}, {"type": "x"})
    for changed in changes:
        fresh = json.loads(await heidi.credential()) | changed
        assert await is_refused(heidi.cookie, json.dumps(fresh))
    for nothing in ("{}", "[]", "null", "x", "\x00", "{" * 5000):
        await challenged(portal, heidi.cookie)
        assert await is_refused(heidi.cookie, nothing)
    # A copy of the device, which has signed less often than the device.
    copied = await heidi.credential()
    with portal.store.database.transaction() as connection:
        connection.execute(update(passkeys).where(passkeys.c.person == "heidi").values(sign_count=10_000))
    assert await is_refused(heidi.cookie, copied)
    with portal.store.database.transaction() as connection:
        connection.execute(update(passkeys).where(passkeys.c.person == "heidi").values(sign_count=0))
    assert (await sent(portal, heidi.cookie, await heidi.credential())).headers["Location"] == "/requests"
    assert ("passkey_refused", "heidi") in portal.record()


async def test_an_answer_that_was_given_to_another_site_counts_nowhere(
    portal: Portal, browser: Browser, contexts: list[BrowserContext]
) -> None:
    grace = await person(portal, browser, contexts, "grace")
    await grace.add("another laptop")
    aged(portal, grace.cookie)
    fresh = json.loads(await grace.credential())
    said = json.loads(decoded(fresh["response"]["clientDataJSON"]))
    assert said["origin"] == portal.url
    fresh["response"]["clientDataJSON"] = encoded(json.dumps(said | {"origin": "https://evil.example"}))
    assert (await sent(portal, grace.cookie, json.dumps(fresh))).status_code == 403


async def test_nobody_removes_the_passkey_of_another(
    portal: Portal, browser: Browser, contexts: list[BrowserContext]
) -> None:
    ada = await person(portal, browser, contexts, "ada")
    await ada.add("key")
    [passkey] = portal.store.passkeys.of("ada")
    headers = {"Sec-Fetch-Site": "same-origin", "Cookie": f"session={portal.session('alice')}"}
    async with httpx.AsyncClient(base_url=portal.url.replace("localhost", "127.0.0.1"), headers=headers) as client:
        assert (await client.post(f"/passkeys/{passkey.id}/remove")).status_code == 404
    assert portal.store.passkeys.of("ada") == [passkey]


def decoded(text: str) -> str:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")
