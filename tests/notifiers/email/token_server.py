"""A token endpoint on loopback that keeps RFC 6749's rules, and tells Dovecot whether a token is good."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

CLIENT_ID = "countersign"
CLIENT_SECRET = "client-secret"
USERNAME = "countersign@example.test"


class TokenServer:
    """Gives numbered tokens to the one client it knows; each refresh token is good for one use."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.lasts = 3600
        self.fault: tuple[int, bytes] | None = None  # answer this instead
        self.refresh_token = "refresh-0"
        self.good: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        self.introspection_url = f"http://127.0.0.1:{self._server.server_port}/introspect"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, form: dict[str, str]) -> tuple[int, bytes]:
        """Issue a token or refuse, as in RFC 6749 section 5."""
        self.asked.append(form)
        if self.fault:
            return self.fault
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return 401, b'{"error": "invalid_client"}'
        token = f"token-{len(self.asked)}"
        self.good.add(token)
        reply: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": self.lasts}
        if form["grant_type"] == "refresh_token":
            if form.get("refresh_token") != self.refresh_token:
                return 400, b'{"error": "invalid_grant"}'
            self.refresh_token = reply["refresh_token"] = f"refresh-{len(self.asked)}"
        return 200, json.dumps(reply).encode()

    def introspect(self, token: str) -> tuple[int, bytes]:
        """Tell the mail server about a token (RFC 7662)."""
        return 200, json.dumps({"active": token in self.good, "username": USERNAME, "email": USERNAME}).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self._say(*(outer.answer(form) if self.path == "/token" else outer.introspect(form.get("token", ""))))

            def log_message(self, format: str, *args: object) -> None:
                pass

            def _say(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler
