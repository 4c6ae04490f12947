"""A server that answers as Warpgate's published API says: it holds sessions, and lets them be approved and closed.

GET session-approvals, POST session-approvals/{id}/approve?scope=Once and .../reject (200, 404), GET sessions, whose
pages begin with the newest, POST sessions/{id}/close (201, 404), each with the header X-Warpgate-Token.
TROUBLES are the bad answers that it can give instead.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.local_servers import answering

TOKEN = "a token of the tests"
API = "/@warpgate/admin/api"
# What it can answer to every GET instead of what it should: a body, or None for what `Handler` makes up.
TROUBLES = {
    "a list of numbers": b"[1, 2]",
    "an object": b'{"items": 7}',
    "an array in arrays": b"[" * 100_000,
    "no JSON": b"<html>Welcome to the hotel's network</html>",
    "nothing": b"",
    "one id twice": None,
    "an id that is a path": None,
    "a name that is a number": None,
    "another place": None,
    "without end": None,
    "byte by byte": None,
}


class LocalWarpgate(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.sessions: dict[str, dict[str, Any]] = {}
        # If set, the status of every answer, as from a proxy whose Warpgate is away.
        self.away = 0
        self.trouble, self.troubled = "", 0
        self.told_to_close: set[str] = set()
        # How often it was asked for the sessions that it holds.
        self.looks = 0
        # Called once, when the next list is made and not sent yet.
        self.then: Callable[[], object] | None = None

    def connect(self, username: str, target: str, protocol: str = "SSH", state: str = "held") -> str:
        """Somebody connects and is held; with another `state`, such as `open`, they were let in before."""
        session_id = str(uuid.uuid4())
        self.sessions[session_id] = {"username": username, "target": target, "protocol": protocol, "state": state}
        return session_id

    def leave(self, session_id: str) -> None:
        """Somebody disconnects."""
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
        if self.server.trouble:
            self.server.troubled += 1
            with suppress(OSError):
                self._answer_badly(self.server.trouble)
        elif parts == ["session-approvals"]:
            self.server.looks += 1
            self._list([self._approval(*one) for one in self.server.in_state("held")])
        elif parts == ["sessions"]:
            asked = dict(parse_qsl(urlsplit(self.path).query))
            active = [self._session(*one) for one in reversed(self.server.in_state("held", "open"))]
            first, most = int(asked["offset"]), int(asked["limit"])
            self._list({"items": active[first : first + most], "offset": first, "total": len(active)})
        else:
            self._answer(404)

    def do_POST(self) -> None:
        if not (parts := self._parts()):
            return
        session, action = self.server.sessions.get(parts[1], {"state": ""}), parts[2]
        before, after, status = {
            "approve": (["held"], "open", 200),
            "reject": (["held"], "rejected", 200),
            "close": (["held", "open"], "closed", 201),
        }[action]
        if action == "close":
            self.server.told_to_close.add(parts[1])
        if action == "approve" and urlsplit(self.path).query != "scope=Once":
            self._answer(400)
        elif session["state"] in before:
            session["state"] = after
            self._answer(status)
        else:
            self._answer(404)

    def _answer_badly(self, trouble: str) -> None:
        held = [self._approval(*one) for one in self.server.in_state("held", "open")]
        body = TROUBLES[trouble]
        if body is not None:
            self._send(200, body)
        elif trouble == "one id twice":
            self._answer(200, [{**one, "username": name} for one in held for name in ("alice", "bob")])
        elif trouble == "an id that is a path":
            self._answer(200, [{**one, "id": f"../session-approvals/{one['id']}"} for one in held])
        elif trouble == "a name that is a number":
            self._answer(200, [{**one, "username": 7} for one in held])
        elif trouble == "another place":
            self._send(302, json.dumps(held).encode(), f"{self.server.url}{API}/session-approvals?followed")
        else:
            self.send_response(200)
            self.end_headers()
            while self.server.trouble == trouble:
                self.wfile.write(b" " if trouble == "byte by byte" else b" " * 65536)
                self.wfile.flush()
                if trouble == "byte by byte":
                    time.sleep(0.1)

    def _parts(self) -> list[str]:
        path = urlsplit(self.path).path
        if self.server.away:
            self.server.troubled += 1
            self._answer(self.server.away)
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
        return {
            "id": session_id,
            "username": session["username"],
            "protocol": session["protocol"],
            "remote_address": "192.0.2.7:50000",
            "started": "2026-01-05T12:00:00Z",
            "ended": None,
            "target_sessions": [{"target": {"name": session["target"]}}],
        }

    def _list(self, body: object) -> None:
        then, self.server.then = self.server.then, None
        if then:
            then()
        self._answer(200, body)

    def _answer(self, status: int, body: object = None) -> None:
        self._send(status, b"" if body is None else json.dumps(body).encode())

    def _send(self, status: int, raw: bytes, place: str = "") -> None:
        self.send_response(status)
        if place:
            self.send_header("Location", place)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing amid the tests' output."""


@contextmanager
def local_warpgate() -> Iterator[LocalWarpgate]:
    with answering(LocalWarpgate()) as server:
        yield server
