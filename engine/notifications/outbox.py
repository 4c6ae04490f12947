"""Sends notifications that were written: at once, and again if that fails."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from countersign.channels import LiveSender, Sender
from countersign.errors import CountersignError, Unconfirmed, Unreachable, message_of
from countersign.notifications import Notification, RequestNotification, Result
from countersign.transitions import ANSWERING_TRANSITION
from engine.notifications.deliveries import HELD_FOR, Deliveries
from engine.notifications.live_messages import LiveMessages
from store import Store
from store.tables import NEVER_SHOWN

# How long a transition waits for its notifications. Slower ones continue in the background.
HEALTHY_SECONDS = 0.9
# A post that can be looked up afterwards is cancelled after the first of these, or after the second on later tries.
LIVE_SECONDS = 8.0
LATER_LIVE_SECONDS = 60.0
# One that can't be looked up comes twice if a worker is killed between sending it and recording that. So the next one
# begins when the one before is recorded, or has taken this long.
NEXT_AFTER_SECONDS = 0.1
# The sweeper starts no more notifications of a channel while this many are being sent.
MOST_UNDER_WAY = 200
CHANGES_AT_ONCE = 50
# How long a worker that stops waits for what is under way.
CLOSING_SECONDS = 4.0
# Between two tries to record the result of a notification.
WRITE_AGAIN_SECONDS = 1.0

log = logging.getLogger(__name__)
T = TypeVar("T")
Full = Sequence[tuple[str, Notification]]
Sends = Sequence[tuple[str, asyncio.Task[str]]]


class Outbox:
    """Sends notifications by their channels and records the results; keeps the messages of `live` channels up to date.

    `elsewhere` are channels that this worker lacks and others have: those workers send by them. Nobody can be reached
    by a channel that no worker has.
    """

    def __init__(
        self,
        store: Store,
        senders: Mapping[str, Sender],
        live: Mapping[str, LiveSender] | None = None,
    ) -> None:
        self.notifications, self.shown_messages = store.notifications, store.shown_messages
        self.deliveries = Deliveries(store)
        self.messages = self.deliveries.messages
        self.last_version = store.events.last_version
        self.live = live or {}
        self.senders: dict[str, Sender] = {**senders, **self.live}
        self.elsewhere: frozenset[str] = frozenset()
        self.live_messages = LiveMessages(store, self.live)
        self._run = store.database.run
        self._tasks: set[asyncio.Task[Any]] = set()
        self._under_way: dict[str, str] = {}  # the channel of each notification
        self._ended: dict[int | None, list[Result]] = {}  # by request; not written yet
        self._read_through = 0  # the version of the record up to which new notifications were looked for
        self._writing = asyncio.Lock()
        self._sending: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    # --- for others ---------------------------------------------------------------------------------------------------

    async def deliver(self, approval_id: int, transition: int) -> list[str]:
        """Send the notifications of one transition, all at once, and update the messages that were sent before.

        Returns the people whom no channel can reach, as soon as that is done, or after HEALTHY_SECONDS at the latest.
        """
        sends = await self._send_transition(approval_id, transition)
        works: list[asyncio.Task[Any]] = [task for _, task in sends]
        if self.live:
            posts = [task for channel, task in sends if channel in self.live]
            works.append(self._start(self._catch_up(approval_id, posts)))
        if works:
            await asyncio.wait(works, timeout=HEALTHY_SECONDS)
        if any(_result(task) == "unreachable" for _, task in sends):
            return await self._run(self.notifications.lost, approval_id)
        return []

    async def send_replies(self, approval_id: int) -> None:
        """Send what was written to people who answered or clicked about a request."""
        await self.deliver(approval_id, ANSWERING_TRANSITION)

    # --- for the sweepers --------------------------------------------------------------------------------------------

    async def send_left_over(self) -> None:
        """Begin to send what is due for another try, in the background."""
        for channel in self.senders:
            most = MOST_UNDER_WAY - list(self._under_way.values()).count(channel)
            if most > 0:
                await self._send_again(most, by=[channel])
        await self._send_again(MOST_UNDER_WAY, but=[*self.senders, *self.elsewhere])

    async def send_new(self) -> None:
        """Begin to send what a process without an outbox has written, if the record has grown since the last call."""
        if (last := await self._run(self.last_version)) != self._read_through:
            self._read_through = last
            await self.send_left_over()

    async def change_left_over(self) -> None:
        """Update the messages that still show a request as it was before."""
        if self.live:
            rows = await self._run(self.shown_messages.left_behind, datetime.now(UTC), CHANGES_AT_ONCE)
            begun = await self._run(self.deliveries.begin, [row.id for row in rows], datetime.now(UTC)) if rows else {}
            await self.live_messages.change([row for row in rows if row.id in begun], LATER_LIVE_SECONDS)
            if begun:
                await self._run(self.notifications.release, list(begun))

    async def hold(self) -> None:
        """Renew the hold on all that is under way, so that no other worker sends it too."""
        if self._under_way:
            await self._run(self.notifications.hold, list(self._under_way), datetime.now(UTC) + HELD_FOR)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._tasks

    async def close(self) -> None:
        """Wait a little for what is under way; the rest is sent by another worker, perhaps a second time."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSING_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- sending -----------------------------------------------------------------------------------------------------

    async def _send_transition(self, approval_id: int, transition: int) -> Sends:
        """Begin to send the notifications of a transition that nobody has tried yet.

        Others are left over, or under way.
        """
        new = await self._run(
            self.deliveries.begin_transition, approval_id, transition, self.elsewhere, datetime.now(UTC)
        )
        return [(channel, self._start(self._send(channel, notification, tries=1))) for channel, notification in new]

    async def _send_again(self, most: int, **channels: Any) -> None:
        rows = await self._run(lambda: self.deliveries.left_over(datetime.now(UTC), most, **channels))
        messages = await self._read(rows)
        await self._begin(messages)
        if broken := {row.id for row in rows} - {notification.id for _, notification in messages}:
            # Postponed, or they would be first among what is left over every time.
            await self._run(self.deliveries.begin, list(broken), datetime.now(UTC))
            await self._run(self.notifications.release, list(broken))

    async def _begin(self, messages: Full) -> None:
        """Record that these are sent now, and send each by itself, in the background."""
        ids = [notification.id for _, notification in messages if notification.id not in self._under_way]
        tries = await self._run(self.deliveries.begin, ids, datetime.now(UTC)) if ids else {}
        for channel, notification in messages:
            if notification.id in tries:
                self._start(self._send(channel, notification, tries[notification.id]))

    async def _send(self, channel: str, notification: Notification, tries: int) -> str:
        """Send one notification and record the result; returns its state."""
        self._under_way[notification.id] = channel
        try:
            async with self._next_to_send(channel):
                result = await self._try(channel, notification, tries)
                await self._record(notification.approval_id, result)
        finally:
            del self._under_way[notification.id]
        if result.state == "unreachable" and notification.approval_id is not None:
            # Its person is notified by another channel now; if it isn't about a request, a second later.
            await self._send_transition(notification.approval_id, _transition_of(notification))
        return result.state

    @asynccontextmanager
    async def _next_to_send(self, channel: str) -> AsyncIterator[None]:
        """Wait until the notification before on this channel is recorded, or has taken NEXT_AFTER_SECONDS."""
        if channel in self.live:
            yield
            return
        sending = self._sending[channel]
        await sending.acquire()
        over = asyncio.get_running_loop().create_future()
        over.add_done_callback(lambda _: sending.release())
        timer = asyncio.get_running_loop().call_later(NEXT_AFTER_SECONDS, _set, over)
        try:
            yield
        finally:
            timer.cancel()
            _set(over)

    async def _try(self, channel: str, notification: Notification, tries: int) -> Result:
        ended = Result(notification_id=notification.id, state="waiting", text="", tries=tries)
        sender = self.senders.get(channel)
        if sender is None:
            return ended.model_copy(update={"state": "unreachable", "text": f"no worker has the channel {channel}"})
        seconds = (LIVE_SECONDS if tries == 1 else LATER_LIVE_SECONDS) if channel in self.live else None
        try:
            async with asyncio.timeout(seconds):
                reference = await sender.send(notification)
        except Unreachable as error:
            return ended.model_copy(update={"state": "unreachable", "text": str(error)})
        except TimeoutError:
            why = f"{channel} did not take it within {seconds} s"
        except CountersignError as error:
            why = message_of(error)
            ended = ended.model_copy(update={"unconfirmed": isinstance(error, Unconfirmed)})
        except Exception as error:
            # A bug of ours: a new version mends it, and it must hold up neither the request nor other notifications.
            log.exception("notification %s waits", notification.id)
            why = message_of(error)
        else:
            shows = self._shows(channel, notification, reference)
            return ended.model_copy(update={"state": "sent", "text": reference, "shows": shows})
        log.warning("notification %s waits: %s", notification.id, why)
        return ended.model_copy(update={"text": why})

    def _shows(self, channel: str, notification: Notification, reference: str) -> int | None:
        """The transition that its own message shows; None if it replies to a message that the person has already."""
        if channel not in self.live or not isinstance(notification, RequestNotification):
            return None
        if reference in ("", notification.live_message):
            return None
        # A message that was found to have been posted by an earlier try may show anything older.
        return NEVER_SHOWN if notification.again else notification.transition

    async def _record(self, approval_id: int | None, result: Result) -> None:
        """Record how a try ended, together with others of this request that ended while earlier ones were recorded."""
        self._ended.setdefault(approval_id, []).append(result)
        async with self._writing:
            while results := self._ended.pop(approval_id, []):
                try:
                    await self._run(self.deliveries.mark, approval_id, results, self._all_channels)
                except CountersignError as error:
                    # What was sent must be on record, or it is sent again.
                    log.warning(
                        "what became of %s notifications is not written yet: %s", len(results), message_of(error)
                    )
                    self._ended.setdefault(approval_id, []).extend(results)
                    await asyncio.sleep(WRITE_AGAIN_SECONDS)

    async def _catch_up(self, approval_id: int, posts: Sequence[asyncio.Task[str]]) -> None:
        """Have all messages about a request show it as it is now, including those that are being posted now."""
        await self.live_messages.catch_up(approval_id, LIVE_SECONDS)
        if posts:
            await asyncio.wait(posts)
            await self.live_messages.catch_up(approval_id, LIVE_SECONDS)

    async def _read(self, rows: Sequence[Any]) -> Full:
        """The full notifications. One that can't be read, because of a bug of ours, holds up only itself."""
        try:
            return await self._run(self.messages.of, rows) if rows else []
        except CountersignError:
            raise
        except Exception:
            if len(rows) == 1:
                log.exception("notification %s can't be read, and waits", rows[0].id)
                return []
            return [message for row in rows for message in await self._read([row])]

    @property
    def _all_channels(self) -> list[str]:
        return sorted({*self.senders, *self.elsewhere})

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run it in the background until it is done, or this worker stops."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("what was under way is left over", exc_info=error)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _transition_of(notification: Notification) -> int:
    """The transition that a notification was written with, by its id (`tables.notifications`)."""
    return int(notification.id.split(".")[1])


def _result(task: asyncio.Task[str]) -> str:
    """The state in which sending a notification ended; "" while it is under way, or if that went wrong."""
    return task.result() if task.done() and not task.cancelled() and task.exception() is None else ""
