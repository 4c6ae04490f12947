"""Signing in by a provider that is not ours, and by one that lies."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from pydantic import SecretStr

from countersign.checks import findings
from engine.credentials.sign_in import STATES_FROM_ONE_SOURCE, From, SignIn
from engine.policy import apply_policy
from portal.app import create_app
from portal.oidc import CALLBACK, Provider
from portal.pages.site import Site
from portal.server import Server
from sandbox.temporal_server import free_port
from store import Store
from tests import oidc
from tests.databases import new_sqlite
from tests.http_clients import plain_client
from tests.portal.context import POLICY, serving, without_temporal
from tests.portal.pages.hostile_provider import HostileProvider

pytestmark = pytest.mark.asyncio(loop_scope="session")
OURS = {"Sec-Fetch-Site": "same-origin"}
NAME = "Example SSO"


@dataclass
class Portal:
    """A portal whose people sign in by a provider."""

    url: str
    store: Store
    provider: Provider

    def browser(self) -> httpx.AsyncClient:
        """A browser without cookies."""
        return plain_client(base_url=self.url, timeout=30)


@asynccontextmanager
async def portal_with(issuer: str, port: int, database: str) -> AsyncIterator[Portal]:
    url = f"http://127.0.0.1:{port}"
    store = Store(database)
    apply_policy(store, POLICY, "ada")
    provider = Provider(issuer, oidc.CLIENT_ID, SecretStr(oidc.CLIENT_SECRET), "openid email", NAME, url)
    plan = without_temporal(database)
    plan.site = Site(public_url=url, provider=provider)
    async with serving(Server(create_app(plan), "127.0.0.1", port)):
        yield Portal(url, store, provider)
    store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Portal]:
    """A portal with npm's oidc-provider."""
    ours, theirs = free_port(), free_port()
    async with (
        oidc.provider(theirs, f"http://127.0.0.1:{ours}{CALLBACK}") as issuer,
        portal_with(issuer, ours, new_sqlite(tmp_path_factory.mktemp("oidc") / "countersign.db")) as portal,
    ):
        yield portal


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lying(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Portal, HostileProvider]]:
    """A portal with a provider that says whatever a test wants."""
    database = new_sqlite(tmp_path_factory.mktemp("lying") / "countersign.db")
    async with (
        HostileProvider() as hostile,
        portal_with(hostile.issuer, free_port(), database) as portal,
    ):
        yield portal, hostile


async def begun(browser: httpx.AsyncClient, go_to: str = "/requests?before=7", **more: str) -> str:
    """Begin to sign in; returns where the browser is redirected."""
    await browser.get("/sign-in")
    reply = await browser.post("/sign-in/oidc", data={"go_to": go_to, **more}, headers=OURS)
    assert reply.status_code == 200, reply.text
    address = reply.headers["Refresh"].removeprefix("0; url=")
    assert unescape(reply.text).count(address) == 1
    return str(address)


async def consented(address: str, login: str) -> str:
    """Sign in at the provider and consent; returns the address that it redirects back to."""
    async with plain_client(timeout=30) as person:
        reply = await person.get(address)
        for _ in range(10):
            if location := reply.headers.get("Location"):
                address = urljoin(address, location)
                if urlsplit(address).path == CALLBACK:
                    return address
                reply = await person.get(address)
                continue
            action = re.search(r'<form[^>]* action="([^"]+)"', reply.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', reply.text)
            assert action, reply.text
            assert prompt, reply.text
            address = urljoin(address, action[1])
            reply = await person.post(address, data={"prompt": prompt[1], "login": login, "password": "any"})
    raise AssertionError("the provider leads nowhere")


async def returned(portal: Portal, login: str) -> httpx.Response:
    """The portal's reply to a browser whose person has signed in at the provider."""
    async with portal.browser() as browser:
        return await browser.get(await consented(await begun(browser), login))


async def is_signed_in(browser: httpx.AsyncClient) -> bool:
    return (await browser.get("/approvals")).status_code == 200


async def test_a_person_signs_in_with_the_pages_of_the_provider(real: Portal, browser: Browser) -> None:
    context = await browser.new_context(base_url=real.url)
    page = await context.new_page()
    await page.goto("/requests?before=7")
    await page.get_by_role("button", name=f"Sign in with {NAME}").click()
    await page.get_by_placeholder("Enter any login").fill("Grace@example.test")
    await page.get_by_placeholder("and password").fill("any")
    await page.get_by_role("button", name="Sign-in").click()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("My requests")
    assert page.url == f"{real.url}/requests?before=7"
    await page.goto("/sessions")
    await expect(page.locator(".who summary")).to_have_text("Grace")
    last = real.store.events.since(0, 10**6)[-1]
    assert (last.kind, last.who, last.detail) == ("signed_in", "grace", "oidc")
    assert (last.proof["issuer"], last.proof["from"]) == (real.provider.issuer, "127.0.0.1")
    await context.close()


async def test_two_tabs_and_a_callback_that_comes_again(real: Portal) -> None:
    async with real.browser() as browser:
        first, second = await begun(browser, "/requests/new"), await begun(browser, "/sessions")
        there = await consented(second, "grace@example.test")
        assert (await browser.get(there)).headers["Location"] == "/sessions"
        # The other tab's sign-in was under way meanwhile.
        assert (await browser.get(await consented(first, "grace@example.test"))).headers["Location"] == "/requests/new"
        again = await browser.get(there)
        assert (again.status_code, "used already" in again.text) == (403, True)
        assert await is_signed_in(browser)


async def test_a_fresh_sign_in_is_one_at_the_provider_and_counts_from_then(real: Portal) -> None:
    async def confirmed_at(browser: httpx.AsyncClient, **more: str) -> datetime:
        there = await consented(await begun(browser, **more), "grace@example.test")
        cookie = (await browser.get(there)).cookies["session"]
        session = real.store.sessions.find(cookie, datetime.now(UTC))
        assert session
        return session.confirmed_at

    async with real.browser() as browser:
        address = await begun(browser, fresh="true")
        query = parse_qs(urlsplit(address).query)
        assert (query["prompt"], query["max_age"]) == (["login"], ["0"])
        before = datetime.now(UTC) - timedelta(seconds=1)
        assert before <= await confirmed_at(browser, fresh="true") <= datetime.now(UTC)
        # The provider was not asked to say when its person proved who they are, so it doesn't.
        assert (await confirmed_at(browser)).year == 1970


@pytest.mark.parametrize("said", [None, 0, -1, "x", True, 9e99])
async def test_a_time_that_is_none_confirms_nothing_and_none_lies_ahead(
    lying: tuple[Portal, HostileProvider], said: object
) -> None:
    portal, hostile = lying
    reply = await brought(portal, hostile, GOOD | {"auth_time": said})
    if said == "x":
        assert reply.status_code == 403
        return
    session = portal.store.sessions.find(reply.cookies["session"], datetime.now(UTC))
    assert session
    assert session.confirmed_at <= datetime.now(UTC)
    assert session.confirmed_at.year == (1970 if said != 9e99 else datetime.now(UTC).year)


async def test_a_state_is_good_for_the_browser_that_asked_alone(real: Portal) -> None:
    async with real.browser() as asked, real.browser() as other, real.browser() as bare:
        there = await consented(await begun(asked), "grace@example.test")
        await begun(other)
        for thief in (other, bare):
            reply = await thief.get(there)
            assert (reply.status_code, "only in the browser" in reply.text) == (403, True)
            assert not await is_signed_in(thief)
        assert (await asked.get(there)).status_code == 303


@pytest.mark.parametrize("state", ["", "x", "oidc-", "oidc-" + "0" * 32, "a" * 32, "' OR 1=1 --"])
async def test_a_state_that_nobody_was_given_signs_nobody_in(real: Portal, state: str) -> None:
    async with real.browser() as browser:
        code = parse_qs(urlsplit(await consented(await begun(browser), "grace@example.test")).query)["code"][0]
        reply = await browser.get(CALLBACK, params={"state": state, "code": code, "iss": real.provider.issuer})
        assert (reply.status_code, "It is unknown" in reply.text) == (403, True)
        assert not await is_signed_in(browser)


async def test_the_link_of_a_mail_is_no_state(real: Portal) -> None:
    link = SignIn(real.store).make_link("grace", "operator")
    async with real.browser() as browser:
        reply = await browser.get(CALLBACK, params={"state": link, "code": "x"})
        assert (reply.status_code, "It is unknown" in reply.text) == (403, True)


@pytest.mark.parametrize(
    ("login", "said"),
    [
        ("unverified-grace@example.test", "has not verified your mail address"),
        ("stranger@example.test", "not in the directory"),
        ("dora@example.test", "account is disabled"),
    ],
)
async def test_whose_address_is_unverified_unknown_or_disabled_is_not_signed_in(
    real: Portal, login: str, said: str
) -> None:
    reply = await returned(real, login)
    assert (reply.status_code, said in reply.text, "session" in reply.cookies) == (403, True, False)


@pytest.mark.parametrize("changed", [{"code": "x"}, {"iss": "https://evil.example"}, {"error": "access_denied"}])
async def test_a_callback_that_was_changed_signs_nobody_in(real: Portal, changed: dict[str, str]) -> None:
    async with real.browser() as browser:
        there = await consented(await begun(browser), "grace@example.test")
        query = {name: value[0] for name, value in parse_qs(urlsplit(there).query).items()}
        reply = await browser.get(CALLBACK, params=query | changed)
        assert (reply.status_code, NAME in reply.text) == (403, True)
        # And its state is used up.
        assert (await browser.get(there)).status_code == 403
        assert not await is_signed_in(browser)


@pytest.mark.parametrize("go_to", ["https://evil.example/", "//evil.example", "/\\evil.example", ""])
async def test_nobody_is_led_to_another_site(real: Portal, go_to: str) -> None:
    async with real.browser() as browser:
        reply = await browser.get(await consented(await begun(browser, go_to), "grace@example.test"))
        assert reply.headers["Location"] == "/approvals"


async def test_another_site_begins_nothing(real: Portal) -> None:
    async with real.browser() as browser:
        for headers in ({}, {"Sec-Fetch-Site": "cross-site"}):
            assert (await browser.post("/sign-in/oidc", headers=headers)).status_code == 403


async def test_not_more_is_begun_from_one_address_than_a_large_office_needs(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    rules, caller = SignIn(store), From("a", "b", "192.0.2.1")
    for _ in range(STATES_FROM_ONE_SOURCE):
        rules.begin_with_provider(caller, "/")
    async with portal_with("http://127.0.0.1:1", free_port(), sqlite_url) as portal:
        with pytest.raises(Exception, match="Too many sign-ins"):
            SignIn(portal.store).begin_with_provider(caller, "/")
        SignIn(portal.store).begin_with_provider(caller._replace(source_address="192.0.2.2"), "/")
    store.close()


GOOD: dict[str, Any] = {"email": "grace@example.test", "email_verified": True}
LIES: dict[str, dict[str, Any]] = {
    "another audience": {"aud": "somebody-else"},
    "another audience beside ours": {"aud": [oidc.CLIENT_ID, "other"], "azp": "other"},
    "another issuer": {"iss": "https://evil.example"},
    "another nonce": {"nonce": "guessed"},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1},
    "no end": {"exp": None},
    "from the future": {"iat": 9_999_999_999},
    "no subject": {"sub": None},
}


@pytest.mark.parametrize("lie", LIES)
async def test_claims_that_are_wrong_sign_nobody_in(lying: tuple[Portal, HostileProvider], lie: str) -> None:
    portal, hostile = lying
    assert (await brought(portal, hostile, GOOD)).status_code == 303
    reply = await brought(portal, hostile, GOOD | LIES[lie])
    assert (reply.status_code, "not a valid proof" in reply.text) == (403, True)


@pytest.mark.parametrize("forged", ["none", "HS256", "stranger's key", "cut", "nothing"])
async def test_a_signature_that_is_not_the_providers_signs_nobody_in(
    lying: tuple[Portal, HostileProvider], forged: str
) -> None:
    portal, hostile = lying
    reply = await brought(portal, hostile, GOOD, forged)
    assert (reply.status_code, "not a valid proof" in reply.text) == (403, True)


@pytest.mark.parametrize("verified", [False, None, "false", "no", 0])
async def test_an_address_in_the_token_that_is_not_verified_signs_nobody_in(
    lying: tuple[Portal, HostileProvider], verified: object
) -> None:
    portal, hostile = lying
    reply = await brought(portal, hostile, {**GOOD, "email_verified": verified})
    assert (reply.status_code, "has not verified" in reply.text) == (403, True)


async def test_a_new_key_of_the_provider_is_fetched(lying: tuple[Portal, HostileProvider]) -> None:
    portal, hostile = lying
    assert (await brought(portal, hostile, GOOD)).status_code == 303
    hostile.change_key()
    portal.provider._asked._old_at = 0  # as if it had not been asked in the last seconds
    assert (await brought(portal, hostile, GOOD)).status_code == 303


async def brought(portal: Portal, hostile: HostileProvider, claims: dict[str, Any], forged: str = "") -> httpx.Response:
    """The portal's reply to a browser that brings a code for an ID token with these claims."""
    async with portal.browser() as browser:
        query = parse_qs(urlsplit(await begun(browser)).query)
        assert query["code_challenge_method"] == ["S256"]
        hostile.say({"nonce": query["nonce"][0]} | claims, forged)
        return await browser.get(CALLBACK, params={"state": query["state"][0], "code": "a"})


async def test_a_provider_that_is_down_is_told_in_words_and_by_doctor(sqlite_url: str) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    async with portal_with(nobody, free_port(), sqlite_url) as portal, portal.browser() as one:
        reply = await one.post("/sign-in/oidc", headers=OURS)
        assert (reply.status_code, f"{NAME} can&#39;t be reached now" in reply.text) == (503, True)
        [found] = await findings(portal.provider.checks(), None)
        assert (found.part, found.state, "can't be reached" in found.message) == ("sign-in", "problem", True)


async def test_doctor_says_of_a_provider_that_it_can_be_reached_and_of_one_with_another_name_what_is_wrong(
    real: Portal, lying: tuple[Portal, HostileProvider]
) -> None:
    [well] = await findings(real.provider.checks(), None)
    assert (well.state, real.provider.issuer in well.message) == ("ok", True)
    named = Provider(f"{lying[1].issuer}/", oidc.CLIENT_ID, SecretStr(""), "openid", NAME, "http://127.0.0.1")
    [other] = await findings(named.checks(), None)
    assert (other.state, "COUNTERSIGN_OIDC_ISSUER" in other.message) == ("problem", True)


async def test_without_a_provider_there_is_no_such_page(sqlite_url: str) -> None:
    plan = without_temporal(sqlite_url)
    async with (
        serving(Server(create_app(plan), "127.0.0.1", 0)) as url,
        plain_client(base_url=url) as one,
    ):
        replies = await asyncio.gather(one.post("/sign-in/oidc", headers=OURS), one.get(CALLBACK))
        assert [reply.status_code for reply in replies] == [404, 404]
        assert "Sign in with" not in (await one.get("/sign-in")).text
