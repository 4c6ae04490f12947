"""Listening to mail: the mailbox is watched in a thread; what a mail says is handed to the engine on its own loop."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from countersign.errors import Unavailable
from countersign.views import Finding
from notifiers.email.inbound import Inbound
from notifiers.email.listener.handler import MailHandler
from notifiers.email.mailbox import Handle, Ledger, Mailbox, watch

# The watcher waits this long for the engine to store an answer; then the mail stays where it is, for the next look.
STORE_SECONDS = 20.0

Take = Callable[[bytes, datetime], Coroutine[Any, Any, None]]


class MailboxListener:
    """Reads one mailbox; at most one runs for each mailbox, wherever it is."""

    def __init__(self, mailbox: Mailbox, ledger: Ledger, inbound: Inbound) -> None:
        self._mailbox = mailbox
        self._ledger = ledger
        self._handler = MailHandler(inbound)

    async def run(self, beat: Callable[[], None]) -> None:
        """Watch until cancelled; what was begun with a mail is finished first."""
        stop, loop, context = threading.Event(), asyncio.get_running_loop(), contextvars.copy_context()

        def beat_on_loop() -> None:
            loop.call_soon_threadsafe(beat, context=context)

        take, take_head = taken_on(loop, self._handler.take), taken_on(loop, self._handler.take_head)
        watching = asyncio.to_thread(watch, self._mailbox, self._ledger, take, take_head, stop, beat_on_loop)
        thread = asyncio.create_task(watching)
        try:
            await asyncio.shield(thread)
        finally:
            stop.set()
            await thread

    async def handle(self, request: Request) -> Response:
        """Mail comes in by no call."""
        return Response(status_code=404)

    def findings(self) -> list[Finding]:
        """Nothing is seen from here; the check of the mailbox logs in."""
        return []


def taken_on(loop: asyncio.AbstractEventLoop, take: Take) -> Handle:
    """What a thread calls to have a mail taken on this loop: when it returns, what the mail says is stored.

    It raises Unavailable also where the loop has ended, or takes too long.
    """

    def handle(raw: bytes, arrived: datetime) -> None:
        taking = take(raw, arrived)
        try:
            taken = asyncio.run_coroutine_threadsafe(taking, loop)
        except RuntimeError:  # the loop is closed
            taking.close()
            raise Unavailable("the engine has ended") from None
        try:
            taken.result(STORE_SECONDS)
        except TimeoutError:
            taken.cancel()
            raise Unavailable("the engine did not store the mail in time") from None
        except CancelledError:  # the worker ends; it is no fault of the mail
            raise Unavailable("the engine ended before it stored the mail") from None

    return handle
