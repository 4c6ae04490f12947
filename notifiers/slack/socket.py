"""Socket Mode: what Slack sends over a connection that we open, so that it needs no public address.

https://docs.slack.dev/apis/events-api/using-socket-mode. The library reconnects by itself; but it may go on trying an
address that Slack has long withdrawn, so a connection that stays away is given up and made anew.
"""

from __future__ import annotations

import asyncio
import logging
import time

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from notifiers.slack.intake import Intake
from notifiers.slack.quiet import quiet_logger

LOOK_SECONDS = 1.0
# Slack renews each connection every few hours, within a second or two.
GIVEN_UP_SECONDS = 30.0
PING_SECONDS = 5.0

log = logging.getLogger(__name__)


class Socket:
    """Keeps one connection open from `start` to `close`, whatever happens to it."""

    def __init__(self, app: AsyncApp, intake: Intake, app_token: str) -> None:
        self._app = app
        self._intake = intake
        self._app_token = app_token
        self._keeping: asyncio.Task[None] | None = None
        self.connected = False

    def start(self) -> None:
        """Begin to connect; returns at once, whether Slack can be reached or not."""
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Close the connection and take nothing more."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})

    async def _keep(self) -> None:
        while True:
            handler = _Handler(self._app, self._intake, self._app_token)
            connecting = asyncio.create_task(handler.client.connect())  # type: ignore[no-untyped-call]
            try:
                await self._until_given_up(handler.client)
                log.warning("Slack's socket stays away; connecting anew")
            finally:
                self.connected = False
                connecting.cancel()
                closing = handler.client.close()  # type: ignore[no-untyped-call]
                await asyncio.gather(closing, connecting, return_exceptions=True)

    async def _until_given_up(self, client: SocketModeClient) -> None:
        """Say when the connection comes and goes; return when it was away for too long."""
        seen, session = time.monotonic(), None
        while time.monotonic() - seen < GIVEN_UP_SECONDS:
            was, self.connected = self.connected, await client.is_connected()
            if self.connected:
                seen = time.monotonic()
            elif was:
                log.warning("Slack's socket is lost; it is coming back")
            if self.connected and client.current_session is not session:
                session = client.current_session
                log.info("connected to Slack's socket")
            await asyncio.sleep(LOOK_SECONDS)


class _Handler(AsyncSocketModeHandler):
    """Bolt's, but for what comes in being read first."""

    def __init__(self, app: AsyncApp, intake: Intake, app_token: str) -> None:
        logger = quiet_logger("notifiers.slack.library", logging.INFO)
        super().__init__(app, app_token, logger=logger, ping_interval=PING_SECONDS)
        self.client.proxy = app.client.proxy
        self._intake = intake

    async def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override]
        """Answer one envelope; what came twice is answered twice, and handled once."""
        start = time.time()
        request = AsyncBoltRequest(mode="socket_mode", body={})
        response = await self._intake.take(req.payload, request)
        # An envelope that isn't answered comes again; what can't be read is on the record, and need not.
        response.status = 200 if response.status == 400 else response.status
        await send_async_response(client, req, response, start)
