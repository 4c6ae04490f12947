"""Slack's own ways to send: an envelope on the app's socket, or a signed post."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

import aiohttp

from sandbox.slack.state import Delivery
from tests.local_slack.people import until_seen
from tests.slack.context import Context

Wire = Literal["interactive", "slash_commands", "events_api"]
FORM = "application/x-www-form-urlencoded"
STAMP, SIGNATURE, CONTENT = "X-Slack-Request-Timestamp", "X-Slack-Signature", "Content-Type"
SECONDS = 10.0


async def send(context: Context, payload: Any, wire: Wire = "interactive") -> int:
    """Send it as Slack would: by the app's socket, or posted and signed. Returns the status of the answer.

    Over the socket the status is 200, or 0 if no answer comes.
    """
    if context.slack.workspace.mode == "socket":
        return await _by_socket(context, payload, wire)
    return await Post.of(context, payload, wire).send()


async def _by_socket(context: Context, payload: Any, wire: Wire) -> int:
    """An envelope that local-slack did not send: https://docs.slack.dev/apis/events-api/using-socket-mode."""
    proxy = context.slack.proxy
    [line] = proxy._sockets
    envelope_id = str(uuid.uuid4())
    delivery = proxy._waiting[envelope_id] = Delivery(wire, {})
    envelope = {"type": wire, "envelope_id": envelope_id, "accepts_response_payload": True, "payload": payload}
    await line.socket.send_json(envelope)

    async def answered() -> int:
        return delivery.status

    try:
        return await until_seen(answered, SECONDS)
    except TimeoutError:
        return 0


@dataclass
class Post:
    """A signed request, https://docs.slack.dev/authentication/verifying-requests-from-slack."""

    url: str
    secret: str
    body: bytes
    headers: dict[str, list[str]]
    method: str = "POST"

    @classmethod
    def of(cls, context: Context, payload: Any, wire: Wire = "interactive") -> Post:
        """A genuine post of this payload."""
        is_json = wire == "events_api"
        fields = payload if wire == "slash_commands" else {"payload": json.dumps(payload)}
        body = (json.dumps(payload) if is_json else urlencode(fields)).encode()
        headers = {CONTENT: ["application/json" if is_json else FORM]}
        return cls(context.slack.request_url, context.slack.signing_secret, body, headers).sign()

    def sign(self, at: str = "", secret: str = "", version: str = "v0") -> Post:
        """Sign the current body for this time, or for now."""
        at = at or str(int(time.time()))
        self.headers |= {STAMP: [at], SIGNATURE: [self.signature(at, self.body, secret, version)]}
        return self

    def signature(self, at: str, body: bytes, secret: str = "", version: str = "v0") -> str:
        """The signature over a body."""
        key = (secret or self.secret).encode()
        return f"{version}=" + hmac.new(key, f"{version}:{at}:".encode() + body, hashlib.sha256).hexdigest()

    async def send(self) -> int:
        """Send it; returns the status of the answer."""
        headers = [(name, value) for name, values in self.headers.items() for value in values]
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout, skip_auto_headers=[CONTENT]) as session,
            session.request(self.method, self.url, data=io.BytesIO(self.body), headers=headers) as response,
        ):
            await response.read()
            return response.status
