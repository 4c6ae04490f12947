"""Which of our functions takes which button, form, command and event, through Bolt."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from countersign.errors import CountersignError
from countersign.models import Verdict
from countersign.notifications import Person
from notifiers.slack.client.api import SlackApi
from notifiers.slack.client.log_redaction import redacting_logger
from notifiers.slack.config import SlackConfig
from notifiers.slack.inbound.buttons import Buttons
from notifiers.slack.inbound.connect_command import ConnectCommand
from notifiers.slack.inbound.dispatcher import Dispatcher
from notifiers.slack.inbound.home import Home
from notifiers.slack.inbound.interaction import Interaction
from notifiers.slack.inbound.modals import Modals
from notifiers.slack.inbound.payload_parts import Malformed
from notifiers.slack.inbound.payload_reader import DELIVERY
from notifiers.slack.inbound.payloads import Delivery, Opened
from notifiers.slack.inbound.people import RejectedSender
from notifiers.slack.inbound.replies import Replies

COMMAND = "/connect"
NAME = "notifiers.slack.bolt"
_ANY = re.compile(r"")

Handle = Callable[[Interaction, Any], Awaitable[Person | None]]
BoltListener = Callable[[AsyncAck, AsyncBoltContext], Awaitable[None]]


class BoltHandlers:
    """Makes Bolt's listeners; `running` holds the tasks of those at work."""

    def __init__(
        self, dispatcher: Dispatcher, replies: Replies, api: SlackApi, home: Home, running: set[asyncio.Task[Any]]
    ) -> None:
        self._dispatcher = dispatcher
        self._replies = replies
        self._home = home
        self._running = running
        self.buttons = Buttons(dispatcher)
        self.modals = Modals(dispatcher, api)
        self.asking = ConnectCommand(dispatcher, api)

    def taking(self, handle: Handle) -> BoltListener:
        """A listener that has the dispatcher serve whatever comes, by `handle`."""

        async def listener(ack: AsyncAck, context: AsyncBoltContext) -> None:
            delivery: Delivery = context[DELIVERY]
            task = asyncio.current_task()
            assert task is not None
            self._running.add(task)
            try:
                await self._dispatcher.serve(
                    Interaction(delivery, ack, self._replies), lambda interaction: handle(interaction, delivery)
                )
            finally:
                self._running.discard(task)

        return listener

    async def opened(self, interaction: Interaction, delivery: Opened) -> Person | None:
        """Somebody looks at our Home page, which is then shown; or why it is empty."""
        if delivery.event.tab != "home":
            return None
        try:
            return await self._dispatcher.who(interaction)
        except (RejectedSender, CountersignError) as error:
            await self._home.say(delivery.event.user, str(error))
            return None

    async def followed(self, interaction: Interaction, delivery: Delivery) -> None:
        """A button that is a link: the browser has opened it, and Slack tells us all the same."""
        await interaction.received()

    async def unknown(self, interaction: Interaction, delivery: Delivery) -> None:
        """A button, form or command that we never made, or no longer make."""
        raise Malformed("nothing of ours has this name")


def slack_app(config: SlackConfig, on: BoltHandlers) -> AsyncApp:
    """Bolt's app: one workspace, one bot, no installation by OAuth, and no word to Slack before something comes in."""
    logger = redacting_logger(NAME, logging.WARNING)
    # Without a token: what we call, we call by our own SlackApi.
    client = AsyncWebClient(base_url=config.api_url, logger=logger)
    if config.api_url.startswith("http:"):
        client.proxy = None  # it is on this machine

    async def authorize() -> AuthorizeResult:
        # Bolt would ask Slack who we are; whose the delivery is, is seen by Dispatcher.who.
        return AuthorizeResult(enterprise_id=None, team_id=None)

    app = AsyncApp(
        name=NAME,
        logger=logger,
        client=client,
        signing_secret=config.signing_secret.get_secret_value(),
        authorize=authorize,
        attaching_function_token_enabled=False,
    )
    app.action("approve")(on.taking(on.buttons.approve))
    app.action("approve_with_comment")(on.taking(partial(on.modals.open, verdict=Verdict.APPROVE)))
    app.action("reject")(on.taking(partial(on.modals.open, verdict=Verdict.REJECT)))
    app.action("cancel")(on.taking(on.buttons.cancel))
    app.action("revoke")(on.taking(on.buttons.revoke))
    app.action("give_back")(on.taking(on.buttons.give_back))
    app.action("open")(on.taking(on.followed))
    app.view("answer")(on.taking(on.modals.answer))
    app.view("connect")(on.taking(on.asking.filled_in))
    app.command(COMMAND)(on.taking(on.asking.typed))
    app.shortcut("connect")(on.taking(on.asking.chosen))
    app.event("app_home_opened")(on.taking(on.opened))
    for catch in (app.action, app.view, app.command, app.shortcut):
        catch(_ANY)(on.taking(on.unknown))
    return app
