"""`make screenshots`: every page of the portal as Chromium shows it, on a phone and on a wide screen, light and dark.

They are written to var/screenshots. Those that README.md shows are drawn anew in docs/pictures/portal, as SVG: text,
which a reviewer can read, and which the reader's browser draws in the reader's theme.
"""

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from sandbox.temporal_server import TemporalServer
from tests.pictures.slack import PICTURES
from tests.portal.pages.conftest import CHROMIUM, Site, chromium, installed
from tests.portal.pages.registering import registered

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "var" / "screenshots"
POLICY = ROOT / "examples" / "policy.yaml"
WIDTHS = {"phone": 390, "wide": 1280}
STYLE = ROOT / "portal" / "pages" / "files" / "style.css"
ASKED = [
    ("alice", "db-1", "ssh", "Disk full: clean up the old dumps."),
    ("bob", "web-1", "ssh", "Renew the certificates."),
    ("dave", "web-1", "sftp", "Copy the access logs for the audit."),
    ("alice", "web-1", "http", "Look at the new admin page."),
]
# Each page by the name of its picture: who is shown it, and its address; {} is the number of a request.
PAGES = {
    "sign-in": ("", "/sign-in"),
    "approvals": ("grace", "/approvals"),
    "my-requests": ("alice", "/requests"),
    "ask": ("alice", "/requests/new?device=db-1&protocol=ssh"),
    "request-waiting": ("grace", "/requests/{}"),
    "request-approved": ("ada", "/requests/{}"),
    "all": ("ada", "/approvals/all"),
    "sessions": ("grace", "/sessions"),
    "tokens": ("grace", "/tokens"),
    "groups": ("ada", "/groups"),
    "group": ("ada", "/groups/user_groups/engineers"),
    "roles": ("ada", "/roles"),
    "role": ("ada", "/roles/admin"),
    "team-devices": ("ada", "/team/devices?person=alice"),
    "my-devices": ("alice", "/devices"),
    "settings": ("ada", "/settings"),
    "policy": ("ada", "/policy?requester=alice&device=db-1&protocol=ssh"),
    "policy-edit": ("ada", "/policy/edit"),
    "audit": ("ada", "/audit"),
    "overview": ("ada", "/overview"),
    "health": ("ada", "/health"),
    "confirm": ("grace", "/confirm"),
    "device": ("grace", "/device?code=WDJB-MJHT"),
}
NUMBERS = {"request-waiting": 0, "request-approved": 1}
# Those that README.md shows, and how high they are drawn.
IN_README = {"approvals": 800, "ask": 940, "request-approved": 860, "all": 640}
DRAW = """([style, width, height]) => {
  const page = document.documentElement.cloneNode(true);
  for (const one of page.querySelectorAll("script, link, [hidden]")) one.remove();
  page.querySelector("head").append(Object.assign(document.createElement("style"), { textContent: style }));
  const html = new XMLSerializer().serializeToString(page);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<foreignObject width="100%" height="100%">${html}</foreignObject></svg>`;
}"""


async def main() -> None:
    """Play until there is something to see, and take the pictures."""
    if not CHROMIUM:
        sys.exit("Chromium is needed, and is not installed (Debian's package is chromium-headless-shell).")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            TemporalServer(say=print) as temporal,
            installed(temporal.address, Path(folder), POLICY.read_text()) as site,
            chromium() as site.browser,
        ):
            numbers = await _play(site)
            for name, (person, path) in PAGES.items():
                await _take(site, name, person, path.format(numbers[NUMBERS.get(name, 0)]))
    print(f"Written to {SCREENSHOTS.relative_to(ROOT)}.")


async def _play(site: Site) -> list[int]:
    """Ask, approve one and reject another; the numbers of the requests, in their order."""
    numbers = []
    for person, device, protocol, reason in ASKED:
        page = await site.signed_in(person, "/requests/new")
        await page.get_by_label("Device").fill(device)
        await page.get_by_label("Protocol").select_option(protocol)
        await page.get_by_label("Reason").fill(reason)
        await page.get_by_role("button", name="Ask").click()
        await page.wait_for_url(re.compile(r"/requests/\d+$"))
        numbers.append(int(page.url.rpartition("/")[2]))
    await registered(site, "alice")
    await _answer(site, "grace", numbers[1], "Approve", "Go ahead, and tell the team.")
    await _answer(site, "ivan", numbers[2], "Reject", "The audit is next week; ask again then.")
    return numbers


async def _answer(site: Site, person: str, number: int, button: str, comment: str) -> None:
    page = await site.signed_in(person, f"/requests/{number}")
    await page.get_by_label("Comment").fill(comment)
    await page.get_by_role("button", name=button).click()
    await page.locator(".status", has_text=re.compile("Approved|Rejected")).first.wait_for()


async def _take(site: Site, name: str, person: str, path: str) -> None:
    for device, width in WIDTHS.items():
        for scheme in ("light", "dark"):
            wide: dict[str, Any] = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
            page = await (site.signed_in(person, path, **wide) if person else site.page(**wide))
            await page.goto(path)
            await page.screenshot(path=SCREENSHOTS / f"{name}-{device}-{scheme}.png", full_page=True)
            if name in IN_README and (device, scheme) == ("wide", "light"):
                await _draw(page, name, width)
    print(f"  {name}: {path}")


async def _draw(page: Page, name: str, width: int) -> None:
    drawn = await page.evaluate(DRAW, [STYLE.read_text(), width, IN_README[name]])
    (PICTURES / "portal" / f"{name}.svg").write_text(drawn + "\n")


if __name__ == "__main__":
    asyncio.run(main())
