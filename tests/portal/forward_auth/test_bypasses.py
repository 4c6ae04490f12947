"""What somebody without access may send to nginx and Caddy: none of it reaches an application."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from tests.portal.forward_auth.applications import COOKIE, HOST, OTHER, Scene

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECONDS = 60
PATHS = (
    *("//", "//secret", "/./secret", "/%2e/secret", "/%2e%2e/secret", "/%2F/secret", "/a/../secret", "/secret%00"),
    *(
        "/.countersign/../secret",
        "/.countersign/%2e%2e/secret",
        "/.countersign%2f..%2fsecret",
        "/.countersign//../secret",
    ),
    *(
        "//.countersign/secret",
        "/%2ecountersign/../secret",
        "/.COUNTERSIGN/secret",
        "/.countersign",
        "/.countersign;/x",
    ),
    *(
        "/countersign-check",
        "/countersign-refused",
        "/forward-auth",
        "/secret?/.countersign/",
        "/secret#/.countersign/",
    ),
    *("/.countersign/\\..\\secret", "/.countersign/..;/secret"),
)
# With these headers, servers and frameworks are told another address than the request's.
OTHER_ADDRESSES = ("X-Original-URL", "X-Rewrite-URL", "X-Original-URI", "X-Forwarded-Uri", "X-Forwarded-Prefix")


async def raw(scene: Scene, sent: str, name: str = HOST, source: str = "127.0.0.1") -> str:
    """The answer to these bytes, sent on one connection."""
    context = ssl.create_default_context(cadata=scene.certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", scene.port, ssl=context, server_hostname=name, local_addr=(source, 0)
    )
    writer.write(sent.encode("latin-1"))
    async with asyncio.timeout(SECONDS):
        answer = await reader.read()
    writer.close()
    return answer.decode("latin-1")


def get(scene: Scene, target: str, more: str = "", host: str = HOST, method: str = "GET") -> str:
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}:{scene.port}\r\n"
    return f"{head}Accept: text/html\r\nConnection: close\r\n{more}\r\n"


def status(answer: str) -> int:
    return int(answer.split(" ", 2)[1])


async def test_no_path_passes_by_the_question(scene: Scene) -> None:
    seen = len(scene.application.seen)
    for path in PATHS:
        for method in ("GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND"):
            answer = await raw(scene, get(scene, path, method=method))
            assert status(answer) >= 300, (method, path, answer)
    assert len(scene.application.seen) == seen


async def test_no_header_names_another_address_to_ask_about(scene: Scene) -> None:
    seen = len(scene.application.seen)
    for header in OTHER_ADDRESSES:
        for value in ("/.countersign/start", "/.countersign/accept", "/forward-auth"):
            answer = await raw(scene, get(scene, "/secret", f"{header}: {value}\r\n"))
            assert (status(answer), "start?to=/secret" in answer) == (302, True), (header, answer)
    assert len(scene.application.seen) == seen


async def test_another_host_in_the_request_line_opens_nothing(scene: Scene) -> None:
    async with scene.granted("alice"):
        cookie = f"Cookie: {COOKIE}={(await scene.opened('alice'))[COOKIE]}\r\n"
        port = scene.port
        assert status(await raw(scene, get(scene, "/", cookie))) == 200
        seen = len(scene.application.seen)
        for target, host in (
            (f"https://{OTHER}:{port}/secret", HOST),
            (f"http://{OTHER}/secret", HOST),
            (f"https://{HOST}:{port}/secret", OTHER),
        ):
            for name in (HOST, OTHER):
                answer = await raw(scene, get(scene, target, cookie, host), name)
                told = scene.application.seen[seen:]
                # A proxy may go by the request line alone, if that names the application that she may use.
                assert status(answer) >= 300 or target.startswith(f"https://{HOST}"), (target, host, answer)
                assert all(one["host"] == [f"{HOST}:{port}"] for one in told), (target, host, told)


async def test_no_second_request_is_smuggled_in_a_body(scene: Scene) -> None:
    async with scene.granted("alice"):
        cookie = f"Cookie: {COOKIE}={(await scene.opened('alice'))[COOKIE]}\r\n"
        hidden = f"GET /hidden HTTP/1.1\r\nHost: {HOST}\r\nRemote-User: root\r\n\r\n"
        chunked = f"0\r\n\r\n{hidden}"
        for lengths in (
            f"Content-Length: {len(chunked)}\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
            f"Transfer-Encoding: xchunked\r\nContent-Length: {len(chunked)}\r\n",
            f"Transfer-Encoding : chunked\r\nContent-Length: {len(chunked)}\r\n",
            f"Transfer-Encoding: chunked, identity\r\nContent-Length: {len(chunked)}\r\n",
            f"Transfer_Encoding: chunked\r\nContent-Length: {len(chunked)}\r\n",
            f"Content-Length: 0\r\nContent-Length: {len(chunked)}\r\n",
            f"Content-Length: +{len(chunked)}\r\n",
            "Transfer-Encoding: chunked\r\n",
            "",
        ):
            seen = len(scene.application.seen)
            head = f"POST /seen HTTP/1.1\r\nHost: {HOST}:{scene.port}\r\n{cookie}{lengths}\r\n"
            await raw(scene, f"{head}{chunked}{get(scene, '/last')}")
            told = scene.application.seen[seen:]
            assert len(told) <= 1, (lengths, told)
            assert all(one["remote-user"] == ["alice"] for one in told), (lengths, told)


async def test_the_cookie_of_another_person_opens_nothing_from_elsewhere(scene: Scene) -> None:
    async with scene.granted("alice"):
        cookie = f"Cookie: {COOKIE}={(await scene.opened('alice'))[COOKIE]}\r\n"
        assert status(await raw(scene, get(scene, "/", cookie))) == 200
        seen = len(scene.application.seen)
        for more in ("", "X-Forwarded-For: 127.0.0.1\r\n", "X-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n"):
            assert status(await raw(scene, get(scene, "/", f"{cookie}{more}"), source="127.0.0.2")) == 302
        assert len(scene.application.seen) == seen
