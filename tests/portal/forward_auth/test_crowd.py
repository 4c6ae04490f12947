"""200 browsers at once at an application: each person's request is opened once, and all of theirs are let in."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

import httpx
import pytest

from tests.http_clients import plain_client
from tests.portal.forward_auth.applications import APP, BROWSER, COOKIE, CROWD, Scene, cookie_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

BROWSERS_EACH = 20
# Each is a new connection with TLS, and the test shares its processor.
AT_ONCE = 40
PATIENCE_SECONDS = 120
PAUSE_SECONDS = 0.5
ONCE = re.compile(r'name="once" value="([^"]+)"')


@pytest.mark.whole
@pytest.mark.parametrize("scene", ["nginx"], indirect=True)
async def test_200_browsers_ask_once_for_each_person_and_all_are_let_in(scene: Scene) -> None:
    loop, site = asyncio.get_running_loop(), scene.site
    people = [person for person in CROWD for _ in range(BROWSERS_EACH)]
    sessions = [site.session(person) for person in people]
    before = {person: len(site.store.reading.mine(person).asked) for person in CROWD}
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=0)
    async with plain_client(base_url=site.url, timeout=300, limits=limits) as portal:
        began, turns = loop.time(), asyncio.Semaphore(AT_ONCE)

        async def asks(session: str) -> tuple[str, str]:
            async with turns:
                address, secret = await scene.started()
            shown = (await portal.get(address, headers={"Cookie": f"session={session}"})).text
            if once := ONCE.search(shown):
                headers = {"Cookie": f"session={session}", "Origin": site.url}
                # 503 says "try again": the machine is busy.
                while (asked := await portal.post(address, data={"once": once[1]}, headers=headers)).status_code == 503:
                    assert loop.time() < began + PATIENCE_SECONDS, asked.text
                    await asyncio.sleep(PAUSE_SECONDS)
                assert asked.status_code == 303, asked.text
            return address, secret

        browsers = await asyncio.gather(*map(asks, sessions))
        print(f"{len(people)} browsers of {len(CROWD)} people had asked after {loop.time() - began:.1f} s")
        numbers = []
        for person in CROWD:
            [number, *others] = [one.approval_id for one in site.store.reading.mine(person).asked]
            assert len(others) == before[person]
            numbers.append(number)
            answer = await site.portal.post("grace", f"/requests/{number}/decide", {"verdict": "approve"})
            assert answer.status_code == 200, answer.text
        began = loop.time()

        async def passes(session: str, address: str, secret: str) -> int:
            ready = await portal.get(address, headers={"Cookie": f"session={session}"})
            url = urlsplit(ready.headers["Refresh"].partition("url=")[2])
            async with turns:
                back = await scene.get(f"{url.path}?{url.query}", {BROWSER: secret})
                return (await scene.get("/", {COOKIE: cookie_of(back, COOKIE)})).status_code

        own = [passes(session, *browser) for session, browser in zip(sessions, browsers, strict=True)]
        assert await asyncio.gather(*own) == [200] * len(people)
        print(f"all were let in {loop.time() - began:.1f} s after the last approval")
    for person, number in zip(CROWD, numbers, strict=True):
        newest = site.store.reading.mine(person).asked[0]
        assert (newest.approval_id, newest.subject.target) == (number, APP)
        await scene.revoked(number)
