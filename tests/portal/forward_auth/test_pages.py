"""The way of a person with a browser from a web application to the portal and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, async_playwright, expect

from countersign.models import Status
from tests.portal.forward_auth.applications import APP, COOKIE, Scene
from tests.portal.pages.conftest import BUSY_MS, CHROMIUM
from tests.portal.pages.test_looks import looks_well

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed (Debian's package is chromium)"),
]

PHONE = {"width": 360, "height": 740}


@asynccontextmanager
async def browser(scene: Scene, person: str, **options: object) -> AsyncIterator[Page]:
    """A page of somebody signed in to the portal, in a browser for which the application's name is this machine."""
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--host-resolver-rules=MAP *.example.test 127.0.0.1"]
        )
        context = await found.new_context(ignore_https_errors=True, **options)  # type: ignore[arg-type]
        context.set_default_timeout(BUSY_MS)
        cookie = scene.site.session(person if person != "nobody" else "alice")
        await context.add_cookies([{"name": "session", "value": cookie, "url": scene.site.url}])
        yield await context.new_page()
        await found.close()


def requests_of(scene: Scene, person: str) -> list[int]:
    """The numbers of somebody's requests for the application, newest first."""
    return [one.approval_id for one in scene.site.store.reading.mine(person).asked if one.subject.target == APP]


async def answer(scene: Scene, number: int, verdict: str) -> None:
    body = {"verdict": verdict, "comment": "Not today."}
    assert (await scene.site.portal.post("grace", f"/requests/{number}/decide", body)).status_code == 200


@pytest.mark.parametrize(
    ("address", "which"),
    [("192.0.2.7", "is for another source address than yours"), ("", "was asked for without a source address")],
)
async def test_who_waits_for_a_request_from_elsewhere_is_told_that_it_lets_nobody_in_here(
    scene: Scene, address: str, which: str
) -> None:
    body = {"device": APP, "protocol": "http", "source_address": address}
    number = (await scene.site.portal.post("alice", "/requests", body)).json()["approval_id"]
    async with browser(scene, "alice") as page:
        await page.goto(scene.app)
        await expect(page.get_by_text(f"It {which}, so it will not let you in from here")).to_be_visible()
        await expect(page.get_by_text("This page opens")).to_have_count(0)
        await page.get_by_role("button", name="Cancel the request").click()
        await expect(page.get_by_text("Cancelled").first).to_be_visible()
    assert requests_of(scene, "alice")[0] == number


async def test_somebody_asks_waits_and_is_let_go_when_it_is_approved(scene: Scene) -> None:
    before = requests_of(scene, "bob")
    async with browser(scene, "bob", viewport=PHONE) as page:
        await page.goto(f"{scene.app}/d/1?a=b")
        await expect(page.get_by_text("nobody is asked before you do")).to_be_visible()
        await expect(page.get_by_text("Grace must agree")).to_be_visible()
        assert requests_of(scene, "bob") == before
        await looks_well(page, "asking")
        await page.get_by_label("Reason").fill("The disk is full.")
        await page.get_by_role("button", name="Ask for access").click()
        await expect(page.get_by_text("This page opens")).to_be_visible()
        await looks_well(page, "waiting")
        [number, *_] = requests_of(scene, "bob")
        view = scene.site.store.reading.request(number)
        assert (view.question.reason, view.question.source_address) == ("The disk is full.", "127.0.0.1")
        await answer(scene, number, "approve")
        await page.wait_for_url(f"{scene.app}/d/1?a=b")
        await expect(page.get_by_role("heading", name="Dashboards")).to_be_visible()
        assert await page.evaluate("document.cookie") == ""
        names = {one["name"]: one for one in await page.context.cookies(scene.app)}
        assert (names[COOKIE]["httpOnly"], names[COOKIE]["secure"], names[COOKIE]["sameSite"]) == (True, True, "Lax")
        await scene.revoked(number)
        await page.reload()
        await expect(page.get_by_text("nobody is asked before you do")).to_be_visible()


async def test_without_scripts_it_is_rejected_and_asked_again(scene: Scene) -> None:
    async with browser(scene, "carol", java_script_enabled=False) as page:
        await page.goto(scene.app)
        await page.get_by_role("button", name="Ask for access").click()
        [number, *_] = requests_of(scene, "carol")
        await answer(scene, number, "reject")
        await expect(page.get_by_text("Rejected by Grace: Not today.")).to_be_visible()
        await page.get_by_role("button", name="Ask for access").click()
        await expect(page.get_by_text("This page opens")).to_be_visible()
        [again, *_] = requests_of(scene, "carol")
        assert again > number
        await answer(scene, again, "approve")
        await expect(page.get_by_role("heading", name="Dashboards")).to_be_visible()
        await scene.revoked(again)


async def test_a_picture_of_an_application_asks_nothing(scene: Scene) -> None:
    before = requests_of(scene, "alice")
    async with browser(scene, "alice") as page:
        await page.goto(f"{scene.site.url}/applications/refused")
        await looks_well(page, "refused")
        await page.set_content(f"<img src={scene.app}/picture.png><iframe src={scene.app}/></iframe>")
        await page.wait_for_load_state("networkidle")
    assert requests_of(scene, "alice") == before


async def test_who_has_not_signed_in_comes_back_after_it(scene: Scene) -> None:
    address = "/d/1?" + "a" * 900
    async with scene.granted("alice") as number:
        async with browser(scene, "nobody") as page:
            await page.context.clear_cookies()
            await page.goto(f"{scene.app}{address}")
            links = await scene.site.links_of("alice")
            await page.get_by_label("Mail address").fill("alice@example.test")
            await page.get_by_role("button", name="Send me a link").click()
            await page.goto(await scene.site.link_for("alice", links + 1))
            await page.get_by_role("button", name="Sign in").click()
            await page.wait_for_url(f"{scene.app}{address}")
        assert scene.site.store.reading.request(number).status is Status.APPROVED
