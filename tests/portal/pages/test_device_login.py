"""`countersign login`, the real program, and the page where its person allows it, with a real browser."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from portal.context import GUESSES_AN_HOUR
from tests.http_clients import plain_client
from tests.portal.pages.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

COMMAND = str(Path(sys.executable).parent / "countersign")
LINK = re.compile(r"http://\S+/device\?code=[A-Z-]+")


def environment(folder: Path) -> dict[str, str]:
    """The environment of somebody who has configured nothing."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}
    return ours | {"XDG_CONFIG_HOME": str(folder), "COLUMNS": "200"}


async def ran(folder: Path, *arguments: str, **more: str) -> tuple[int | None, str]:
    """How a command ended, and what it printed."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        COMMAND, *arguments, env=environment(folder) | more, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()


@asynccontextmanager
async def logging_in(folder: Path, url: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """The program while it waits, and the link that it shows."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        COMMAND, "login", "--url", url, env=environment(folder), stdout=pipe, stderr=pipe
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(60):
            said = ""
            while not (found := LINK.search(said)):
                line = await process.stderr.readline()
                assert line, said
                said += line.decode()
        yield process, found[0]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def looked_at(page: Page, link: str) -> None:
    await page.goto(link)
    await page.get_by_role("button", name="Continue").click()


async def test_a_person_logs_a_command_line_in_and_out(site: Site, tmp_path: Path) -> None:
    heidi = await site.signed_in("heidi")
    async with logging_in(tmp_path, site.url) as (process, link):
        await looked_at(heidi, link)
        await expect(heidi.locator("dl")).to_contain_text("127.0.0.1")
        await expect(heidi.locator("dl")).to_contain_text("12 hours")
        await heidi.get_by_role("button", name="Allow").click()
        await expect(heidi.get_by_role("heading", level=1)).to_have_text("Allowed")
        out, _ = await process.communicate()
        assert (process.returncode, "Logged in as heidi" in out.decode()) == (0, True)
    file = tmp_path / "countersign" / "login.json"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    code, said = await ran(tmp_path, "whoami")
    assert (code, said.startswith("heidi, a person")) == (0, True)
    # What is given wins over the login, and the login's token is sent to no other portal.
    code, said = await ran(tmp_path, "whoami", COUNTERSIGN_TOKEN=site.portal.tokens["grace"], COUNTERSIGN_URL=site.url)
    assert (code, said.startswith("grace")) == (0, True)
    elsewhere = site.url.replace("127.0.0.1", "localhost")
    assert (await ran(tmp_path, "whoami", "--url", elsewhere))[0] == 3
    await heidi.goto("/tokens")
    await expect(heidi.locator(".line", has_text="login on countersign of")).to_have_count(1)
    token = file.read_text()
    code, said = await ran(tmp_path, "logout")
    assert (code, file.exists()) == (0, False)
    assert site.store.tokens.find(re.findall(r"cs_\w+", token)[0]) is None
    code, said = await ran(tmp_path, "whoami", "--url", site.url)
    assert (code, "Run `countersign login`" in said) == (3, True)
    assert (await ran(tmp_path, "logout"))[0] == 5


async def test_a_login_that_is_denied_gets_nothing_and_its_code_is_good_for_nothing(site: Site, tmp_path: Path) -> None:
    heidi = await site.signed_in("heidi")
    async with logging_in(tmp_path, site.url) as (process, link):
        await looked_at(heidi, link)
        await heidi.get_by_role("button", name="Deny").click()
        await expect(heidi.get_by_role("heading", level=1)).to_have_text("Denied")
        _, err = await process.communicate()
        assert (process.returncode, "was denied" in err.decode()) == (3, True)
    assert not (tmp_path / "countersign").exists()
    await looked_at(heidi, link)
    await expect(heidi.get_by_role("alert")).to_contain_text("No login waits with this code")


async def test_who_is_not_signed_in_does_so_first_and_comes_back_with_the_code(site: Site) -> None:
    bob = await site.page()
    await bob.goto("/device?code=WDJB-MJHT")
    assert bob.url.endswith("/sign-in?go_to=/device%3Fcode%3DWDJB-MJHT")


async def test_codes_can_not_be_guessed(site: Site) -> None:
    cookies = {"session": site.session("carol")}
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with plain_client(base_url=site.url, cookies=cookies, headers=headers) as client:
        # Looking and answering count together.
        tries = [("/device", {}), ("/device/answer", {"verdict": "allow"})] * GUESSES_AN_HOUR
        replies = [await client.post(path, data={"code": "BBBBBBBB", **more}) for path, more in tries]
    statuses = [one.status_code for one in replies]
    assert statuses == [404] * GUESSES_AN_HOUR + [429] * GUESSES_AN_HOUR


async def test_what_a_machine_says_of_itself_is_shown_as_text(site: Site) -> None:
    async with plain_client(base_url=f"{site.url}/api/v1") as client:
        hostile = "<script>alert(1)</script> <b>the portal</b>"
        begun = (await client.post("/login", json={"machine": hostile})).json()
        assert (await client.post("/login", json={"machine": "x" * 5000})).status_code == 413
        assert (await client.post("/login", json={"machine": "x" * 101})).status_code == 422
        assert (await client.post("/login/token", json={"device_code": "x"})).status_code == 422
        polled = await client.post("/login/token", json={"device_code": begun["device_code"]})
    assert (polled.status_code, polled.json()["error"]) == (400, "authorization_pending")
    assert polled.json()["type"] == "/api/v1/problems/authorization-pending"
    heidi = await site.signed_in("heidi")
    await looked_at(heidi, begun["verification_uri_complete"])
    await expect(heidi.locator("dl")).to_contain_text(hostile)
