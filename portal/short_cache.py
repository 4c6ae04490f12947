"""What is open to everybody and costs something is found no more often than this, however often it is asked for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class ShortCache(Generic[T]):
    """Calls `find` at most once in so many seconds; all who ask meanwhile get what that call gives or raises."""

    def __init__(self, find: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._find = find
        self._seconds = seconds
        self._found: asyncio.Future[T] | None = None
        self._old_at = 0.0

    async def __call__(self) -> T:
        """What was found lately, or is found now."""
        now = asyncio.get_running_loop().time()
        if self._found is None or now >= self._old_at:
            self._found = asyncio.ensure_future(self._find())
            self._old_at = now + self._seconds
        # Who goes away takes nothing from the others who wait.
        return await asyncio.shield(self._found)
