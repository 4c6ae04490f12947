"""On each page axe finds nothing serious in either theme, and nobody needs scripts or has to scroll sideways."""

import re
from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from countersign.models import Status
from countersign.permissions import Principal
from engine.credentials.client_certificates import ClientCertificates
from engine.policy import apply_policy
from tests.authority import Authority
from tests.portal.context import POLICY
from tests.portal.pages.conftest import Site
from tests.portal.pages.registering import registered
from tests.portal.pages.test_enrolment import ENROLMENT
from tests.portal.pages.test_requests import asked

ADA = Principal("ada", admin=True)

pytestmark = pytest.mark.asyncio(loop_scope="session")

SERIOUS = {"serious", "critical"}
WIDTH_OF_A_PHONE = 360
PHONE: dict[str, Any] = {"viewport": {"width": WIDTH_OF_A_PHONE, "height": 740}}
# The dark theme may change only colours, so only the contrast is checked again.
THEMES: dict[Literal["dark", "light"], dict[str, Any]] = {
    "dark": {"runOnly": ["color-contrast"], "resultTypes": ["violations"]},
    "light": {"resultTypes": ["violations"]},
}
OVERFLOWS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


async def test_axe_finds_nothing_serious_and_a_phone_shows_all(site: Site) -> None:
    grace = await site.signed_in("grace", **PHONE)
    alice = await site.signed_in("alice")
    number = await asked(alice, next(site.portal.devices), "a-word-that-is-as-long-as-no-line-of-a-phone-is " * 3)
    device = (await registered(site, "grace", model="a-model-that-is-as-long-as-no-line-of-a-phone-is " * 2))["id"]
    pages = [
        "/approvals",
        "/approvals/all",
        "/approvals/all?person=grace&text=nothing&status=Waiting",
        f"/approvals/reject?number={number}&number=1",
        "/requests",
        "/requests/new",
        f"/requests/{number}",
        f"/requests/{number}/notifications/{number}.1.asked.grace.email",
        "/devices",
        f"/devices/{device}",
        f"/devices/{device}/leave",
        "/sessions",
        "/tokens",
        "/confirm",
        "/device?code=WDJB-MJHT",
        "/sign-in",
    ]
    for path in [*pages, "/sign-in/x.y", "/requests/1"]:
        await grace.goto(path)
        await looks_well(grace, path)


@pytest.mark.whole
async def test_pages_of_admins_look_as_well(site: Site) -> None:
    ada = await site.signed_in("ada", **PHONE)
    apply_policy(site.store, POLICY + "# something else\n", "ada")
    version = apply_policy(site.store, POLICY, "ada")
    authority = Authority("an-authority-whose-name-is-longer-than-a-line-of-a-phone-is-wide")
    certificates = ClientCertificates(site.store)
    if not site.store.certificates.authorities():
        certificates.trust(authority.pem, ["access.example.com"], ADA, {})
        certificates.check(authority.issue().der, "access.example.com", "192.0.2.7")
    device = (await registered(site, "grace"))["id"]
    pages = [
        "/approvals/all",
        "/audit",
        "/audit?device=no-such-device",
        "/overview?days=7",
        "/health",
        "/policy?requester=alice&device=no-such-device",
        "/policy/edit",
        "/enrolment",
        "/groups",
        "/groups?section=device_groups&query=no-such-group",
        "/groups/user_groups/engineers",
        "/groups/device_groups/web",
        "/settings",
        "/certificates",
        "/roles",
        "/roles/admin",
        "/team/devices?person=grace",
        "/team/devices?query=no-such-device",
        "/team/devices/revoke?person=grace",
        f"/devices/{device}",
        f"/devices/{device}/block",
        "/service-tokens",
        "/provisioning-keys",
        f"/policy/versions/{version - 1}",
        f"/policy/difference?old={version - 1}&new={version}",
    ]
    for path in pages:
        await ada.goto(path)
        await looks_well(ada, path)
    for text in (POLICY.replace("[grace]", "[nobody]"), POLICY.replace("[heidi]", "[bob]")):
        await ada.goto("/policy/edit")
        await ada.get_by_label("The text, in YAML").fill(text)
        await ada.get_by_role("button", name="Look at the plan").click()
        await looks_well(ada, text)
    apply_policy(site.store, POLICY + ENROLMENT, "ada")
    await ada.goto("/enrolment")
    for address in ("here", "192.0.2.7"):
        await ada.get_by_label("Person").fill("alice")
        await ada.get_by_label("Source address").fill(address)
        await ada.get_by_role("button", name="Show").click()
        await looks_well(ada, f"enrolment from {address}")
    apply_policy(site.store, POLICY, "ada")


async def looks_well(page: Page, what: str) -> None:
    """Axe finds nothing serious in either theme, a phone shows all, and there is one heading."""
    for scheme, options in THEMES.items():
        await page.emulate_media(color_scheme=scheme)
        found = await Axe().run(page, options=options)
        serious = [(one["id"], one["nodes"]) for one in found.response["violations"] if one["impact"] in SERIOUS]
        assert not serious, (what, scheme, serious)
    assert not await page.evaluate(OVERFLOWS), what
    assert await page.get_by_role("heading", level=1).count() == 1, what


async def test_without_scripts_all_of_it_works(site: Site) -> None:
    alice, grace = [await site.signed_in(one, java_script_enabled=False) for one in ("alice", "grace")]
    number = await asked(alice, next(site.portal.devices))
    await grace.goto("/approvals")
    await grace.locator(f"#r{number}").get_by_role("button", name="Reject").click()
    await grace.wait_for_url(re.compile(rf"/requests/{number}$"))
    await expect(grace.locator(".status").first).to_have_text("Rejected")
    assert site.store.reading.request(number).status is Status.REJECTED
    await grace.get_by_role("button", name="Sign out").click()
    await expect(grace.get_by_role("heading", level=1)).to_have_text("Sign in")


async def test_the_keyboard_alone_is_enough(site: Site) -> None:
    alice, grace = await site.signed_in("alice"), await site.signed_in("grace")
    number = await asked(alice, next(site.portal.devices))
    await grace.goto(f"/requests/{number}")
    await grace.keyboard.press("Tab")
    await expect(grace.locator(":focus")).to_have_text("Skip to the content")
    await grace.keyboard.press("Enter")
    for _ in range(30):
        await grace.keyboard.press("Tab")
        if await grace.locator(":focus").inner_text() == "Approve":
            break
    await grace.keyboard.press("Enter")
    await expect(grace.locator(".status").first).to_have_text("Approved")
