"""One conversation about one delivery: acknowledged once, in time, and then told what became of it."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from countersign.notifications import Person
from notifiers.slack.inbound.deliveries import Answered
from notifiers.slack.inbound.payloads import Command, Delivery, Opened, Pressed, Shortcut, Submitted
from notifiers.slack.inbound.replies import LONGEST, Place, Replies
from notifiers.slack.outbound.escaping import marked_up
from notifiers.slack.outbound.views import message_modal

# Slack waits 3 seconds: https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
PATIENCE_SECONDS = 2.0
LONGEST_ERROR = 150

T = TypeVar("T")


class Interaction:
    """With the person who sent `delivery`."""

    def __init__(self, delivery: Delivery, replies: Replies) -> None:
        self.delivery = delivery
        self.place = place_of(delivery)
        self.person: Person | None = None  # once that is known
        self.acknowledged: Answered = asyncio.get_running_loop().create_future()
        self._replies = replies
        self._until = time.monotonic() + PATIENCE_SECONDS

    async def received(self) -> None:
        """Acknowledge, and close the form if it was one. Again does nothing."""
        if not self.acknowledged.done():
            self.acknowledged.set_result({})

    async def same_as(self, first: Answered) -> None:
        """Acknowledge as the first delivery of the same was, once it is; and say nothing more."""
        done, _ = await asyncio.wait({first}, timeout=PATIENCE_SECONDS)
        if done:
            self.acknowledged.set_result(first.result())

    async def say(self, message: str) -> None:
        """Tell them; in the acknowledgement itself where it can carry a message."""
        late = self.acknowledged.done()
        if not late and isinstance(self.delivery, Submitted):
            self.acknowledged.set_result({"response_action": "update", "view": message_modal(message)})
        elif not late and isinstance(self.delivery, Command):
            self.acknowledged.set_result({"response_type": "ephemeral", "text": marked_up(message, LONGEST)})
        else:
            await self.received()
            await self._replies.tell(self.place, message)

    async def done(self, message: str) -> None:
        """All went well. What they see says so already, except in a form that was told to wait."""
        if self.acknowledged.done() and isinstance(self.delivery, Submitted):
            await self.say(message)
        await self.received()

    async def mend(self, field: str, message: str) -> None:
        """Have a field of the form mended, if the form still stands; else tell them."""
        if not self.acknowledged.done():
            errors = {field: message[:LONGEST_ERROR]}
            self.acknowledged.set_result({"response_action": "errors", "errors": errors})
        else:
            await self.say(message)

    async def in_time(self, work: Coroutine[Any, Any, T], meanwhile: str = "") -> T:
        """The work's result. Where that takes long, acknowledge first; a form, or who typed, is told `meanwhile`."""
        task = asyncio.ensure_future(work)
        await asyncio.wait({task}, timeout=max(self._until - time.monotonic(), 0))
        if not task.done():
            await (self.received() if isinstance(self.delivery, Pressed) else self.say(meanwhile))
        return await task


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
