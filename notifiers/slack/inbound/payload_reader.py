"""From what came in by HTTP or the socket to one of the deliveries we know, and to whom it is handed.

A payload that is none of the known shapes never gets further.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from notifiers.slack.inbound.dispatcher import CANT_READ, Dispatcher, Handler
from notifiers.slack.inbound.handlers import Handlers
from notifiers.slack.inbound.interaction import Interaction
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

# How long Slack waits: https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
ACKNOWLEDGE_SECONDS = 3.0
# The one event that the app subscribes to.
EVENT = "app_home_opened"
KINDS: dict[str, type[Pressed | Submitted | Shortcut]] = {
    "block_actions": Pressed,
    "view_submission": Submitted,
    "shortcut": Shortcut,
}

log = logging.getLogger(__name__)


class Acknowledgement(NamedTuple):
    """What Slack is answered: a status of HTTP, and a JSON object where there is something to say."""

    status: HTTPStatus = HTTPStatus.OK
    body: dict[str, Any] = {}


UNREADABLE = Acknowledgement(HTTPStatus.BAD_REQUEST)


class PayloadReader:
    """Reads each payload and has it handled; `running` holds the tasks that go on after it was acknowledged."""

    def __init__(
        self, handlers: Handlers, dispatcher: Dispatcher, replies: Replies, running: set[asyncio.Task[Any]]
    ) -> None:
        self._handlers = handlers
        self._dispatcher = dispatcher
        self._replies = replies
        self._running = running

    async def take(self, body: object) -> Acknowledgement:
        """Have a payload handled, and return as soon as it is acknowledged."""
        if not isinstance(body, dict):
            return UNREADABLE
        if body.get("type") == "url_verification" and isinstance(body.get("challenge"), str):
            return Acknowledgement(body={"challenge": body["challenge"][:1000]})
        try:
            delivery = understood(body)
        except Malformed as error:
            await self._turn_away(body, error)
            return UNREADABLE
        return await self._handled(delivery) if delivery else Acknowledgement()

    async def _handled(self, delivery: Delivery) -> Acknowledgement:
        interaction = Interaction(delivery, self._replies)
        serving = self._begin(self._serve(interaction, self._handlers.of(delivery)))
        awaited: set[asyncio.Future[Any]] = {serving, interaction.acknowledged}
        await asyncio.wait(awaited, timeout=ACKNOWLEDGE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not interaction.acknowledged.done():
            return Acknowledgement(HTTPStatus.SERVICE_UNAVAILABLE)
        return Acknowledgement(body=interaction.acknowledged.result())

    async def _serve(self, interaction: Interaction, handle: Handler) -> None:
        try:
            await self._dispatcher.serve(interaction, handle)
        except Exception as error:  # not its text, which may hold the payload
            log.error("what Slack sent could not be handled (%s)", type(error).__name__)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _turn_away(self, body: Mapping[str, Any], error: Malformed) -> None:
        """What is signed by Slack and still unreadable goes on the record, and its sender is told."""
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
        # Not before it is acknowledged: that has to be done within three seconds.
        place = Place(delivery.sender.user, response_url=delivery.response_url)
        self._begin(self._replies.tell(place, CANT_READ))


def understood(body: Mapping[str, Any]) -> Delivery | None:
    """The delivery in a payload; None for a kind that we never asked for. Raises Malformed."""
    kind = body.get("type")
    if isinstance(kind, str) and kind in KINDS:
        return read(KINDS[kind], body)
    if kind == "event_callback":
        event = body.get("event")
        is_opening = isinstance(event, dict) and event.get("type") == EVENT
        return read(Opened, body) if is_opening else None
    if kind is None and "command" in body:
        return read(Command, body)
    return None
