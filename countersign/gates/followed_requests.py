"""The requests that somebody here waits for or has a session from, kept as the portal has them now."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import NoReturn

from countersign.error_codes import ErrorCode
from countersign.errors import CountersignError, NotAllowed, NotFound
from countersign.gates.background import Background
from countersign.gates.calls import Calls
from countersign.gates.feed import Feed, now, pause_after
from countersign.gates.tracking import Request
from countersign.http import Api
from countersign.models import sentence
from countersign.times import duration
from countersign.views import AuditEventView, RequestView

MOST_READING = 16
TICK_SECONDS = 0.25
# How often requests are read without an event: a gateway that has lost a device gets no events about it.
COMPARE_SECONDS = 60.0
BAD_TOKEN = {ErrorCode.NO_TOKEN, ErrorCode.INVALID_TOKEN}

log = logging.getLogger(__name__)


class FollowedRequests:
    """Reads a request again when an event is about it, and ends its sessions when its state can't be known."""

    def __init__(
        self,
        api: Api,
        grace: float,
        background: Background,
        check: Callable[[Request], None],
        opened: Callable[[AuditEventView], None],
        began: Callable[[], Awaitable[None]],
    ) -> None:
        """`check` is called with each request after it is read, and four times a second.

        `opened` gets the event of a new request that isn't followed. `began` is awaited at the start and after outages.
        """
        self._api, self._grace, self._background = api, grace, background
        self._check, self._opened, self._began = check, opened, began
        self.read = Calls(MOST_READING)
        self._feed = Feed(api, grace, self._happened, self._read_all, self._wake_all)
        self._requests: dict[int, Request] = {}
        self._listeners: dict[str, Callable[[AuditEventView], None]] = {}

    @property
    def answers(self) -> bool:
        """Whether the portal gives good answers now, so that events arrive."""
        return self._feed.answers

    def knows(self, request: Request) -> bool:
        """Whether the present state of the request is known."""
        return self.answers and request.read_at >= self._feed.unbroken_since

    def start(self) -> None:
        """Begin to follow what happens."""
        self._background.start(self._feed.run())
        self._background.start(self._tick())

    def listen(self, kind: str, heard: Callable[[AuditEventView], None]) -> None:
        """Have `heard` called with each event of a kind, whatever request it is about."""
        self._listeners[kind] = heard

    def request(self, approval_id: int) -> Request:
        """The request, whose events are followed from now on, as long as it is used."""
        return self._requests.setdefault(approval_id, Request(approval_id))

    def follow(self, view: RequestView) -> Request:
        """A request that was found in a list; it is read again, as something may have happened meanwhile."""
        request = self.request(view.approval_id)
        request.take(view)
        self.read_soon(request)
        return request

    def end_all(self, why: str) -> None:
        """End all sessions."""
        for request in self._requests.values():
            request.end_sessions(why)

    async def read_now(self, request: Request) -> None:
        """Read a request. Raises CountersignError if that fails; one that the portal no longer shows loses its view."""
        asked_at = now()
        try:
            view = await self.read(partial(self._api.request, request.approval_id))
        except (NotFound, NotAllowed) as error:
            if error.code in BAD_TOKEN:
                raise
            request.lose()
            request.end_sessions(f"The portal no longer shows this gate #{request.approval_id}.")
            self._check(request)
            return
        request.read_at = asked_at
        request.take(view)
        self._check(request)

    def read_soon(self, request: Request) -> None:
        """Read a request in the background; if it is being read already, it is read once more after that."""
        if request.stale_since is None:
            request.stale_since = now()
        if not request.is_read:
            request.is_read = True
            self._background.start(self._read_until_fresh(request))

    async def _read_until_fresh(self, request: Request) -> None:
        while request.stale_since is not None:
            since, request.stale_since = request.stale_since, None
            try:
                await self.read_now(request)
            except CountersignError as error:
                # It may have been read meanwhile by another call.
                request.stale_since = max(since, request.read_at)
                log.warning("#%s could not be read: %s", request.approval_id, error)
                if not self.answers:
                    break  # it is read after the outage, as all are
                await asyncio.sleep(pause_after(error))
        request.is_read = False

    async def _read_all(self) -> None:
        """Have all requests read again, as events may have been missed.

        A request that can't be read holds up no others: it counts as out of date since the portal's last answer.
        """
        await self._began()
        for request in self._requests.values():
            if request.stale_since is None:
                request.stale_since = self._feed.heard_at
            self.read_soon(request)

    def _happened(self, events: Sequence[AuditEventView]) -> None:
        for event in events:
            if heard := self._listeners.get(event.kind):
                heard(event)
            if event.approval_id in self._requests:
                self.read_soon(self._requests[event.approval_id])
            elif event.kind == "opened":
                self._opened(event)

    def _wake_all(self) -> None:
        for request in self._requests.values():
            request.wake()

    async def _tick(self) -> NoReturn:
        while True:
            self._keep_grace()
            for request in list(self._requests.values()):
                self._check(request)
                if not request.is_used:
                    del self._requests[request.approval_id]
                elif self.answers and now() - request.read_at > COMPARE_SECONDS:
                    self.read_soon(request)
            await asyncio.sleep(TICK_SECONDS)

    def _keep_grace(self) -> None:
        """End the sessions of requests that were not confirmed for longer than the grace period."""
        at = now()
        why = sentence(f"The portal has not answered for {duration(timedelta(seconds=self._grace))}")
        for request in self._requests.values():
            if at - min(self._feed.heard_at, request.stale_since or at) > self._grace:
                request.end_sessions(why)
