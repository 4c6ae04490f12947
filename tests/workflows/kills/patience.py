"""Reading while the database may be killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from countersign.errors import Unavailable

# Whatever was killed, all of it is over by then; a busy machine has several times what an idle one needs.
SETTLED_SECONDS = 240.0
# What people wait for is looked at so often: looking costs more than all that is killed.
PAUSE_SECONDS = 0.5

T = TypeVar("T")


async def insist(read: Callable[[], T]) -> T:
    """Read, again and again while the database can't be reached; raises Unavailable where that lasts."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while True:
        try:
            return await asyncio.to_thread(read)
        except Unavailable:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(PAUSE_SECONDS)


async def until_so(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds that is read from the database."""
    deadline = time.monotonic() + SETTLED_SECONDS
    while not await insist(condition):
        assert time.monotonic() < deadline, f"it never came to pass: {what}"
        await asyncio.sleep(PAUSE_SECONDS)
