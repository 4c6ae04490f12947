"""Cancels requests that this gateway opened and that nobody here waits for any more."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from countersign.errors import BadQuestion, CountersignError, Unavailable
from countersign.gates.background import Background
from countersign.gates.calls import Calls
from countersign.gates.feed import pause_after
from countersign.http import Api
from countersign.models import GATEWAY, Question, Status
from countersign.views import AuditEventView

AGAIN_SECONDS = 3.0
MOST = 1000
LEFT = "Nobody waits for it any more: whoever wanted to connect has gone."

log = logging.getLogger(__name__)


class AbandonedRequests:
    """Cancels requests left open, as after a crash, unless somebody asks again within `retry_within` seconds."""

    def __init__(
        self,
        api: Api,
        background: Background,
        retry_within: float,
        is_wanted: Callable[[Question], bool],
    ) -> None:
        """`is_wanted`: whether somebody here asks this, even if they have not learnt yet which request is theirs."""
        self._api, self._background, self._retry_within = api, background, retry_within
        self._is_wanted = is_wanted
        self._calls = Calls(4)
        self._name = ""
        self._search: asyncio.Task[None] | None = None
        self._to_cancel: set[int] = set()

    async def find_left_over(self) -> None:
        """Begin to cancel the waiting requests that nobody asks for again."""
        if not self._name:
            self._name = await self._own_name()
        if self._search is None or self._search.done():
            self._search = self._background.start(self._find())

    async def _find(self) -> None:
        while True:
            try:
                waiting = await self._calls(partial(self._api.requests, Status.WAITING, limit=MOST))
                break
            except CountersignError as error:
                log.warning("What was left open could not be looked for: %s", error)
                await asyncio.sleep(pause_after(error))
        for view in waiting:
            if view.asked_by == self._name:
                self._background.start(self._cancel_later(view.approval_id))

    def opened(self, event: AuditEventView) -> None:
        """A request was opened that nobody here is known to ask for: the portal's reply may have been lost."""
        if event.who == self._name and event.approval_id is not None:
            self._background.start(self._cancel_later(event.approval_id))

    def cancel(self, approval_id: int) -> None:
        """Cancel a request that nobody waits for any more."""
        self._background.start(self._cancel(approval_id))

    async def _own_name(self) -> str:
        me = await self._calls(self._api.me)
        if me.kind != "gateway":
            error = BadQuestion(
                f"The token is {me.name}'s, who is not a gateway; make one with `token create --gateway`."
            )
            self._background.fail(error)
            raise error
        return f"{GATEWAY}{me.name}"

    async def _cancel_later(self, approval_id: int) -> None:
        if approval_id in self._to_cancel:
            return
        self._to_cancel.add(approval_id)
        await asyncio.sleep(self._retry_within)
        self._to_cancel.remove(approval_id)
        await self._cancel(approval_id)

    async def _cancel(self, approval_id: int) -> None:
        while True:
            try:
                view = await self._calls(partial(self._api.request, approval_id))
                if view.status is not Status.WAITING or view.asked_by != self._name:
                    return
                if self._is_wanted(view.question):
                    # Whoever asks may go before they learn which request it is.
                    self._background.start(self._cancel_later(approval_id))
                    return
                await self._calls(partial(self._api.cancel, approval_id, LEFT))
                log.info("#%s was cancelled: nobody waits for it any more.", approval_id)
                return
            except Unavailable:
                await asyncio.sleep(AGAIN_SECONDS)
            except CountersignError as error:
                log.warning("#%s was not cancelled, though nobody waits for it: %s", approval_id, error)
                return
