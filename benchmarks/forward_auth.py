"""What it costs to ask whether a request may pass to a web application, next to a bare endpoint of the same server.

The server is a process of its own; the same connections ask both in turn, with the same headers.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import cast

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from benchmarks.place import Place, deployment, policy, process
from countersign.client import Client
from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from engine.credentials.application_sessions import ApplicationSessions, AtApplication
from engine.credentials.tokens import TokenActions
from engine.policy import apply_policy
from portal.app import create_app
from portal.context import Plan
from portal.forward_auth.check import PATH
from portal.forward_auth.proxied import COOKIE
from portal.server import Server
from sandbox.temporal_server import HOST, free_port
from store import Store, sessions
from store.tokens import Owner, hashed

PERSON, DEVICE, APPLICATION = "ada", "device-0", "bench.example.test"
CONNECTIONS = 16
CALLS = 2000
ROUNDS = 7
BARE = "/bare"
# What a browser and a proxy add.
HEADERS = f"""Host: {APPLICATION}
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
Accept-Language: en-GB,en;q=0.5
Accept-Encoding: gzip, deflate, br
Sec-Fetch-Dest: document
Sec-Fetch-Mode: navigate
Sec-Fetch-Site: same-origin
X-Forwarded-Proto: https
X-Forwarded-Host: {APPLICATION}
X-Forwarded-Uri: /d/1?from=now-6h
X-Forwarded-For: 192.0.2.7
Countersign-Device: {DEVICE}
"""


async def checks_per_second(place: Place, say: Callable[[str], None]) -> dict[str, float]:
    """Checks per second, and the ratio to the bare endpoint; medians of ROUNDS."""
    say(f"{ROUNDS} times {CALLS} requests to a web application, and as many to a bare endpoint")
    port = free_port()
    async with deployment(place, "forward-auth") as running:
        apply_policy(running.store, f"{policy()}\napplications: {{{APPLICATION}: {DEVICE}}}\n", "bench")
        put = ConnectionQuestion(
            requester=PERSON, device=DEVICE, protocol=ConnectionProtocol.HTTP, source_address="192.0.2.7"
        )
        await running.client.ask(put, asked_by=PERSON)
        secrets = await asyncio.to_thread(_let_in, running.store, put)
        server = process(
            place,
            *("-m", "benchmarks.forward_auth", str(port)),
            running.store.database.url.render_as_string(hide_password=False),
            ready="running on",
        )
        async with server:
            found = [(await _rate(port, PATH, secrets), await _rate(port, BARE, secrets)) for _ in range(ROUNDS)]
    return {
        "forward auth checks / s": median(ours for ours, _ in found),
        "bare endpoint / s": median(bare for _, bare in found),
        "ratio: forward auth checks / bare endpoint": median(ours / bare for ours, bare in found),
    }


def _let_in(store: Store, question: ConnectionQuestion) -> str:
    """The headers of a proxy and a browser that may pass."""
    now = datetime.now(UTC)
    row = {"person": PERSON, "signed_in_by": "link", "browser": "bench", "source_address": question.source_address}
    times = {"started_at": now, "confirmed_at": now, "ends_at": now + timedelta(hours=1)}
    with store.database.transaction() as connection:
        session = sessions.start(connection, row | times)
    opening = ApplicationSessions(store)
    code = opening.offer(question, APPLICATION, hashed("x"), session.partition("_")[0], timedelta(hours=1))
    cookie, _ = opening.begin(code, AtApplication(APPLICATION, "x", question.source_address))
    gateway = Owner(kind="gateway", name="bench", targets=[DEVICE], variants=["http"])
    token = TokenActions(store).create(gateway, "bench")
    return f"Countersign-Gateway: {token}\nCookie: theme=dark; {COOKIE}={cookie}\n"


async def _rate(port: int, path: str, secrets: str) -> float:
    head = f"GET {path} HTTP/1.1\n{HEADERS}{secrets}\n".replace("\n", "\r\n").encode()
    begun = time.perf_counter()
    await asyncio.gather(*(_ask(port, head) for _ in range(CONNECTIONS)))
    return CALLS / (time.perf_counter() - begun)


async def _ask(port: int, head: bytes) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    for _ in range(CALLS // CONNECTIONS):
        writer.write(head)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
    writer.close()


class WithBareEndpoint:
    """A portal with one more endpoint, which does nothing."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.state = app.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http" or scope["path"] != BARE:
            await self.app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def main() -> None:
    """Serve both on a loopback port, with the database given as argument."""
    logging.basicConfig(level=logging.INFO)
    plan = Plan(sys.argv[2], lambda: Client.connect("127.0.0.1:1", lazy=True))
    Server(cast(FastAPI, WithBareEndpoint(create_app(plan))), HOST, int(sys.argv[1])).run()


if __name__ == "__main__":
    main()
