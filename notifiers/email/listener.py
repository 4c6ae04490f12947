"""Listening to mail: the mailbox is watched in a thread, and what is read there goes to the engine on the loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from countersign.views import Finding
from notifiers.email.inbound import Inbound
from notifiers.email.mailbox import Ledger, Mailbox, watch


class MailboxListener:
    """Reads one mailbox; at most one runs for each mailbox, wherever it is."""

    def __init__(self, mailbox: Mailbox, ledger: Ledger, inbound: Inbound) -> None:
        self._mailbox = mailbox
        self._ledger = ledger
        self._inbound = inbound

    async def run(self, beat: Callable[[], None]) -> None:
        """Watch until cancelled; what was begun with a mail is finished first."""
        stop, loop, context = threading.Event(), asyncio.get_running_loop(), contextvars.copy_context()

        def beat_on_loop() -> None:
            loop.call_soon_threadsafe(beat, context=context)

        handlers = self._inbound.take, stop, beat_on_loop, self._inbound.take_head
        watching = asyncio.to_thread(watch, self._mailbox, self._ledger, *handlers)
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
