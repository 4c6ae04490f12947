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
from notifiers.slack.client.log_redaction import redacting_logger
from notifiers.slack.config import SlackConfig
from notifiers.slack.inbound import buttons, connect_command, modals
from notifiers.slack.inbound.dispatcher import Dispatcher
from notifiers.slack.inbound.interaction import Interaction
from notifiers.slack.inbound.payload_parts import Malformed
from notifiers.slack.inbound.payload_reader import DELIVERY
from notifiers.slack.inbound.payloads import Delivery, Opened
from notifiers.slack.inbound.replies import Replies

COMMAND = "/connect"
NAME = "notifiers.slack.bolt"
_ANY = re.compile(r"")

Handle = Callable[[Dispatcher, Interaction, Any], Awaitable[Person | None]]
BoltListener = Callable[[AsyncAck, AsyncBoltContext], Awaitable[None]]


def slack_app(
    config: SlackConfig, dispatcher: Dispatcher, replies: Replies, running: set[asyncio.Task[Any]]
) -> AsyncApp:
    """Bolt's app: one workspace, one bot, no installation by OAuth, and no call to Slack before something comes in.

    `running` holds the tasks of the listeners at work.
    """

    def taking(handle: Handle) -> BoltListener:
        """A listener that has the dispatcher serve whatever comes, by `handle`."""

        async def listener(ack: AsyncAck, context: AsyncBoltContext) -> None:
            delivery: Delivery = context[DELIVERY]
            task = asyncio.current_task()
            assert task is not None
            running.add(task)
            try:
                await dispatcher.serve(
                    Interaction(delivery, ack, replies), lambda interaction: handle(dispatcher, interaction, delivery)
                )
            finally:
                running.discard(task)

        return listener

    async def authorize() -> AuthorizeResult:
        # Bolt's own function would ask Slack who we are. Dispatcher.who finds out who sent the delivery.
        return AuthorizeResult(enterprise_id=None, team_id=None)

    app = AsyncApp(
        name=NAME,
        logger=redacting_logger(NAME, logging.WARNING),
        signing_secret=config.signing_secret.get_secret_value(),
        authorize=authorize,
        # Otherwise Bolt makes one with SLACK_BOT_TOKEN of the environment. Our own calls all go through SlackApi.
        client=AsyncWebClient(base_url=config.api_url),
        attaching_function_token_enabled=False,
    )
    engine = dispatcher.engine
    app.action("approve")(taking(buttons.approve))
    app.action("approve_with_comment")(taking(partial(modals.open_form, verdict=Verdict.APPROVE)))
    app.action("reject")(taking(partial(modals.open_form, verdict=Verdict.REJECT)))
    app.action("cancel")(taking(partial(buttons.undo, call=engine.cancel)))
    app.action("revoke")(taking(partial(buttons.undo, call=engine.revoke)))
    app.action("give_back")(taking(partial(buttons.undo, call=engine.give_back)))
    app.action("open")(taking(_followed))
    app.view("answer")(taking(modals.take_form))
    app.view("connect")(taking(connect_command.filled_in))
    app.command(COMMAND)(taking(connect_command.typed))
    app.shortcut("connect")(taking(connect_command.chosen))
    app.event("app_home_opened")(taking(_opened))
    for catch in (app.action, app.view, app.command, app.shortcut):
        catch(_ANY)(taking(_unknown))
    return app


async def _opened(dispatcher: Dispatcher, interaction: Interaction, delivery: Opened) -> Person | None:
    """Somebody looks at our Home page, which is then shown; or why it is empty."""
    if delivery.event.tab != "home":
        return None
    try:
        return await dispatcher.who(interaction)
    except CountersignError as error:
        await dispatcher.home.say(delivery.event.user, str(error))
        return None


async def _followed(dispatcher: Dispatcher, interaction: Interaction, delivery: Delivery) -> None:
    """A button that is a link: the browser has opened it, and Slack tells us all the same."""
    await interaction.received()


async def _unknown(dispatcher: Dispatcher, interaction: Interaction, delivery: Delivery) -> None:
    """A button, form or command that we never made, or no longer make."""
    raise Malformed("nothing of ours has this name")
