"""Work that never ends: reading an inbox, or the tasks for what a crash or an outage left behind."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from countersign.tasks import first_of

Work = Callable[[Callable[[], None]], Awaitable[None]]


def background(name: str, work: Work) -> Callable[[], Coroutine[Any, Any, None]]:
    """The activity of this name. It does the work, which calls its argument every second or so while all is well.

    It ends without an error when its worker stops, so that another worker goes on at once.
    """

    @activity.defn(name=name)
    async def work_until_shutdown() -> None:
        working = asyncio.ensure_future(work(activity.heartbeat))
        await first_of(activity.wait_for_worker_shutdown(), working)
        if not working.cancelled():
            working.result()
        if not activity.is_worker_shutdown():
            raise ApplicationError("The work ended by itself; it is started again.")

    return work_until_shutdown
