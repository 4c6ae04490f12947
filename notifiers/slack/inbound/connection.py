"""One connection of Socket Mode, from Slack's `hello` to its end: https://docs.slack.dev/apis/events-api/using-socket-mode.

Slack's own client reconnects by itself and ignores why a connection ended and how many of them Slack counts
(https://github.com/slackapi/python-slack-sdk/issues/1940). So we use this client of our own.
"""

import asyncio
import json
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from notifiers.slack.inbound.payload_reader import PayloadReader

# Slack says `hello` within a second.
HELLO_SECONDS = 10.0
# After this long without any frame we ping; without an answer within half of it, the connection is dead.
PING_SECONDS = 10.0
# For acknowledging what came in, and for Slack's answer to our closing.
CLOSE_SECONDS = 2.0
# Why a connection ended, beside the reasons of Slack's own `disconnect`.
LOST, NO_HELLO, COUNT_AGAIN = "lost", "no_hello", "count_again"

log = logging.getLogger(__name__)


@dataclass
class State:
    """What is known of the connection now; times by our clock, in UTC."""

    connected: bool = False
    # How many connections of the app Slack counted when this one began; 0 before the first.
    connections: int = 0
    # The last frame of any kind, and the last click, form, command or event.
    heard_at: datetime | None = None
    delivered_at: datetime | None = None
    # Why there is none, or what is wrong with it.
    why: str = ""
    # By the monotonic clock: when something was last delivered, or Slack's API was called because nothing was.
    idle_since: float = field(default_factory=time.monotonic)


class Connection:
    """Passes on what comes over one WebSocket, until the connection has to end."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, payload_reader: PayloadReader, state: State) -> None:
        self._websocket = websocket
        self._payload_reader = payload_reader
        self._state = state
        self._at_work: set[asyncio.Task[None]] = set()

    async def hello(self) -> bool:
        """Wait for Slack's greeting, which says how many connections it counts; False if it doesn't come."""
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                message = await self._next()
        except TimeoutError:
            return False
        if message.get("type") != "hello":
            return False
        count = message.get("num_connections")
        self._state.connections = count if isinstance(count, int) and count > 0 else 1
        self._state.connected = True
        return True

    async def until_over(self) -> str:
        """Take what comes until Slack says `disconnect`, whose reason is returned, or the connection is lost."""
        while message := await self._next():
            if message.get("type") == "disconnect":
                return str(message.get("reason") or LOST)[:40]
            if isinstance(envelope_id := message.get("envelope_id"), str):
                self._state.delivered_at, self._state.idle_since = datetime.now(UTC), time.monotonic()
                task = asyncio.create_task(self._take(envelope_id, message.get("payload")))
                self._at_work.add(task)
                task.add_done_callback(self._at_work.discard)
        return LOST

    async def close(self) -> None:
        """Acknowledge what came, and have Slack forget the connection: one that it goes on counting loses clicks."""
        self._state.connected = False
        if self._at_work and not self._websocket.closed:
            await asyncio.wait(self._at_work, timeout=CLOSE_SECONDS)
        await self._websocket.close()

    async def _next(self) -> dict[str, Any]:
        """The next message; {} when the connection is over."""
        while True:
            frame = await self._websocket.receive()
            if frame.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}:
                return {}
            self._state.heard_at = datetime.now(UTC)
            if frame.type is aiohttp.WSMsgType.PING:
                await self._websocket.pong(frame.data)
            elif frame.type is aiohttp.WSMsgType.TEXT and (message := _message(frame.data)):
                return message

    async def _take(self, envelope_id: str, payload: object) -> None:
        """Have one envelope handled, and acknowledge it; without that, Slack tells its sender that it failed."""
        try:
            response = await self._payload_reader.take(payload, AsyncBoltRequest(mode="socket_mode", body={}))
            if answer := acknowledgement(envelope_id, response):
                await self._websocket.send_json(answer)
        except (aiohttp.ClientError, ConnectionError):
            log.info("Slack's connection ended before what came by it was acknowledged")
        except Exception as error:  # not its text, which may hold the payload
            log.error("what Slack sent could not be handled (%s)", type(error).__name__)


def acknowledgement(envelope_id: str, response: BoltResponse) -> dict[str, Any] | None:
    """What to send back; None if it was not handled. What can't be read is on record, and need not come again."""
    if response.status not in {200, 400}:
        return None
    answer: dict[str, Any] = {"envelope_id": envelope_id}
    if response.body:
        is_json = response.headers.get("content-type", [""])[0].startswith("application/json")
        answer["payload"] = json.loads(response.body) if is_json else {"text": response.body}
    return answer


def _message(text: str) -> dict[str, Any]:
    """The message in a frame; {} if there is none."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        log.warning("Slack sent something over the socket that is not a message")
        return {}
    return message
