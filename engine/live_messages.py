"""Keeping up to date what was sent on channels whose messages can be changed: each shows its request as it stands."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime
from typing import Any, Protocol, TypeVar

from countersign.errors import CountersignError, in_words
from countersign.notifications import Notification, Shown

log = logging.getLogger(__name__)
T = TypeVar("T")


class LiveMessageStore(Protocol):
    """Where it is written what each message shows."""

    def outdated(self, approval_id: int) -> Sequence[Any]:
        """The messages about a request that show it as it was before."""

    def left_behind(self, now: datetime, limit: int) -> Sequence[Any]:
        """The same of all requests, where another try is due."""

    def show(self, changes: Sequence[Shown]) -> None:
        """Record what messages show now."""

    def doubt(self, notice_ids: Sequence[str]) -> None:
        """Record that changes of these messages were given up, and may yet be made."""


class LiveMessageReader(Protocol):
    """Where what a message shows is read."""

    def notifications(self, rows: Sequence[Any]) -> list[tuple[str, Notification]]:
        """The channel and the full message of each notice."""


class Sender(Protocol):
    """The way out of a channel."""

    async def send(self, notice: Notification) -> str:
        """Send one notice; returns the channel's reference."""


class LiveSender(Sender, Protocol):
    """The way out of a channel whose messages are kept up to date."""

    async def change(self, reference: str, notice: Notification) -> bool:
        """Have a message show what this notice says; False where it is gone for good."""


class LiveMessages:
    """The messages that people hold about requests."""

    def __init__(
        self, book: LiveMessageStore, reader: LiveMessageReader, live: Mapping[str, LiveSender], executor: Executor
    ) -> None:
        self.book = book
        self.reader = reader
        self.live = live
        self.executor = executor

    async def catch_up(self, approval_id: int, seconds: float) -> None:
        """Have all messages about a request show it as it stands."""
        await self.change(await self._run(self.book.outdated, approval_id), seconds)

    async def change(self, rows: Sequence[Any], seconds: float) -> None:
        """Have these messages show their requests as they stand; what fails stays outdated, for the sweeper."""
        if not rows:
            return
        messages = await self._run(self.reader.notifications, rows)
        changes = zip(rows, messages, strict=True)
        changed = await asyncio.gather(
            *(self._change_one(channel, row, notice, seconds) for row, (channel, notice) in changes)
        )
        if shown := [one for one in changed if one is not None]:
            await self._run(self.book.show, shown)

    async def _change_one(self, channel: str, row: Any, notice: Notification, seconds: float) -> Shown | None:
        if channel not in self.live:
            return None  # it was set up before, and is not now
        try:
            async with asyncio.timeout(seconds):
                there = await self.live[channel].change(row.reference, notice)
            return Shown(notice_id=notice.id, before=row.shows, now=notice.step if there else None)
        except TimeoutError:
            log.warning("the message of notice %s stays as it was: no answer within %s s", notice.id, seconds)
            await self._run(self.book.doubt, [notice.id])
        except CountersignError as error:
            log.warning("the message of notice %s stays as it was: %s", notice.id, in_words(error))
        except Exception:
            log.exception("the message of notice %s stays as it was", notice.id)
        return None

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.executor, function, *args)
