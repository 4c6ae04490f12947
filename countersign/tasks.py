"""Waiting for one of several things to happen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def until_first(*works: Awaitable[Any]) -> AsyncIterator[Sequence[asyncio.Future[Any]]]:
    """The tasks of these, in their order, once one is done or has failed; those that go on end with the block."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def first_of(*works: Awaitable[object]) -> None:
    """Wait until one of these is done or has failed, and cancel the others."""
    async with until_first(*works):
        pass
