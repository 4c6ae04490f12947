"""Who passes to a web application, and who doesn't, through the real nginx and Caddy."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from countersign.models import Status
from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from store.tokens import Owner
from tests.portal.context import until
from tests.portal.forward_auth.applications import (
    APP,
    APPLICATIONS,
    BROWSER,
    COOKIE,
    HOST,
    OTHER,
    PAGE,
    WIKI,
    Scene,
    cookie_of,
)
from tests.tls_proxies import must_keep_its_configuration

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECONDS = 90
PAUSE_SECONDS = 0.05
ELSEWHERE = (
    *("https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:alert(1)", "/\t/x", "/ä", "x", ""),
    *("/.countersign/accept?code=a", "/" + "%2F" * 1000),
)


async def closes(scene: Scene, cookies: dict[str, str]) -> float:
    """How long a browser with these cookies still passes."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.timeout(SECONDS):
        while (await scene.get("/", cookies)).status_code == 200:  # noqa: ASYNC110 - as a browser does
            await asyncio.sleep(PAUSE_SECONDS)
    return loop.time() - begun


async def test_a_browser_passes_with_a_grant_and_a_program_without_one_is_told(scene: Scene) -> None:
    program = await scene.get("/api", headers={})
    assert (program.status_code, "sign in" in program.text) == (401, True)
    led = await scene.get("/d/1?a=b&c=%2F")
    start = urlsplit(led.headers["Location"])
    assert (led.status_code, start.path, parse_qs(start.query)) == (
        302,
        "/.countersign/start",
        {"to": ["/d/1?a=b&c=%2F"]},
    )
    seen = len(scene.application.seen)
    async with scene.granted("alice") as number:
        back, secret = await scene.coming_back("alice", to="/d/1?a=b&c=%2F")
        reply = await scene.get(back, {BROWSER: secret})
        assert (reply.status_code, reply.headers["Location"]) == (303, "/d/1?a=b&c=%2F")
        assert len(scene.application.seen) == seen
        cookies = {COOKIE: cookie_of(reply, COOKIE)}
        passed = await scene.get("/d/1", cookies)
        assert (passed.status_code, "Dashboards" in passed.text) == (200, True)
        told = scene.application.seen[-1]
        assert {name: told[name] for name in told if name.startswith(("remote", "countersign"))} == {
            "remote-user": ["alice"],
            "remote-name": ["Alice"],
            "remote-email": ["alice@example.test"],
            "countersign-approval": [str(number)],
        }
        [row] = [one for one in scene.site.store.events.of(number, 0, 100) if one.kind == "application_opened"]
        assert (row.who, row.detail) == ("alice", f"{HOST}:{scene.port}")
        await scene.revoked(number)
        print(f"closed {await closes(scene, cookies):.2f} s after it was revoked")


async def test_the_application_sees_no_cookie_of_ours_and_no_header_of_a_client(scene: Scene) -> None:
    async with scene.granted("alice") as number:
        cookies = await scene.opened("alice")
        forged = [
            ("Remote-User", "root"),
            ("remote-user", "root"),
            ("Remote_User", "root"),
            ("remote_email", "root@example.test"),
            ("Countersign_Approval", "1"),
            ("Countersign-Approval", "1"),
            ("Countersign-Gateway", "cs_x"),
            ("Countersign-Device", "other"),
            ("X-Forwarded-Host", OTHER),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Uri", "//evil.example/"),
            ("Remote-Groups", "admins"),
            # Proxies drop the headers that Connection names; after an upgrade to HTTP/2 nobody would be asked any more.
            ("Connection", "Upgrade, HTTP2-Settings, Remote-User"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
        ]
        for own in ({}, {"theme": "dark", "lang": "en"}):
            one = await scene.get("/", {"a": "b", **cookies, **own}, headers=[*PAGE.items(), *forged])
            assert one.status_code == 200, one.text
            told = scene.application.seen[-1]
            identity = {name: value for name, value in told.items() if re.match(r"remote|countersign", name)}
            assert identity == {
                "remote-user": ["alice"],
                "remote-name": ["Alice"],
                "remote-email": ["alice@example.test"],
                "countersign-approval": [str(number)],
            }
            assert "upgrade" not in told
            assert told["cookie"] == ["; ".join(["a=b", *(f"{name}={value}" for name, value in own.items())])]
        await scene.get("/", cookies)
        assert all(value not in str(scene.application.seen[-1]) for value in cookies.values())


async def test_many_cookies_and_a_long_address_pass(scene: Scene) -> None:
    async with scene.granted("alice"):
        own = {"theme": "x" * 6000}
        reply = await scene.get("/", {**await scene.opened("alice"), **own})
        assert (reply.status_code, scene.application.seen[-1]["cookie"]) == (200, [f"theme={own['theme']}"])
        assert (await scene.get(f"/{'a' * 6000}")).status_code == 302


@pytest.mark.parametrize("header", ["Countersign-Gateway", "countersign-gateway", "X-Forwarded-For"])
async def test_headers_of_a_client_open_nothing(scene: Scene, header: str) -> None:
    own = TokenActions(scene.site.store).create(
        Owner(kind="gateway", name="own", targets=[APP], variants=["http"]), "tests"
    )
    async with scene.granted("bob", source_address="192.0.2.7"):
        value = own if "ateway" in header else "192.0.2.7"
        seen = len(scene.application.seen)
        reply = await scene.get("/", headers=[*PAGE.items(), (header, value), ("Remote-User", "bob")])
        assert (reply.status_code, len(scene.application.seen)) == (302, seen)
        # The page says that the grant is for another address, as the proxy saw another.
        address, _ = await scene.started()
        page = await scene.portal("bob", address)
        assert (page.status_code, "for another source address" in page.text) == (409, True)


async def test_a_cookie_is_good_at_its_own_host_and_whole_alone(scene: Scene) -> None:
    async with scene.granted("alice"), scene.granted("alice", OTHER):
        mine = (await scene.opened("alice"))[COOKIE]
        others = (await scene.opened("alice", OTHER))[COOKIE]
        assert (await scene.get("/", {COOKIE: mine})).status_code == 200
        assert (await scene.get("/", {COOKIE: others}, host=OTHER)).status_code == 200
        for cookie in (others, mine[:-1], mine[:-1] + "x", mine.upper(), f'"{mine}"', "", "a" * 4000):
            assert (await scene.get("/", {COOKIE: cookie})).status_code == 302, cookie
        twice = [*PAGE.items(), ("Cookie", f"{COOKIE}={others}; {COOKIE}={mine}")]
        assert (await scene.get("/", headers=twice)).status_code == 302
        assert (await scene.get("/", {COOKIE.lower(): mine})).status_code == 302


async def test_a_code_works_once_in_the_browser_that_came_and_at_its_host(scene: Scene) -> None:
    async with scene.granted("alice"), scene.granted("alice", OTHER):
        refused = f"{scene.site.url}/applications/refused"

        async def tried(back: str, secret: str, host: str = HOST) -> str:
            reply = await scene.get(back, {BROWSER: secret} if secret else {}, host=host)
            assert COOKIE + "=" not in reply.headers.get("set-cookie", "")
            assert reply.status_code == 303
            return reply.headers["Location"]

        back, secret = await scene.coming_back("alice")
        assert (await scene.get(back, {BROWSER: secret})).headers["Location"] == "/"
        assert await tried(back, secret) == refused
        _, other = await scene.started()
        back, secret = await scene.coming_back("alice")
        assert await tried(back, other) == refused
        # A code that was tried in another browser is used up, for its own browser, too.
        assert await tried(back, secret) == refused
        back, secret = await scene.coming_back("alice")
        assert await tried(back, secret, OTHER) == refused
        assert await tried("/.countersign/accept?code=a0&to=/", secret) == refused
        rows = scene.site.store.events.since(0, 10**6)
        why = {one.detail for one in rows if one.kind == "application_refused"}
        assert {
            "the code was used",
            "the code is for another browser",
            "the code is unknown",
            "the code is too old",
        } <= why
        assert f"the code is for {HOST}:{scene.port}" in why


async def test_nobody_is_led_elsewhere(scene: Scene) -> None:
    async with scene.granted("alice"):
        for to in ELSEWHERE:
            back, secret = await scene.coming_back("alice", to=to)
            assert parse_qs(urlsplit(back).query)["to"] == ["/"], to
            reply = await scene.get(back.replace("to=%2F", f"to={quote(to)}"), {BROWSER: secret})
            assert reply.headers["Location"] == "/", to


async def test_a_page_of_the_portal_takes_no_visit_but_what_it_signed(scene: Scene) -> None:
    address, _ = await scene.started()
    given = parse_qs(urlsplit(address).query)["visit"][0]
    token, said, signature = given.split(".")
    for forged in (
        "",
        "x",
        f"{token}.{said}x.{signature}",
        f"{token}.{said}.{'0' * 64}",
        f"x.{said}.",
        f"{token}..",
        "é",
    ):
        page = await scene.portal("alice", address.replace(quote(given), quote(forged)))
        assert (page.status_code, "too old" in page.text) == (403, True), forged


async def test_who_may_pass_no_more_is_stopped_by_disabling_and_by_signing_out(scene: Scene) -> None:
    async with scene.granted("carol") as number:
        cookies = await scene.opened("carol")
        assert (await scene.get("/", cookies)).status_code == 200
        apply_policy(
            scene.site.store, APPLICATIONS.replace("carol@example.test}", "carol@example.test, disabled: true}"), "ada"
        )
        print(f"closed {await closes(scene, cookies):.2f} s after its person was disabled")
        await until(lambda: scene.site.store.reading.request(number).grant.status == "Revoked")  # type: ignore[union-attr]
        apply_policy(scene.site.store, APPLICATIONS, "ada")
        async with scene.granted("carol") as number:
            cookies = await scene.opened("carol")
            sessions = (await scene.site.portal.get("carol", "/sessions")).json()
            for one in sessions:
                await scene.site.portal.post("carol", f"/sessions/{one['id']}/end")
            print(f"closed {await closes(scene, cookies):.2f} s after its person had signed out")
            assert scene.site.store.reading.request(number).status is Status.APPROVED


async def test_what_is_set_up_wrongly_is_told_in_the_portals_words(scene: Scene) -> None:
    apply_policy(scene.site.store, APPLICATIONS.replace(f", {OTHER}: {WIKI}", ""), "ada")
    try:
        for headers in (PAGE, {}):
            reply = await scene.get("/", host=OTHER, headers=headers)
            assert (reply.status_code, f"is not an application of {WIKI}" in reply.text) == (403, True), reply.text
    finally:
        apply_policy(scene.site.store, APPLICATIONS, "ada")
    assert (await scene.get("/", host=OTHER)).status_code == 302


@pytest.mark.parametrize("scene", ["caddy"], indirect=True)
async def test_the_api_of_caddy_is_for_its_own_account_alone(scene: Scene) -> None:
    must_keep_its_configuration(scene.folder)
