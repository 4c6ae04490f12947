"""A portal that fails as a test says, and passes everything else on to the real one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from tests.countersign.gates.networks import SECONDS
from tests.local_servers import answering

TOO_MANY = b"""{
    "type": "/api/v1/problems/too-many-requests", "title": "Too many requests of one person within an hour",
    "status": 429, "detail": "60 requests were opened for bob within an hour; wait."
}"""
PASSED_ON = ("Authorization", "Content-Type", "Idempotency-Key", "Accept")
PASSED_BACK = ("Content-Type", "Countersign-Version", "Retry-After", "Link")


class PortalBehind(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.portal = httpx.Client(base_url=url, trust_env=False, timeout=SECONDS)
        # The calls that are answered with status 500, such as `GET /api/v1/me`, and whether all are.
        self.failing: set[str] = set()
        self.is_away = False
        # The calls that are answered as if a person had opened too many requests.
        self.limited: set[str] = set()
        # The calls that get no answer before the end, and those of them that came.
        self.held: set[str] = set()
        self.waiting: list[str] = []
        self.end = threading.Event()
        # If set, sent in place of the caller's token.
        self.token = ""
        # The calls that came, oldest first.
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: PortalBehind

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = f"{self.command} {self.path.partition('?')[0]}"
        self.server.asked.append(asked)
        if self.server.is_away or asked in self.server.failing:
            return self._answer(500, {}, b"")
        if asked in self.server.held:
            self.server.waiting.append(asked)
            self.server.end.wait(4 * SECONDS)
            return self._answer(500, {}, b"")
        if asked in self.server.limited:
            return self._answer(429, {"content-type": "application/problem+json"}, TOO_MANY)
        headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
        if self.server.token:
            headers["Authorization"] = f"Bearer {self.server.token}"
        answer = self.server.portal.request(self.command, self.path, headers=headers, content=body)
        self._answer(answer.status_code, dict(answer.headers), answer.content)

    do_POST = do_GET

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        with suppress(OSError):
            self.send_response(status)
            for name in PASSED_BACK:
                if name.lower() in headers:
                    self.send_header(name, headers[name.lower()])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing amid the tests' output."""


@contextmanager
def portal_behind(url: str) -> Iterator[PortalBehind]:
    server = PortalBehind(url)
    with closing(server.portal), answering(server):
        try:
            yield server
        finally:
            server.end.set()
