"""What is being found in this process, for those who wait for it too."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class SingleFlight:
    """What is being found in this process: whoever repeats it waits for that, and asks the database once."""

    def __init__(self) -> None:
        self._over: dict[tuple[str, ...], asyncio.Event] = {}

    def over(self, what: tuple[str, ...]) -> asyncio.Event | None:
        """Set when it was found, or can't be; None where nobody here looks for it."""
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
