"""Sending what a step has written: at once where the far side is healthy, else left for the sweeper."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from countersign.errors import CountersignError, Unreachable, in_words
from countersign.notices import Notice
from countersign.steps import ANSWERING_STEP

# A healthy mail server takes a mail within this; what takes longer is left for the sweeper.
HEALTHY_SECONDS = 0.9
# The sweeper is in no hurry, and a slow server may need this long.
PATIENT_SECONDS = 60.0
SWEEP_AT_ONCE = 50

log = logging.getLogger(__name__)
T = TypeVar("T")


class NoticeBook(Protocol):
    """Where notices are written."""

    def of_step(self, approval_id: int, step: int) -> Sequence[Any]:
        """The unsent notices of a step."""

    def left_over(self, now: datetime, limit: int) -> Sequence[Any]:
        """Unsent notices that are due for another try."""

    def put_off(self, notice_ids: Sequence[str], now: datetime) -> None:
        """Try these again later."""

    def mark(self, approval_id: int, sent: dict[str, str], unreachable: dict[str, str]) -> None:
        """Record what became of notices."""


class Reader(Protocol):
    """Where what a notice shows is read."""

    def notices(self, rows: Sequence[Any]) -> list[tuple[str, Notice]]:
        """The channel and the full message of each notice."""


class Sender(Protocol):
    """The way out of a channel."""

    async def send(self, notice: Notice) -> str:
        """Send one notice; returns the channel's reference."""


class Courier:
    """Hands notices to their channels and records what became of them."""

    def __init__(self, notices: NoticeBook, reader: Reader, senders: Mapping[str, Sender], executor: Executor) -> None:
        self.notices = notices
        self.reader = reader
        self.senders = senders
        self.executor = executor

    async def deliver(self, approval_id: int, step: int) -> list[str]:
        """Send the notices of one step, all at once; returns the people whom none of them can ever reach."""
        rows = await self._run(self.notices.of_step, approval_id, step)
        return [person for person, _ in await self._send(rows, HEALTHY_SECONDS)]

    async def answer_back(self, approval_id: int) -> None:
        """Send what is written to the senders of mails or clicks about a request."""
        await self.deliver(approval_id, ANSWERING_STEP)

    async def sweep(self, look_again: Callable[[int], Awaitable[None]]) -> None:
        """Send what was left over; `look_again(approval_id)` hears of each request with people who can't be reached."""
        rows = await self._run(self.notices.left_over, datetime.now(UTC), SWEEP_AT_ONCE)
        if not rows:
            return
        # Put off before they are tried: what can't be sent must not stand in the way of what can.
        await self._run(self.notices.put_off, [row.id for row in rows], datetime.now(UTC))
        for approval_id in sorted({about for _, about in await self._send(rows, PATIENT_SECONDS)}):
            await look_again(approval_id)

    async def _send(self, rows: Sequence[Any], seconds: float) -> list[tuple[str, int]]:
        """Send notices; returns the person and request of each who could not be reached by any of them."""
        messages = await self._run(self.reader.notices, rows)
        results = await asyncio.gather(*(self._send_one(channel, notice, seconds) for channel, notice in messages))
        by_request: dict[int, dict[str, dict[str, str]]] = {}
        reached: set[tuple[str, int]] = set()
        lost: set[tuple[str, int]] = set()
        for (_, notice), (state, text) in zip(messages, results, strict=True):
            (lost if state == "unreachable" else reached).add((notice.to.id, notice.approval_id))
            if state != "waiting":
                by_request.setdefault(notice.approval_id, {}).setdefault(state, {})[notice.id] = text
        for approval_id, states in by_request.items():
            await self._run(self.notices.mark, approval_id, states.get("sent", {}), states.get("unreachable", {}))
        return sorted(lost - reached)

    async def _send_one(self, channel: str, notice: Notice, seconds: float) -> tuple[str, str]:
        """Send one notice: (sent, reference), (unreachable, why) or (waiting, why)."""
        sender = self.senders.get(channel)
        if sender is None:
            return "waiting", f"the channel {channel} is not set up here"
        try:
            async with asyncio.timeout(seconds):
                return "sent", await sender.send(notice)
        except Unreachable as error:
            return "unreachable", str(error)
        except (CountersignError, TimeoutError) as error:
            log.warning("notice %s waits: %s", notice.id, in_words(error))
            return "waiting", in_words(error)
        except Exception as error:
            # A fault of ours: it is mended by a deploy, and must hold up neither the request nor other notices.
            log.exception("notice %s waits", notice.id)
            return "waiting", in_words(error)

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.executor, function, *args)
