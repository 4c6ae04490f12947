"""Messages back to whoever clicked or typed, which nobody else sees."""

import logging
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from countersign.errors import Unavailable, Unreachable
from notifiers.slack.client.api import SlackApi
from notifiers.slack.client.log_redaction import redacting_logger
from notifiers.slack.outbound.escaping import marked_up
from notifiers.slack.outbound.views import message_modal

# https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
SLACKS_OWN = "hooks.slack.com"
SECONDS = 5
LONGEST = 2500

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where somebody can be answered, and with what."""

    user: str
    channel: str = ""
    response_url: str = ""
    trigger_id: str = ""
    view_id: str = ""


class Replies:
    """Sends one person a message by the nearest way that works; a failure is logged, and stops nothing."""

    def __init__(self, api: SlackApi, api_url: str) -> None:
        self._api = api
        self._our_host = urlsplit(api_url).netloc

    async def tell(self, place: Place, message: str) -> None:
        """Tell them: in the form they look at, else below the message they clicked on, else as a direct message."""
        for way in self._ways(place, marked_up(message, LONGEST)):
            try:
                await way
                return
            except (Unavailable, Unreachable) as error:
                log.warning("%s could not be answered in Slack: %s", place.user, error)

    def _ways(self, place: Place, text: str) -> Iterator[Awaitable[object]]:
        """The ways to tell them, the nearest first; each is begun only if those before it failed."""
        call, user = self._api.call, place.user
        if place.view_id:
            yield call("views.update", user, view_id=place.view_id, view=message_modal(text))
        if self._is_slacks(place.response_url):
            yield _respond(place.response_url, text)
        if place.channel:
            yield call("chat.postEphemeral", user, channel=place.channel, user=user, text=text)
        if place.trigger_id and not place.view_id:
            yield call("views.open", user, trigger_id=place.trigger_id, view=message_modal(text))
        yield call("chat.postMessage", user, channel=user, text=text)

    def _is_slacks(self, url: str) -> bool:
        """Whether this is an address of Slack's: a payload must not name another server."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return (parts.scheme, parts.netloc) == ("https", SLACKS_OWN) or bool(url and parts.netloc == self._our_host)


async def _respond(response_url: str, text: str) -> None:
    """Tell them below the message they clicked on. Raises Unavailable."""
    logger = redacting_logger("notifiers.slack.webhook", logging.WARNING)
    webhook = AsyncWebhookClient(response_url, timeout=SECONDS, logger=logger, retry_handlers=[])
    try:
        sent = await webhook.send(text=text, response_type="ephemeral", replace_original=False)
    except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
        # The link is a secret, and may be in the error.
        raise Unavailable(f"its response_url can't be used ({type(error).__name__})") from None
    if sent.status_code != 200:
        raise Unavailable(f"its response_url can't be used (HTTP status {sent.status_code})")
