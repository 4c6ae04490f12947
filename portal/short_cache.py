"""Bounds how often something costly is found that everybody may ask for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class ShortCache(Generic[T]):
    """Calls `find` at most once in `seconds`; all who ask meanwhile get what that call returns or raises."""

    def __init__(self, find: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._find = find
        self._seconds = seconds
        self._found: asyncio.Future[T] | None = None
        self._old_at = 0.0

    async def __call__(self) -> T:
        """The latest result, or a new one."""
        now = asyncio.get_running_loop().time()
        if self._found is None or now >= self._old_at:
            self._found = asyncio.ensure_future(self._find())
            self._old_at = now + self._seconds
        # A caller who leaves must not cancel it for the others.
        return await asyncio.shield(self._found)
