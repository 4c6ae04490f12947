"""`POST /slack/events`: what Slack sends over HTTP, signed.

https://docs.slack.dev/authentication/verifying-requests-from-slack. The signature is checked over the raw body before
anything in it is parsed.
"""

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from slack_sdk.signature import SignatureVerifier
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from notifiers.slack.inbound.payload_reader import PayloadReader

# A form with all it shows stays far below this: https://docs.slack.dev/surfaces/modals allows 250 kB.
LONGEST_BODY = 1_000_000
SIGNATURE = "x-slack-signature"
TIMESTAMP = "x-slack-request-timestamp"
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")


class SignedRequests:
    """Takes Slack's requests; all others are refused without a word about why."""

    def __init__(self, payload_reader: PayloadReader, signing_secret: str) -> None:
        self._payload_reader = payload_reader
        self._verifier = SignatureVerifier(signing_secret)

    async def handle(self, request: Request) -> Response:
        """Answer one request: 401 unless Slack signed it within five minutes, 413 where it is too long."""
        try:
            raw = await _limited_body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if raw is None:
            return Response(status_code=413)
        timestamp, signature = request.headers.get(TIMESTAMP, ""), request.headers.get(SIGNATURE, "")
        # The library's check takes a number and ASCII for granted.
        if not (_TIMESTAMP.fullmatch(timestamp) and _SIGNATURE.fullmatch(signature)):
            return Response(status_code=401)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return Response(status_code=401)
        if not self._verifier.is_valid(text, timestamp, signature):
            return Response(status_code=401)
        try:
            body = _parsed(text)
        except (ValueError, RecursionError):
            return Response(status_code=400)
        taken = await self._payload_reader.take(body)
        return JSONResponse(taken.body, taken.status) if taken.body else Response(status_code=taken.status)


def _parsed(text: str) -> Any:
    """An event, which comes as JSON; else a form: a command's fields, or a payload in JSON. Raises ValueError."""
    if text.startswith("{"):
        return json.loads(text)
    fields = dict(parse_qsl(text, keep_blank_values=True))
    return json.loads(fields["payload"]) if "payload" in fields else fields


async def _limited_body(request: Request) -> bytes | None:
    """The body, read no further than we take; None where it is longer."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            return None
    return bytes(body)
