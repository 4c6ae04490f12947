"""Sending what a step has written: at once where the far side is healthy, else left for the sweeper."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TypeVar

from activities.copies import Copies, CopyBook, CopyReader, LiveSender, Sender
from countersign.errors import CountersignError, Unreachable, in_words
from countersign.notices import Notice, Result
from countersign.steps import ANSWERING_STEP

# A healthy mail server takes a mail within this; what takes longer is left for the sweeper.
HEALTHY_SECONDS = 0.9
# Where somebody is looked up, written to and shown what changed, call after call, it may take longer; nobody waits.
LIVE_SECONDS = 8.0
# The sweeper is in no hurry, and a slow server may need this long.
PATIENT_SECONDS = 60.0
SWEEP_AT_ONCE = 50
# Of a message that is brought up to date next, whatever it shows now.
NEVER_SHOWN = 0

log = logging.getLogger(__name__)
T = TypeVar("T")
State = Literal["sent", "unreachable", "waiting"]
Messages = Sequence[tuple[str, Notice]]


class NoticeBook(CopyBook, Protocol):
    """Where notices are written."""

    def left_over(self, now: datetime, limit: int) -> Sequence[Any]:
        """Unsent notices that are due for another try."""

    def put_off(self, notice_ids: Sequence[str], now: datetime) -> None:
        """Try these again later."""

    def mark(self, approval_id: int, results: Sequence[Result], channels: Sequence[str]) -> None:
        """Record what became of notices; who can't be reached by one of the channels is told by the others."""


class Reader(CopyReader, Protocol):
    """Where what a notice shows is read."""

    def notices_of(self, approval_id: int, step: int) -> list[tuple[str, Notice]]:
        """The channel and the full message of each unsent notice of a step."""


class Courier:
    """Hands notices to their channels and records what became of them; keeps up to date what the `live` ones sent."""

    def __init__(
        self,
        notices: NoticeBook,
        reader: Reader,
        senders: Mapping[str, Sender],
        executor: Executor,
        live: Mapping[str, LiveSender] | None = None,
    ) -> None:
        self.notices = notices
        self.reader = reader
        self.live = live or {}
        self.senders: dict[str, Sender] = {**senders, **self.live}
        self.copies = Copies(notices, reader, self.live, executor)
        self.executor = executor
        self._late: set[asyncio.Task[Any]] = set()

    async def deliver(self, approval_id: int, step: int) -> list[str]:
        """Send the notices of one step, all at once, and bring up to date what was sent before.

        Returns the people whom a channel can never reach, as far as that is known soon.
        """
        messages = await self._run(self.reader.notices_of, approval_id, step)
        if not self.live:
            return [person for person, _ in await self._send(messages, HEALTHY_SECONDS)]
        # What was tried before may be on its way this moment, here or elsewhere: the sweeper looks for it later.
        fresh = [(channel, notice) for channel, notice in messages if channel in self.live and not notice.again]
        live = self._deliver_live(approval_id, fresh)
        others = [one for one in messages if one[0] not in self.live]
        lost, lost_live = await asyncio.gather(self._send(others, HEALTHY_SECONDS), self._soon(live))
        return sorted({person for person, _ in [*lost, *(lost_live or [])]})

    async def answer_back(self, approval_id: int) -> None:
        """Send what is written to the senders of mails or clicks about a request."""
        await self.deliver(approval_id, ANSWERING_STEP)

    async def sweep(self, look_again: Callable[[int], Awaitable[None]]) -> None:
        """Send what was left over; `look_again(approval_id)` hears of each request with people who can't be reached."""
        rows = await self._due(self.notices.left_over)
        messages = await self._read(rows)
        for approval_id in sorted({about for _, about in await self._send(messages, PATIENT_SECONDS)}):
            await look_again(approval_id)
        if self.live:
            await self.copies.change(await self._due(self.notices.left_behind), PATIENT_SECONDS)

    async def close(self) -> None:
        """Leave to the sweeper what is still on its way."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    async def _deliver_live(self, approval_id: int, messages: Messages) -> list[tuple[str, int]]:
        if messages:
            # A message can be posted twice, unlike a mail: another try must know that there was this one.
            await self._run(self.notices.put_off, [notice.id for _, notice in messages], datetime.now(UTC))
        sending = self._send(messages, LIVE_SECONDS)
        lost, _ = await asyncio.gather(sending, self.copies.catch_up(approval_id, LIVE_SECONDS))
        if messages:  # something may have happened while they were on their way
            await self.copies.catch_up(approval_id, LIVE_SECONDS)
        return lost

    async def _soon(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What comes of it while it is healthy to wait; None where it goes on for itself."""
        task = asyncio.create_task(work)
        self._late.add(task)
        task.add_done_callback(self._over)
        await asyncio.wait({task}, timeout=HEALTHY_SECONDS)
        return task.result() if task.done() else None

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._late.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("what was under way is left for the sweeper: %s", in_words(error))

    async def _due(self, left: Callable[[datetime, int], Sequence[Any]]) -> Sequence[Any]:
        """What is due for another try; put off before it is tried, so that what fails holds up nothing else."""
        rows = await self._run(left, datetime.now(UTC), SWEEP_AT_ONCE)
        if rows:
            await self._run(self.notices.put_off, [row.id for row in rows], datetime.now(UTC))
        return rows

    async def _read(self, rows: Sequence[Any]) -> Messages:
        """What these notices show. One that can't be read, by a fault of ours, holds up only itself."""
        try:
            return await self._run(self.reader.notices, rows) if rows else []
        except CountersignError:
            raise
        except Exception:
            if len(rows) == 1:
                log.exception("notice %s can't be read, and waits", rows[0].id)
                return []
            return [message for row in rows for message in await self._read([row])]

    async def _send(self, messages: Messages, seconds: float) -> list[tuple[str, int]]:
        """Send notices; returns the person and request of each who could not be reached by any of them."""
        results = await asyncio.gather(*(self._send_one(channel, notice, seconds) for channel, notice in messages))
        by_request: dict[int, list[Result]] = {}
        reached: set[tuple[str, int]] = set()
        lost: set[tuple[str, int]] = set()
        for (channel, notice), (state, text) in zip(messages, results, strict=True):
            if not notice.room:  # its people are told one by one instead
                (lost if state == "unreachable" else reached).add((notice.to.id, notice.approval_id))
            if state != "waiting":
                # A message of its own, and not one below what the person holds already.
                new = channel in self.live and state == "sent" and text not in ("", notice.holds)
                # What was tried before may have been found there, as it was posted then.
                shows = (NEVER_SHOWN if notice.again else notice.step) if new else None
                result = Result(notice_id=notice.id, state=state, text=text, shows=shows)
                by_request.setdefault(notice.approval_id, []).append(result)
        for approval_id, marks in by_request.items():
            await self._run(self.notices.mark, approval_id, marks, list(self.senders))
        return sorted(lost - reached)

    async def _send_one(self, channel: str, notice: Notice, seconds: float) -> tuple[State, str]:
        """Send one notice: (sent, reference), (unreachable, why) or (waiting, why)."""
        sender = self.senders.get(channel)
        if sender is None:
            return "waiting", f"the channel {channel} is not set up here"
        try:
            async with asyncio.timeout(seconds):
                return "sent", await sender.send(notice)
        except Unreachable as error:
            return "unreachable", str(error)
        except TimeoutError:
            log.warning("notice %s waits: %s did not take it within %s s", notice.id, channel, seconds)
            return "waiting", f"{channel} did not take it in time"
        except CountersignError as error:
            log.warning("notice %s waits: %s", notice.id, in_words(error))
            return "waiting", in_words(error)
        except Exception as error:
            # A fault of ours: it is mended by a deploy, and must hold up neither the request nor other notices.
            log.exception("notice %s waits", notice.id)
            return "waiting", in_words(error)

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.executor, function, *args)
