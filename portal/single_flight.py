"""Finds a value once in this process for all who want it at the same time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class SingleFlight:
    """What is being found in this process: others who want the same wait, and then ask the database once."""

    def __init__(self) -> None:
        self._over: dict[tuple[str, ...], asyncio.Event] = {}

    def over(self, what: tuple[str, ...]) -> asyncio.Event | None:
        """An event that is set when it was found, or finding it failed; None if nobody here is finding it."""
        return self._over.get(what)

    @contextmanager
    def finding(self, what: tuple[str, ...]) -> Iterator[None]:
        """Have all others who want it wait meanwhile."""
        over = self._over[what] = asyncio.Event()
        try:
            yield
        finally:
            del self._over[what]
            over.set()
