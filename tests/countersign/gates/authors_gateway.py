"""A gateway as a reader of docs/gateways.md may write it: for HTTP, with Python's own library. It may have faults.

    python authors_gateway.py PORTAL DEVICE [FAULT]

The token is in TOKEN. It prints the port where it listens, and takes everybody who connects to be alice.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

PORTAL, DEVICE, FAULT = [*sys.argv[1:], ""][:3]
PERSON = "alice"
OPENER = build_opener(ProxyHandler({}))


def call(path: str, body: dict[str, str] | None = None) -> Any:
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/json"}
    headers["Idempotency-Key"] = uuid.uuid4().hex
    sent = Request(f"{PORTAL}/api/v1/{path}", json.dumps(body).encode() if body else None, headers)
    with OPENER.open(sent, timeout=60) as reply:
        return json.load(reply)


class Gateway(BaseHTTPRequestHandler):
    lock, number, was_let_in = Lock(), 0, False

    def do_GET(self) -> None:
        with self.lock:
            try:
                may_pass, said = self.asked(self.client_address[0])
            except (OSError, HTTPError) as error:
                may_pass, said = False, str(error)
        self.send_response(200 if may_pass else 403)
        self.send_header("Content-Length", str(len(said.encode())))
        self.end_headers()
        self.wfile.write(said.encode())

    def asked(self, address: str) -> tuple[bool, str]:
        kind = type(self)
        if kind.was_let_in and FAULT == "stays":
            return True, "the application"
        if not kind.number:
            asked = {"requester": PERSON, "device": DEVICE, "source_address": address}
            if FAULT == "asks twice":
                call("requests", {**asked, "protocol": "ssh"})
            kind.number = call("requests", {**asked, "protocol": "http"})["approval_id"]
        view = call(f"requests/{kind.number}")
        if view["status"] == "Waiting":
            return FAULT == "opens before", "Your request waits."
        if view["status"] == "Approved" and self.is_yes(view["grant"], address):
            kind.was_let_in = True
            return True, "the application"
        # It is over; the next call asks anew.
        kind.number = 0
        return False, view["words"] or "No."

    @staticmethod
    def is_yes(grant: dict[str, Any], address: str) -> bool:
        lasts = datetime.fromisoformat(grant["ends_at"]) > datetime.now(UTC)
        return grant["status"] == "Active" and lasts and grant["source_address"] == address

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing but the port."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    print(server.server_address[1], flush=True)
    server.serve_forever()
