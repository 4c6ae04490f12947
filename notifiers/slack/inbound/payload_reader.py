"""From what came in by HTTP or the socket to one of the deliveries we know, before Bolt sees it.

Bolt looks into many parts of a payload and takes their types for granted. So it gets only what was read here, and a
payload that is none of the known shapes never gets further.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from notifiers.slack.inbound.dispatcher import CANT_READ, Dispatcher
from notifiers.slack.inbound.payload_parts import Malformed
from notifiers.slack.inbound.payloads import (
    Command,
    Delivery,
    InteractionPayload,
    Opened,
    Pressed,
    Shortcut,
    Submitted,
    read,
)
from notifiers.slack.inbound.replies import Place, Replies

# What the listeners find in Bolt's context.
DELIVERY = "countersign_delivery"
KINDS: dict[str, type[Pressed | Submitted | Shortcut]] = {
    "block_actions": Pressed,
    "view_submission": Submitted,
    "shortcut": Shortcut,
}

log = logging.getLogger(__name__)


class PayloadReader:
    """Reads each payload and hands it to Bolt."""

    def __init__(
        self, app: AsyncApp, dispatcher: Dispatcher, replies: Replies, running: set[asyncio.Task[Any]]
    ) -> None:
        self._app = app
        self._dispatcher = dispatcher
        self._replies = replies
        self._running = running

    async def take(self, body: object, request: AsyncBoltRequest) -> BoltResponse:
        """Answer a payload; `request` is Bolt's, with an empty body and all that its signature check needs."""
        if not isinstance(body, dict):
            return BoltResponse(status=400, body="")
        if body.get("type") == "url_verification" and isinstance(body.get("challenge"), str):
            request.body = {"type": "url_verification", "challenge": body["challenge"][:1000]}
            return await self._app.async_dispatch(request)
        try:
            delivery = understood(body)
        except Malformed as error:
            await self._reject(body, error)
            return BoltResponse(status=400, body="")
        if delivery is None:
            return BoltResponse(status=200, body="")
        request.body = delivery.model_dump(mode="json", exclude_unset=True)
        request.context[DELIVERY] = delivery
        return await self._app.async_dispatch(request)

    async def _reject(self, body: Mapping[str, Any], error: Malformed) -> None:
        """Record a payload that Slack signed and that still can't be read, and tell its sender."""
        log.warning("Slack sent what can't be read: %s", error)
        try:
            delivery = (
                read(Command, {"trigger_id": "-", **body}) if "command" in body else read(InteractionPayload, body)
            )
        except Malformed:
            await self._dispatcher.record_rejected(None, str(error), None, None)
            return
        await self._dispatcher.record_rejected(None, str(error), delivery.sender, None)
        if not self._dispatcher.may_tell_unreadable(delivery.sender.user):
            return
        # In the background, as the payload has to be acknowledged within three seconds.
        telling = asyncio.create_task(
            self._replies.tell(Place(delivery.sender.user, response_url=delivery.response_url), CANT_READ)
        )
        self._running.add(telling)
        telling.add_done_callback(self._running.discard)


def understood(body: Mapping[str, Any]) -> Delivery | None:
    """The delivery in a payload; None for a kind that we never asked for. Raises Malformed."""
    kind = body.get("type")
    if isinstance(kind, str) and kind in KINDS:
        return read(KINDS[kind], body)
    if kind == "event_callback":
        event = body.get("event")
        is_opening = isinstance(event, dict) and event.get("type") == "app_home_opened"
        return read(Opened, body) if is_opening else None
    if kind is None and "command" in body:
        return read(Command, body)
    return None
