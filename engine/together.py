"""Does many things at once, so that one that hangs or fails holds up no other."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

# How many requests are dealt with together.
AT_ONCE = 20


async def each_for_itself(works: Sequence[Callable[[], Awaitable[object]]]) -> None:
    """Do all of it, AT_ONCE at a time, so that one that hangs holds up no other. Raises the first error at the end."""
    room = asyncio.Semaphore(AT_ONCE)

    async def in_its_place(work: Callable[[], Awaitable[object]]) -> None:
        async with room:
            await work()

    results = await asyncio.gather(*map(in_its_place, works), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
