"""The relay between nginx or Caddy and an application: what it passes on, and what it cuts when the grant ends."""

from __future__ import annotations

import asyncio
import getpass
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio

from countersign.gates.access import Access
from countersign.gates.config import Target
from countersign.gates.http_relay import HEAD_SECONDS, HttpSection, relaying
from countersign.http import Api
from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from store.tokens import Owner
from tests.countersign.gates.portal_behind import portal_behind
from tests.portal.context import until
from tests.portal.forward_auth.applications import APP, APPLICATIONS, PROXIES, behind
from tests.portal.forward_auth.raw_application import LARGE, MEGABYTE, RawApplication, Relayed
from tests.portal.pages.conftest import Site
from tests.tls_proxies import found

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECONDS = 90
NOBODY = 65534
SAYS = """
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
one = socket.socket(socket.AF_UNIX); one.connect(sys.argv[1])
try:
    one.sendall(sys.argv[3].encode()); print(one.makefile().read())
except OSError as error:
    print(error)
"""


@asynccontextmanager
async def relayed(name: str, site: Site, folder: Path) -> AsyncIterator[Relayed]:
    """Applications behind this proxy, and the relay between."""
    application = RawApplication()
    server = await asyncio.start_server(application, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    token = TokenActions(site.store).create(
        Owner(kind="gateway", name=f"relay-{name}", targets=[APP], variants=["http"]), "tests"
    )
    # The path of a Unix socket may have 107 characters.
    with portal_behind(site.url) as portal, Api(portal.url, token) as api, tempfile.TemporaryDirectory() as short:
        os.chmod(short, 0o755)
        access = Access(api, grace=SECONDS, retry_within=SECONDS)
        following = asyncio.create_task(access.run())
        targets = {APP: Target(address="127.0.0.1", ports={"http": port})}
        async with relaying(HttpSection(proxy_user=getpass.getuser(), folder=Path(short)), targets, access):
            path = Path(short) / f"{APP}.sock"
            await until(lambda: access.answers)
            async with behind(name, site, folder, Path(short)) as scene:
                yield Relayed(scene, application, path, portal)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    server.close()


@pytest_asyncio.fixture(params=sorted(PROXIES), scope="module", loop_scope="session")
async def relay(
    request: pytest.FixtureRequest, installation: Site, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Relayed]:
    """Applications behind a proxy and the relay."""
    if found(request.param) is None:
        pytest.skip(f"{request.param} is not installed (Debian's package is {request.param})")
    async with relayed(request.param, installation, tmp_path_factory.mktemp(f"relay-{request.param}")) as one:
        yield one


async def test_requests_pass_each_as_its_own_persons_and_without_what_is_not_for_the_application(
    relay: Relayed,
) -> None:
    scene = relay.scene
    async with scene.granted("alice") as mine, scene.granted("bob") as others:
        for person, number in (("alice", mine), ("bob", others), ("alice", mine)):
            cookies = await scene.opened(person)
            reply = await scene.get("/", cookies, method="POST", content=b"x" * 200_000)
            assert (reply.status_code, len(reply.content)) == (200, 200_002), reply.text
            lines = [line.lower() for line in relay.application.heads[-1].splitlines()]
            assert f"remote-user: {person}" in lines
            assert f"countersign-approval: {number}" in lines
            assert "connection: close" in lines
            assert all(value not in relay.application.heads[-1] for value in cookies.values())


async def test_the_first_connections_of_a_browser_ask_the_portal_once(relay: Relayed) -> None:
    assert relay.portal
    async with relay.scene.granted("alice", source_address="127.0.0.9") as number:
        own = f"remote-user: alice\r\nx-forwarded-for: 127.0.0.9\r\ncountersign-approval: {number}"
        before = relay.portal.asked.count("GET /api/v1/requests")
        streams = [await asyncio.open_unix_connection(relay.path) for _ in range(6)]
        for _, writer in streams:
            writer.write(f"GET / HTTP/1.1\r\nhost: x\r\n{own}\r\n\r\n".encode())
        async with asyncio.timeout(SECONDS):
            heads = [await reader.readline() for reader, _ in streams]
        assert heads == [b"HTTP/1.1 200 OK\r\n"] * 6
        assert relay.portal.asked.count("GET /api/v1/requests") == before + 1
        for _, writer in streams:
            writer.close()


@pytest.mark.parametrize("by", ["revoking", "disabling"])
async def test_a_websocket_and_a_download_end_with_the_grant(relay: Relayed, by: str) -> None:
    scene = relay.scene
    async with scene.granted("carol") as number, relay.talking(await scene.opened("carol")) as over:
        begun = asyncio.get_running_loop().time()
        if by == "disabling":
            disabled = APPLICATIONS.replace("carol@example.test}", "carol@example.test, disabled: true}")
            await asyncio.to_thread(apply_policy, scene.site.store, disabled, "ada")
        else:
            await scene.revoked(number)
        async with asyncio.timeout(SECONDS):
            await over()
        print(f"both were cut {asyncio.get_running_loop().time() - begun:.2f} s after {by}")
        apply_policy(scene.site.store, APPLICATIONS, "ada")
    await until(lambda: relay.application.open == 0)


async def test_a_client_that_reads_slowly_gets_no_more_of_a_download_than_was_on_its_way(relay: Relayed) -> None:
    scene = relay.scene
    async with scene.granted("alice") as number:
        cookies = await scene.opened("alice")
        download, close, head = await relay.connected("/large", cookies, {"Connection": "close"})
        assert head.startswith("HTTP/1.1 200"), head
        await scene.revoked(number)
        await until(lambda: relay.application.open == 0)
        size = 0
        with suppress(OSError, asyncio.IncompleteReadError):
            async with asyncio.timeout(SECONDS):
                while data := await download.read(MEGABYTE):
                    size += len(data)
        print(f"{size / MEGABYTE:.1f} MB were on their way")
        assert size < LARGE * MEGABYTE / 2
        close.close()


def _said(number: int, path: str, more: str = "") -> bytes:
    identity = f"Remote-User: alice\r\nCountersign-Approval: {number}\r\nX-Forwarded-For: 127.0.0.1\r\n"
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{identity}{more}\r\n".encode()


async def test_an_application_that_says_nothing_is_left_when_the_client_has_gone(relay: Relayed) -> None:
    async with relay.scene.granted("alice") as number:
        _, writer = await asyncio.open_unix_connection(relay.path)
        writer.write(_said(number, "/silent"))
        await until(lambda: relay.application.open == 1)
        writer.close()
        await until(lambda: relay.application.open == 0)


async def test_no_other_protocol_than_websockets_and_no_trailer_passes(relay: Relayed) -> None:
    async with relay.scene.granted("alice") as number:
        reader, writer = await asyncio.open_unix_connection(relay.path)
        other = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        writer.write(_said(number, "/chunked", f"{other}Transfer-Encoding: chunked\r\n"))
        writer.write(b"4\r\nbody\r\n0\r\nRemote-User: root\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 204")
        writer.close()
    head, body = relay.application.heads[-2:]
    assert "h2c" not in head
    assert body == "4\r\nbody\r\n0\r\n\r\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another account needs root")
async def test_another_account_opens_nothing(relay: Relayed) -> None:
    before = len(relay.application.heads)
    async with relay.scene.granted("alice") as number:
        forged = (
            f"GET / HTTP/1.1\r\nHost: x\r\nRemote-User: alice\r\nCountersign-Approval: {number}\r\n"
            "X-Forwarded-For: 127.0.0.1\r\n\r\n"
        )
        for sent in (forged, ""):
            # Sending nothing keeps no connection open either.
            command = [sys.executable, "-c", SAYS, str(relay.path), str(NOBODY), sent]
            said = await asyncio.to_thread(
                subprocess.run, command, capture_output=True, text=True, check=True, timeout=HEAD_SECONDS / 2
            )
            assert "HTTP/1.1" not in said.stdout, said
    assert len(relay.application.heads) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Remote-User: alice\r\nCountersign-Approval: {number}\r\nX-Forwarded-For: 127.0.0.1", 200),
        ("Remote-User: alice\r\nCountersign-Approval: {number}", 403),
        ("Remote-User: bob\r\nCountersign-Approval: {number}\r\nX-Forwarded-For: 127.0.0.1", 403),
        ("Remote-User: alice\r\nCountersign-Approval: {number}\r\nX-Forwarded-For: 192.0.2.7", 403),
        ("Remote-User: bob\r\nRemote-User: alice\r\nCountersign-Approval: {number}\r\nX-Forwarded-For: 127.0.0.1", 403),
    ],
)
async def test_what_the_proxy_says_has_to_be_what_the_grant_is_for(relay: Relayed, headers: str, status: int) -> None:
    async with relay.scene.granted("alice") as number:
        reader, writer = await asyncio.open_unix_connection(relay.path)
        # What follows the first request is not read as another.
        second = "GET /second HTTP/1.1\r\nHost: x\r\n\r\n"
        writer.write(f"GET / HTTP/1.1\r\nHost: x\r\n{headers.format(number=number)}\r\n\r\n{second}".encode())
        async with asyncio.timeout(SECONDS):
            answer = await reader.read()
        assert answer.startswith(f"HTTP/1.1 {status}".encode()), answer
        assert answer.count(b"HTTP/1.1 ") == 1
        writer.close()
    assert not any("/second" in head for head in relay.application.heads)
