"""Listening to mail: the mailbox is watched in a thread; what a mail says is handed to the engine on its own loop."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from datetime import datetime
from typing import Any

from countersign.errors import Unavailable
from notifiers.email.inbound import Inbound
from notifiers.email.listener.handler import MailHandler
from notifiers.email.mailbox import Watcher
from notifiers.email.mailbox.intake import Handle
from notifiers.email.mailbox.login import Mailbox
from notifiers.engine import Ledger

# The watcher waits this long for the engine to store an answer; then the mail stays where it is, for the next look.
STORE_SECONDS = 20.0
BEAT_SECONDS = 1.0

Take = Callable[[bytes, datetime, bool], Coroutine[Any, Any, None]]


class MailboxListener:
    """Reads one mailbox; at most one runs for each mailbox, wherever it is."""

    def __init__(self, mailbox: Mailbox, ledger: Ledger, inbound: Inbound) -> None:
        self._mailbox = mailbox
        self._ledger = ledger
        self._handler = MailHandler(inbound)
        self._alive_until = 0.0

    async def run(self, beat: Callable[[], None]) -> None:
        """Watch until cancelled, then finish the mails in hand; `beat` isn't called while the thread hangs."""
        stop, loop = threading.Event(), asyncio.get_running_loop()
        self._progress()
        watcher = Watcher(self._mailbox, self._ledger, taken_on(loop, self._handler.take), stop, self._progress)
        thread = asyncio.create_task(asyncio.to_thread(watcher.run))
        try:
            while not (await asyncio.wait({thread}, timeout=BEAT_SECONDS))[0]:
                if time.monotonic() < self._alive_until:
                    beat()
        finally:
            stop.set()
            await thread

    def _progress(self) -> None:
        """Note that the thread made progress; it may now be silent for longer than any answer of the server takes."""
        self._alive_until = time.monotonic() + 2 * self._mailbox.network_seconds


def taken_on(loop: asyncio.AbstractEventLoop, take: Take) -> Handle:
    """A function for a thread, which has a mail taken on this loop: when it returns, what the mail says is stored.

    It also raises Unavailable if the loop has ended, or takes too long.
    """

    def handle(raw: bytes, arrived: datetime, whole: bool) -> None:
        taking = take(raw, arrived, whole)
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
