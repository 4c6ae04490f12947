"""A server that says who is admitted, as the portal does, or misbehaves as the test says."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.countersign.gates.networks import Network

TOKEN = "cs_0123456789ab_" + "ab" * 32


class AdmittingServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, network: Network) -> None:
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = network.listen()
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.changed = threading.Condition()
        self.version, self.peers, self.trouble = 0, list[dict[str, Any]](), ""
        self.tokens: set[str] = set()
        self.asked = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore an OSError: a gate that has ended no longer takes its answer."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def admit(self, *peers: dict[str, Any], trouble: str = "") -> None:
        with self.changed:
            self.version, self.peers, self.trouble = self.version + 1, list(peers), trouble
            self.changed.notify_all()

    def misbehave(self, trouble: str) -> None:
        self.admit(*self.peers, trouble=trouble)


class Handler(BaseHTTPRequestHandler):
    server: AdmittingServer

    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        server = self.server
        server.tokens.add(self.headers.get("Authorization", ""))
        with server.changed:
            server.changed.wait_for(
                lambda: server.trouble or str(server.version) != asked.get("version"), float(asked["wait"])
            )
            server.asked += 1
            answer, trouble = {"version": str(server.version), "peers": server.peers}, server.trouble
        getattr(self, f"_{trouble or 'say'}")(answer)

    def _say(self, answer: Any, status: int = 200) -> None:
        raw = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _refuse_token(self, _: Any) -> None:
        self._say({"title": "No good token", "detail": "That token has ended."}, 401)

    def _fail(self, _: Any) -> None:
        self._say({"title": "Unavailable", "detail": "The database can't be reached."}, 503)

    def _say_nonsense(self, _: Any) -> None:
        self._say({"version": 7, "peers": "everybody"})

    def _say_no_json(self, _: Any) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>welcome to the hotel's network</html>")

    def _hang_up(self, _: Any) -> None:
        self.close_connection = True

    def _say_nothing(self, _: Any) -> None:
        with self.server.changed:
            self.server.changed.wait_for(lambda: self.server.trouble != "say_nothing", 60)

    def _trickle(self, answer: Any) -> None:
        """Send a byte at a time, so that no single one is late."""
        raw = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        try:
            for byte in raw:
                self.wfile.write(bytes([byte]))
                with self.server.changed:
                    if self.server.changed.wait_for(lambda: self.server.trouble != "trickle", 0.2):
                        self.close_connection = True
                        return
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing amid the tests' output."""
