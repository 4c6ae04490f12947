"""Requests as they are after a change, read and rendered once for everybody who sees them."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from countersign.views import AuditEventView, RequestView

# How many changed requests are kept: more than change while the slowest reader is sent one batch.
KEPT = 1000
FoundBy = dict[str, list[str]]


@dataclass(frozen=True)
class Changed:
    """A request after a change, the values that filters match, and its rendered lines in lists, by `bulk_action`."""

    request: RequestView
    found_by: FoundBy
    _lines: dict[str, str] = field(default_factory=dict)

    def line(self, bulk_action: str, render: Callable[[], str]) -> str:
        """Its line in lists, rendered once for all readers who are shown the same line."""
        if bulk_action not in self._lines:
            self._lines[bulk_action] = render()
        return self._lines[bulk_action]


class Changes:
    """The requests of the latest KEPT changes; `read` reads one from the database."""

    def __init__(self, read: Callable[[int], Awaitable[tuple[RequestView, FoundBy]]]) -> None:
        self._read = read
        self._found: OrderedDict[int, asyncio.Future[Changed]] = OrderedDict()

    async def after(self, event: AuditEventView) -> Changed:
        """The request of this event, as it is after the event or later."""
        assert event.approval_id is not None
        found = self._found.get(event.version)
        # A read that failed is made again: whoever follows asks for the same event until they have it.
        if found is None or (found.done() and (found.cancelled() or found.exception())):
            found = self._found[event.version] = asyncio.ensure_future(self._changed(event.approval_id))
            if len(self._found) > KEPT:
                self._found.popitem(last=False)
        return await asyncio.shield(found)

    async def _changed(self, approval_id: int) -> Changed:
        return Changed(*await self._read(approval_id))
