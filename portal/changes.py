"""Requests as they are after a change, read once for all who are shown it."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from countersign.views import AuditEventView, RequestView

# How many are kept: more than change while the slowest reader is sent one batch.
KEPT = 1000
# A request, and what it is found by.
Changed = tuple[RequestView, dict[str, list[str]]]


class Changes:
    """The requests of the latest KEPT changes; `read` reads one from the database."""

    def __init__(self, read: Callable[[int], Awaitable[Changed]]) -> None:
        self._read = read
        self._found: OrderedDict[int, asyncio.Future[Changed]] = OrderedDict()

    async def after(self, event: AuditEventView) -> Changed:
        """The request of this event, as it is then or later."""
        assert event.approval_id is not None
        if event.version not in self._found:
            self._found[event.version] = asyncio.ensure_future(self._read(event.approval_id))
            if len(self._found) > KEPT:
                self._found.popitem(last=False)
        return await asyncio.shield(self._found[event.version])
