"""Blocking calls, in a limited number of threads of their own; none of them keeps the program from ending."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from countersign.errors import Unavailable

T = TypeVar("T")


class Calls:
    """Runs blocking calls beside the event loop."""

    def __init__(self, most: int) -> None:
        """`most`: how many run at once; others wait for one to end."""
        self._room = asyncio.Semaphore(most)

    async def __call__(self, call: Callable[[], T]) -> T:
        """What the call returns or raises; Unavailable if the system has no thread left.

        If this is cancelled, the call goes on and still counts as running.
        """
        await self._room.acquire()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def finish(result: T | None, error: BaseException | None) -> None:
            self._room.release()
            if done.cancelled():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type] # without an error there is a result

        def run() -> None:
            result, error = None, None
            try:
                result = call()
            except Exception as raised:
                error = raised
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(finish, result, error)

        try:
            threading.Thread(target=run, daemon=True).start()
        except RuntimeError:
            self._room.release()
            raise Unavailable("This host has too much to do; try again.") from None
        return await done
