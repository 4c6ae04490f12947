"""How web applications can be reached while a part is killed or stopped, and when time is up.

With the real nginx and Caddy, PostgreSQL, and processes of the portal and the gate service, killed by SIGKILL.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from portal.__main__ import plan
from portal.app import create_app
from portal.server import Server
from sandbox.postgres import NoPostgres
from sandbox.temporal_server import free_port
from settings import Settings
from tests.portal.context import Portal, serving, until
from tests.portal.forward_auth.applications import APP, ONE_PROXY_OR_BOTH, OTHER, WIKI, Scene
from tests.portal.forward_auth.host import BRIEF_SECONDS, GRACE_SECONDS, NO_TEMPORAL, Host, Scenes, serving_host
from tests.portal.pages.conftest import Site
from tests.tls_proxies import found

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECONDS = 90
PAUSE_SECONDS = 0.05
VALID_SECONDS = 10


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def host() -> AsyncIterator[Host]:
    try:
        async with serving_host() as made:
            for person in ("alice", "bob"):
                made.approved(person, APP)
            yield made
    except NoPostgres as error:
        pytest.skip(str(error))


@pytest.fixture(params=ONE_PROXY_OR_BOTH, scope="module")
def proxy(request: pytest.FixtureRequest) -> str:
    if found(request.param) is None:
        pytest.skip(f"{request.param} is not installed (Debian's package is {request.param})")
    return str(request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scenes(host: Host, proxy: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scenes]:
    async with host.scenes(proxy, tmp_path_factory.mktemp(proxy)) as made:
        yield made


def now() -> float:
    return asyncio.get_running_loop().time()


async def until_status(scene: Scene, cookies: Mapping[str, str], passes: bool, name: str = "") -> float:
    """Wait until somebody passes, or no longer does; returns when that was."""
    async with asyncio.timeout(SECONDS):
        at = {"host": name} if name else {}
        while ((await scene.get("/", cookies, **at)).status_code == 200) != passes:  # noqa: ASYNC110 - as a browser does
            await asyncio.sleep(PAUSE_SECONDS)
    return now()


async def opened(scenes: Scenes, person: str) -> tuple[dict[str, str], dict[str, str]]:
    """The cookies of somebody who passes, without the relay and with it."""
    direct, relayed = await scenes.direct.opened(person), await scenes.relayed.opened(person)
    await until_status(scenes.direct, direct, True)
    await until_status(scenes.relayed, relayed, True)
    return direct, relayed


async def nobody_passes(scenes: Scenes, direct: Mapping[str, str], relayed: Mapping[str, str]) -> None:
    """Check that nothing that is sent, with these cookies or without, reaches an application."""
    before = scenes.reached()
    for scene, cookies in ((scenes.direct, direct), (scenes.relayed, relayed)):
        for sent in (cookies, {}):
            replies: list[httpx.Response] = [await scene.get("/", sent, method=one) for one in ("GET", "POST")]
            assert all(one.status_code >= 300 for one in replies), replies
    assert scenes.reached() == before


@pytest.mark.parametrize("what", ["portal", "database"])
async def test_without_portal_or_database_nobody_passes_until_it_is_there_again(
    host: Host, scenes: Scenes, what: str
) -> None:
    direct, relayed = await opened(scenes, "alice")
    requests = host.requests()
    end: Callable[[], None] = host.portal.kill if what == "portal" else host.stop_database
    async with scenes.relay.talking(relayed) as over:
        await asyncio.to_thread(end)
        ended = now()
        closed = await until_status(scenes.direct, direct, False), await until_status(scenes.relayed, relayed, False)
        print(f"closed {closed[0] - ended:.2f} s after the {what} had ended, {closed[1] - ended:.2f} s with the relay")
        await nobody_passes(scenes, direct, relayed)
        if what == "database":
            reply = await scenes.direct.get("/", direct)
            assert (reply.status_code, "The database can't be reached" in reply.text) == (503, True), reply.text
        async with asyncio.timeout(SECONDS):
            await over()
        print(f"what had begun was cut {now() - ended:.2f} s after that; the grace is {GRACE_SECONDS} s")
    await until(lambda: scenes.application.open == 0)
    await nobody_passes(scenes, direct, relayed)
    await (host.portal.start() if what == "portal" else asyncio.to_thread(host.start_database))
    began = now()
    open_again = await until_status(scenes.direct, direct, True), await until_status(scenes.relayed, relayed, True)
    print(f"open again after {open_again[0] - began:.2f} s, {open_again[1] - began:.2f} s with the relay")
    async with scenes.relay.talking(relayed):
        assert host.requests() == requests
    await until(lambda: scenes.application.open == 0)


# nginx answers with words of ours, Caddy with none.
SILENT = {"nginx": (503, "The portal does not answer"), "caddy": (504, "")}


async def test_a_portal_that_says_nothing_keeps_nobody_waiting(host: Host, proxy: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        site = Site(url, Portal(url), host.site.store, host.site.mail)
        async with host.scenes(proxy, tmp_path, site) as scenes:
            began, reached = now(), scenes.reached()
            # The client gives up after a minute, as people do, and so do these proxies if not configured otherwise.
            replies = [await scene.get("/") for scene in (scenes.direct, scenes.relayed)]
            print(f"{proxy} said so after {(now() - began) / 2:.1f} s")
            status, message = SILENT[proxy]
            assert [(one.status_code, message in one.text) for one in replies] == [(status, True)] * 2
            assert (await scenes.direct.get("/.countersign/start")).status_code == 504
            assert scenes.reached() == reached


async def test_a_killed_gate_service_cuts_what_it_relays_and_is_used_again_once_it_is_there(
    host: Host, scenes: Scenes
) -> None:
    direct, relayed = await opened(scenes, "alice")
    requests = host.requests()
    async with scenes.relay.talking(relayed) as over:
        host.gate.kill()
        ended = now()
        async with asyncio.timeout(SECONDS):
            await over()
        print(f"both were cut {now() - ended:.2f} s after the gate service was killed")
    await until(lambda: scenes.application.open == 0)
    before = scenes.reached()[1]
    assert (await scenes.relayed.get("/", relayed)).status_code == 502
    assert scenes.reached()[1] == before
    # Without the relay, nothing changes.
    assert (await scenes.direct.get("/", direct)).status_code == 200
    await host.gate.start()
    began = now()
    print(f"open again after {await until_status(scenes.relayed, relayed, True) - began:.2f} s")
    async with scenes.relay.talking(relayed) as over, asyncio.timeout(SECONDS):
        await asyncio.to_thread(host.gate.stop)
        await over()
    await host.gate.start()
    await until(lambda: scenes.application.open == 0)
    assert host.requests() == requests
    assert "Traceback" not in host.gate.said.read_text()


async def test_when_a_grant_ends_nobody_passes_and_what_has_begun_is_cut(host: Host, scenes: Scenes) -> None:
    ends_at = await asyncio.to_thread(host.approved, "bob", WIKI)
    cookies = [await scene.opened("bob", OTHER) for scene in (scenes.direct, scenes.relayed)]
    requests = host.requests()

    async def measured(waiting: Awaitable[object]) -> float:
        await waiting
        return (datetime.now(UTC) - ends_at).total_seconds()

    async with scenes.relay.talking(cookies[1], OTHER) as over, asyncio.timeout(BRIEF_SECONDS + SECONDS):
        after = await asyncio.gather(
            measured(until_status(scenes.direct, cookies[0], False, OTHER)),
            measured(until_status(scenes.relayed, cookies[1], False, OTHER)),
            measured(over()),
        )
    print("closed {:.2f} s after the grant's end, {:.2f} s with the relay; both cut after {:.2f} s".format(*after))
    assert min(after) > -1
    await until(lambda: scenes.application.open == 0)
    assert host.requests() == requests


async def test_when_a_yes_is_good_no_longer_the_browser_comes_to_the_portal_again(
    host: Host, proxy: str, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = Settings(
        database_url=host.database_url,
        TEMPORAL_ADDRESS=NO_TEMPORAL,
        portal_port=port,
        public_url=url,
        http_valid_seconds=timedelta(seconds=VALID_SECONDS),
    )
    site = Site(url, Portal(url), host.site.store, host.site.mail)
    async with (
        serving(Server(create_app(plan(settings)), "127.0.0.1", port)),
        host.scenes(proxy, tmp_path, site) as scenes,
    ):
        for scene in (scenes.direct, scenes.relayed):
            began = now()
            cookies = await scene.opened("alice")
            assert (await scene.get("/", cookies)).status_code == 200
            print(f"closed {await until_status(scene, cookies, False) - began:.2f} s after it was opened")
            assert now() - began > VALID_SECONDS - 1
            led = await scene.get("/", cookies)
            assert (led.status_code, "/.countersign/start?" in led.headers["Location"]) == (302, True)
            # The grant lasts, so that nobody is asked again.
            assert (await scene.get("/", await scene.opened("alice"))).status_code == 200


async def test_a_grant_is_found_behind_many_newer_requests_whose_grants_are_over(host: Host, scenes: Scenes) -> None:
    if not host.site.store.reading.mine("carol").asked:
        for _ in range(55):
            host.approved("carol", APP)
            host.set_grants("carol", "Ended")
        host.set_grants("carol", "Active", only_first=True)
    await until_status(scenes.relayed, await scenes.relayed.opened("carol"), True)
