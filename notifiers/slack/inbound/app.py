"""Takes what comes from Slack: clicks, forms, `/connect` and the Home page, by Socket Mode or signed HTTP."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from countersign.errors import CountersignError
from countersign.views import Finding
from notifiers.engine import Engine
from notifiers.slack.client.api import SlackApi
from notifiers.slack.client.log_redaction import redacting_logger
from notifiers.slack.config import SlackConfig
from notifiers.slack.inbound.bolt_handlers import slack_app
from notifiers.slack.inbound.dispatcher import Dispatcher
from notifiers.slack.inbound.home import Home
from notifiers.slack.inbound.http import SignedRequests
from notifiers.slack.inbound.payload_reader import PayloadReader
from notifiers.slack.inbound.people import SlackPeople
from notifiers.slack.inbound.replies import Replies
from notifiers.slack.inbound.socket import Socket

# How long it may take at the end to judge and answer what was received before.
CLOSING_SECONDS = 10.0

log = logging.getLogger(__name__)


class SlackListener:
    """Takes all that comes from Slack. Create it within a running event loop, `start` it, and `close` it at the end."""

    def __init__(self, config: SlackConfig, engine: Engine) -> None:
        redacting_logger("slack_sdk", logging.INFO)
        self._api = SlackApi(config)
        self._running: set[asyncio.Task[Any]] = set()
        people, home = SlackPeople(self._api, engine.person_at), Home(self._api, engine, config.public_url)
        dispatcher, replies = Dispatcher(engine, people, self._api, home), Replies(self._api, config.api_url)
        app = slack_app(config, dispatcher, replies, self._running)
        payload_reader = PayloadReader(app, dispatcher, replies, self._running)
        self._http = (
            SignedRequests(payload_reader, config.signing_secret.get_secret_value()) if config.mode == "http" else None
        )
        self._socket = (
            Socket(self._api, payload_reader, config.app_token.get_secret_value()) if config.mode == "socket" else None
        )

    async def start(self) -> None:
        """Begin to take deliveries. Returns at once: whether Slack can be reached is found out later, and logged."""
        task = asyncio.create_task(self._find_out_who_we_are())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if self._socket:
            self._socket.start()

    async def run(self, beat: Callable[[], None]) -> None:
        """Listen until cancelled, and then close; `beat` is not used: the socket watches its connection itself."""
        await self.start()
        try:
            await asyncio.Event().wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Take nothing more, finish what was taken, and close the connections."""
        if self._socket:
            await self._socket.close()
        if self._running:
            _, left = await asyncio.wait(self._running, timeout=CLOSING_SECONDS)
            for task in left:
                task.cancel()
        await self._api.close()

    def findings(self) -> list[Finding]:
        """The findings of `countersign doctor` and `/health` about the connection; over HTTP there are none."""
        return self._socket.findings() if self._socket else []

    async def handle(self, request: Request) -> Response:
        """`POST /slack/events`; 404 in Socket Mode, where nothing comes by HTTP."""
        return await self._http.handle(request) if self._http else Response(status_code=404)

    async def _find_out_who_we_are(self) -> None:
        """Ask Slack who we are, so that the first click need not wait for it and a wrong token is logged at once."""
        try:
            await self._api.app()
        except CountersignError as error:
            log.error("Slack clicks can't be taken yet: %s", error)
