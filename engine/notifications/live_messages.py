"""Keeps messages up to date on channels that can change them: each shows its request as it is now."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from countersign.channels import LiveSender
from countersign.errors import CountersignError, message_of
from countersign.notifications import Notification, RequestNotification, Shown
from engine.notifications.deliveries import Deliveries
from engine.notifications.messages import Messages
from store import Store

log = logging.getLogger(__name__)


class LiveMessages:
    """The messages about requests that people have."""

    def __init__(self, store: Store, live: Mapping[str, LiveSender]) -> None:
        self.shown_messages = store.shown_messages
        self.deliveries = Deliveries(store)
        self.messages = Messages(store)
        self.live = live
        self._run = store.database.run

    async def catch_up(self, approval_id: int, seconds: float) -> None:
        """Have all messages about a request show it as it is now."""
        await self.change(await self._run(self.shown_messages.outdated, approval_id), seconds)

    async def change(self, rows: Sequence[Any], seconds: float) -> None:
        """Have these messages show their requests as they are now; what fails stays outdated, for the sweeper."""
        if not rows:
            return
        messages = await self._run(self.messages.of, rows)
        changes = zip(rows, messages, strict=True)
        changed = await asyncio.gather(
            *(self._change_one(channel, row, notification, seconds) for row, (channel, notification) in changes)
        )
        if shown := [one for one in changed if one is not None]:
            await self._run(self.deliveries.show, shown)

    async def _change_one(self, channel: str, row: Any, notification: Notification, seconds: float) -> Shown | None:
        if channel not in self.live or not isinstance(notification, RequestNotification):
            return None  # the channel was set up before, but isn't now
        try:
            async with asyncio.timeout(seconds):
                there = await self.live[channel].change(row.reference, notification)
            return Shown(
                notification_id=notification.id, before=row.shows, now=notification.transition if there else None
            )
        except TimeoutError:
            log.warning(
                "the message of notification %s stays as it was: no answer within %s s", notification.id, seconds
            )
            await self._run(self.deliveries.mark_uncertain, [notification.id])
        except CountersignError as error:
            log.warning("the message of notification %s stays as it was: %s", notification.id, message_of(error))
        except Exception:
            log.exception("the message of notification %s stays as it was", notification.id)
        return None
