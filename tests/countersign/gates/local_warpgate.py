"""A server that answers as Warpgate's published API says: it holds sessions, and lets them be approved and closed.

GET session-approvals, POST session-approvals/{id}/approve?scope=Once and .../reject (200, 404), GET sessions and
sessions/{id}, POST sessions/{id}/close (201, 404), each with the header X-Warpgate-Token.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TOKEN = "a token of the tests"
API = "/@warpgate/admin/api"


class LocalWarpgate(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.sessions: dict[str, dict[str, Any]] = {}
        self.is_away = False

    def connect(self, username: str, target: str, protocol: str = "SSH", state: str = "held") -> str:
        """Somebody connects, and is held; or, in another `state`, has been let in before."""
        session_id = str(uuid.uuid4())
        self.sessions[session_id] = {"username": username, "target": target, "protocol": protocol, "state": state}
        return session_id

    def leave(self, session_id: str) -> None:
        """They go."""
        self.sessions[session_id]["state"] = "ended"

    def state(self, session_id: str) -> str:
        """`held`, `open`, `rejected`, `closed` or `ended`."""
        state: str = self.sessions[session_id]["state"]
        return state

    def in_state(self, *states: str) -> list[tuple[str, dict[str, Any]]]:
        return [(key, one) for key, one in list(self.sessions.items()) if one["state"] in states]


class Handler(BaseHTTPRequestHandler):
    server: LocalWarpgate

    def do_GET(self) -> None:
        if not (parts := self._parts()):
            return
        if parts == ["session-approvals"]:
            self._answer(200, [self._approval(*one) for one in self.server.in_state("held")])
        elif parts == ["sessions"]:
            items = [self._session(*one) for one in self.server.in_state("held", "open")]
            self._answer(200, {"items": items, "offset": 0, "total": len(items)})
        else:
            session = self.server.sessions.get(parts[1])
            self._answer(200, self._session(parts[1], session)) if session else self._answer(404)

    def do_POST(self) -> None:
        if not (parts := self._parts()):
            return
        session, action = self.server.sessions.get(parts[1], {"state": ""}), parts[2]
        before, after, status = {
            "approve": (["held"], "open", 200),
            "reject": (["held"], "rejected", 200),
            "close": (["held", "open"], "closed", 201),
        }[action]
        if action == "approve" and urlsplit(self.path).query != "scope=Once":
            self._answer(400)
        elif session["state"] in before:
            session["state"] = after
            self._answer(status)
        else:
            self._answer(404)

    def _parts(self) -> list[str]:
        path = urlsplit(self.path).path
        if self.server.is_away:
            self._answer(503)
        elif self.headers.get("X-Warpgate-Token") != TOKEN:
            self._answer(401)
        elif path.startswith(f"{API}/"):
            return path.removeprefix(f"{API}/").split("/")
        return []

    def _approval(self, session_id: str, session: dict[str, Any]) -> dict[str, Any]:
        about = {name: session[name] for name in ("username", "target", "protocol")}
        return {
            **about,
            "id": session_id,
            "address": "192.0.2.7:50000",
            "started": "2026-01-05T12:00:00Z",
            "identification_string": "",
            "caching_grace_seconds": None,
        }

    def _session(self, session_id: str, session: dict[str, Any]) -> dict[str, Any]:
        is_over = session["state"] not in ("held", "open")
        return {
            "id": session_id,
            "username": session["username"],
            "protocol": session["protocol"],
            "remote_address": "192.0.2.7:50000",
            "started": "2026-01-05T12:00:00Z",
            "ended": "2026-01-05T12:30:00Z" if is_over else None,
            "target_sessions": [{"target": {"name": session["target"]}}],
        }

    def _answer(self, status: int, body: object = None) -> None:
        raw = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed among the tests."""


@contextmanager
def local_warpgate() -> Iterator[LocalWarpgate]:
    with LocalWarpgate() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
