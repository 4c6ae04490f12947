"""The exchange about one delivery: acknowledges it once, in time, and then tells its sender the outcome."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse

from countersign.notifications import Person
from notifiers.slack.inbound.deliveries import Acknowledgement
from notifiers.slack.inbound.payloads import Command, Delivery, Opened, Pressed, Shortcut, Submitted
from notifiers.slack.inbound.replies import LONGEST, Place, Replies
from notifiers.slack.outbound.escaping import marked_up
from notifiers.slack.outbound.views import message_modal

# Slack waits 3 seconds: https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
PATIENCE_SECONDS = 2.0
LONGEST_ERROR = 150

T = TypeVar("T")


class Interaction:
    """The exchange with the person who sent `delivery`."""

    def __init__(self, delivery: Delivery, ack: AsyncAck, replies: Replies) -> None:
        self.delivery = delivery
        self.place = place_of(delivery)
        self.person: Person | None = None  # once that is known
        self.acknowledged: Acknowledgement = asyncio.get_running_loop().create_future()
        self._ack = ack
        self._replies = replies
        self._until = time.monotonic() + PATIENCE_SECONDS

    async def received(self) -> None:
        """Acknowledge, and close the form if it was one. A second call does nothing."""
        if not self.acknowledged.done():
            self._answer(await self._ack())

    async def same_as(self, first: Acknowledgement) -> None:
        """Acknowledge as the first delivery of the same was acknowledged, once it was; say nothing more."""
        done, _ = await asyncio.wait({first}, timeout=PATIENCE_SECONDS)
        if done:
            self._ack.response = first.result()

    async def say(self, message: str) -> None:
        """Tell them; in the acknowledgement itself if it can carry a message."""
        late = self.acknowledged.done()
        if not late and isinstance(self.delivery, Submitted):
            self._answer(await self._ack(response_action="update", view=message_modal(message)))
        elif not late and isinstance(self.delivery, Command):
            self._answer(await self._ack(text=marked_up(message, LONGEST), response_type="ephemeral"))
        else:
            await self.received()
            await self._replies.tell(self.place, message)

    async def done(self, message: str) -> None:
        """All went well. What they see says so already, except in a form that was told to wait."""
        if self.acknowledged.done() and isinstance(self.delivery, Submitted):
            await self.say(message)
        await self.received()

    async def mend(self, field: str, message: str) -> None:
        """Have a field of the form corrected, if the form is still open; else tell them."""
        if not self.acknowledged.done():
            self._answer(await self._ack(response_action="errors", errors={field: message[:LONGEST_ERROR]}))
        else:
            await self.say(message)

    async def in_time(self, work: Coroutine[Any, Any, T], meanwhile: str) -> T:
        """The work's result. If Slack can't wait for it, first acknowledge, and say `meanwhile` (not after a click)."""
        task = asyncio.ensure_future(work)
        await asyncio.wait({task}, timeout=max(self._until - time.monotonic(), 0))
        if not task.done():
            await (self.received() if isinstance(self.delivery, Pressed) else self.say(meanwhile))
        return await task

    def _answer(self, response: BoltResponse) -> None:
        self.acknowledged.set_result(response)


def place_of(delivery: Delivery) -> Place:
    """Where the sender of a payload can be answered."""
    match delivery:
        case Pressed():
            channel = delivery.container.channel_id
            return Place(delivery.user.id, channel, delivery.response_url, delivery.trigger_id)
        case Submitted():
            return Place(delivery.user.id, view_id=delivery.view.id)
        case Shortcut():
            return Place(delivery.user.id, trigger_id=delivery.trigger_id)
        case Command():
            return Place(delivery.user_id, response_url=delivery.response_url)
        case Opened():
            return Place(delivery.event.user)
