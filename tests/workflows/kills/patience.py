"""Reading while the database may be killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from countersign.errors import Unavailable

# Whatever was killed, everything is over by then; this is several times what an idle machine needs, for a busy one.
SETTLED_SECONDS = 240.0
# How often the database is read for what people wait for: reading costs more than all the killing.
PAUSE_SECONDS = 0.5

T = TypeVar("T")


async def insist(read: Callable[[], T]) -> T:
    """Read, again and again while the database can't be reached; raises Unavailable if that lasts."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while True:
        try:
            return await asyncio.to_thread(read)
        except Unavailable:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(PAUSE_SECONDS)


async def until_so(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition that is read from the database holds."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while not await insist(condition):
        assert time.monotonic() < deadline, f"it never came to pass: {what}"
        await asyncio.sleep(PAUSE_SECONDS)
