"""Runs many things at the same time, so that one that hangs or fails doesn't hold up the others."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

# How many run at the same time.
AT_ONCE = 20


async def run_each(works: Sequence[Callable[[], Awaitable[object]]]) -> None:
    """Run all of these, AT_ONCE at a time. Raises the first error at the end."""
    places = asyncio.Semaphore(AT_ONCE)

    async def limited(work: Callable[[], Awaitable[object]]) -> None:
        async with places:
            await work()

    results = await asyncio.gather(*map(limited, works), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
