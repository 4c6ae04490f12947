"""Tasks that end with the block that began them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def alongside(*works: Awaitable[Any]) -> AsyncIterator[Sequence[asyncio.Future[Any]]]:
    """Do all of these while the block runs; yields their tasks, in their order."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def until_first(*works: Awaitable[Any]) -> AsyncIterator[Sequence[asyncio.Future[Any]]]:
    """Yield the tasks of these, in their order, once one is done or has failed; cancel the others after the block."""
    async with alongside(*works) as tasks:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        yield tasks


async def first_of(*works: Awaitable[object]) -> None:
    """Wait until one of these is done or has failed, and cancel the others."""
    async with until_first(*works):
        pass
