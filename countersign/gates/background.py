"""Background tasks whose faults are never missed."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

from countersign.errors import CountersignError

T = TypeVar("T")


class Background:
    """Tasks that go on until they are done, or all of them end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task; a CountersignError that it raises is for whoever awaits it, any other error ends all tasks."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def fail(self, error: BaseException) -> None:
        """Have `until_failure` raise this."""
        if not self._failed.done():
            self._failed.set_exception(error)

    async def until_failure(self) -> NoReturn:
        """Wait for the first fault, and raise it; all tasks end with this."""
        try:
            await self._failed
        finally:
            for task in self._tasks:
                task.cancel()
        raise AssertionError("only an exception ends it")

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, CountersignError):
            self.fail(error)
