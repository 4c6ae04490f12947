"""`POST /slack/events`: what Slack sends over HTTP, signed.

https://docs.slack.dev/authentication/verifying-requests-from-slack. The signature is checked over the raw body before
anything in it is parsed, and again by Bolt.
"""

import re

from slack_bolt.adapter.starlette.async_handler import to_starlette_response
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.request.internals import parse_body
from slack_sdk.signature import SignatureVerifier
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

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
        """Answer one request: 401 unless Slack signed it within five minutes, 413 if it is too long."""
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
        kind = request.headers.get("content-type", "")
        try:
            body: object = parse_body(text, kind.split(";")[0])
        except (ValueError, RecursionError):
            return Response(status_code=400)
        bolts = AsyncBoltRequest(body="", headers={TIMESTAMP: timestamp, SIGNATURE: signature, "content-type": kind})
        bolts.raw_body = text
        return to_starlette_response(await self._payload_reader.take(body, bolts))


async def _limited_body(request: Request) -> bytes | None:
    """The body, read no further than we take; None if it is longer."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            return None
    return bytes(body)
