"""Kills and freezes processes at chosen moments, and remembers what was killed when."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from store import Store
from store.tables import notifications
from tests.workflows.kills.moments import PlannedKill, Watch
from tests.workflows.kills.patience import insist
from tests.workflows.processes import Processes

# A moment comes soon on an idle machine. If it hasn't come by then, the kill is made without it.
MOMENT_SECONDS = 90.0
# How long a process is down after a kill, and how long it is frozen.
AWAY_SECONDS, FROZEN_SECONDS = (0.0, 1.0), (0.5, 4.0)
# How long after the moment the kill is made: mostly at once.
DELAYS = (0.0, 0.0, 0.0, 0.01, 0.05, 0.2)


@dataclass(frozen=True)
class Kill:
    """What was killed, or frozen, and when. `being_sent` are the notifications that may come twice because of it."""

    at: datetime
    moment: str
    targets: tuple[str, ...]
    how: str
    being_sent: frozenset[str]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S.%f} {self.how} {' and '.join(self.targets)}: {self.moment}"


class Killer:
    """One kill at a time for each process."""

    def __init__(self, processes: Processes, store: Store) -> None:
        self.processes = processes
        self.store = store
        self.kills: list[Kill] = []
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._interrupted = False

    async def kill_at_moment(self, planned: PlannedKill, dice: random.Random, watch: Watch) -> bool:
        """Wait for a moment, and kill then; returns once what was killed is started again.

        False if something else had to be killed before the moment came.
        """
        delay, away, frozen = dice.choice(DELAYS), dice.uniform(*AWAY_SECONDS), dice.uniform(*FROZEN_SECONDS)
        async with AsyncExitStack() as held:
            for name in sorted(planned.targets):
                await held.enter_async_context(self._locks[name])
            came = await asyncio.to_thread(self._freeze_at, watch, planned.targets, delay)
            if not came and self._interrupted:
                for name in planned.targets:
                    self.processes.resume(name)
                return False
            moment = f"{planned.moment}, {delay} s later" if came else f"{planned.moment} did not come"
            if planned.freeze:
                await self._resume(planned.targets, moment, frozen)
            else:
                await self._kill(planned.targets, moment, away)
        return True

    async def kill_until(self, name: str, moment: str, until: datetime) -> None:
        """Kill a process now, and start it again at a time."""
        self._interrupted = True
        async with self._locks[name]:
            self._interrupted = False
            self.processes.freeze(name)
            await self._kill((name,), moment, max((until - datetime.now(UTC)).total_seconds(), 0.0))

    def _freeze_at(self, watch: Watch, targets: tuple[str, ...], delay: float) -> bool:
        """Stop them within the same millisecond, so that what is read next is the state in which they are killed."""
        came = watch.wait(MOMENT_SECONDS, lambda: self._interrupted)
        if came and delay:
            watch.pause(delay)
        for name in targets:
            self.processes.freeze(name)
        return came

    async def _resume(self, targets: tuple[str, ...], moment: str, seconds: float) -> None:
        self.kills.append(Kill(datetime.now(UTC), moment, targets, "froze", frozenset()))
        await asyncio.sleep(seconds)
        for name in targets:
            self.processes.resume(name)

    async def _kill(self, targets: tuple[str, ...], moment: str, away: float) -> None:
        at = datetime.now(UTC)
        being_sent = await self._being_sent() if {"worker", "mail"} & set(targets) else frozenset[str]()
        self.kills.append(Kill(at, moment, targets, "killed", being_sent))
        for name in targets:
            await self.processes.kill(name)
        await asyncio.sleep(away)
        for name in targets:
            await self.processes.start(name)

    async def _being_sent(self) -> frozenset[str]:
        """The notifications whose sending was begun and is not on record as done."""
        begun = select(notifications.c.id).where(
            notifications.c.state == "waiting", notifications.c.held_until.is_not(None)
        )

        def read() -> frozenset[str]:
            with self.store.database.reading() as connection:
                return frozenset(connection.execute(begun).scalars())

        return await insist(read)
