"""The watcher: every mail that reaches the mailbox is handled once, however often the connection breaks.

For each mail: fetch (its size first), claim it in the ledger, hand it to `handle`, mark it, move it out of the way.
The ledger, not the folder, knows what was handled; so a mail that cannot be moved, a renumbered mailbox (UIDVALIDITY)
or a second watcher changes nothing.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from countersign.errors import Unavailable, in_words
from notifiers.email.imap import Connection, Mailbox
from notifiers.email.intake import Handle, Intake
from notifiers.email.ledger import Claim, Disposition, Ledger, MailRef

__all__ = ["Claim", "Disposition", "Handle", "Ledger", "MailRef", "Mailbox", "watch"]

log = logging.getLogger(__name__)

TICK_SECONDS = 2.0  # between two looks at `stop`, and two beats, while nothing happens
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 60.0
STABLE_SECONDS = 30.0  # a connection that lasted so long starts the delays afresh
EMPTY_WAKES_IN_A_ROW = 20  # a server that ends IDLE at once without news is no server to believe
EMPTY_WAKE_SECONDS = 0.05


def watch(mailbox: Mailbox, ledger: Ledger, handle: Handle, stop: threading.Event, beat: Callable[[], None]) -> None:
    """Watch until `stop` is set; never raises for what a server, a mail or an outage does.

    `handle(raw, arrived)` must have stored what it needs when it returns. It raises Unavailable to see the mail again
    later; any other exception quarantines the mail. After a crash in the midst of it, it is called again once LEASE
    is over, so it must not mind the same mail twice. `beat` is called at least every TICK_SECONDS, save while the
    server is slow (`network_seconds`) or `handle` works.
    """
    _Watcher(mailbox, ledger, handle, stop, beat).run()


class _Watcher:
    def __init__(
        self, mailbox: Mailbox, ledger: Ledger, handle: Handle, stop: threading.Event, beat: Callable[[], None]
    ) -> None:
        self._mailbox = mailbox
        self._ledger = ledger
        self._handle = handle
        self._stop = stop
        self._beat = beat

    def run(self) -> None:
        delays = _delays()
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                with Connection(self._mailbox) as connection:
                    self._follow(connection)
            except Exception as error:
                # Servers, proxies and libraries fail in every way there is; each means the same: connect again.
                log.warning("%s: %s", self._mailbox.name, in_words(error) if isinstance(error, Unavailable) else error)
            if time.monotonic() - started > STABLE_SECONDS:
                delays = _delays()
            if not self._stop.is_set():
                self._pause(next(delays))

    def _follow(self, connection: Connection) -> None:
        """Read all there is, then wait for more, for as long as the connection holds."""
        retries, empty_wakes = _delays(), 0
        while not self._stop.is_set():
            gone, left = self._read(connection)
            if not left:
                retries = _delays()
            if connection.told_of_more():
                continue
            waited = self._wait(connection, next(retries) if left else self._mailbox.believe_silence_seconds)
            empty_wakes = empty_wakes + 1 if not gone and waited < EMPTY_WAKE_SECONDS else 0
            if empty_wakes > EMPTY_WAKES_IN_A_ROW:
                raise ConnectionError("the server ends IDLE at once, again and again, without news")

    def _read(self, connection: Connection) -> tuple[int, int]:
        """Deal with every mail there is; gives how many are gone, and how many are left for later."""
        self._beat()
        at = datetime.now(UTC)
        intake = Intake(connection, self._mailbox, self._ledger, self._handle, self._go_on)
        gone, left = intake.take_all()
        if not left:
            self._ledger.read_through(self._mailbox.name, at)
        return gone, left

    def _go_on(self) -> bool:
        self._beat()
        return not self._stop.is_set()

    def _wait(self, connection: Connection, at_most: float) -> float:
        """Wait for news, at most so many seconds; gives the seconds it took."""
        started = time.monotonic()
        if not connection.can_idle:
            self._pause(min(at_most, self._mailbox.poll_seconds))
            return time.monotonic() - started
        connection.idle()
        while not self._stop.is_set():
            remaining = started + at_most - time.monotonic()
            if remaining <= 0 or connection.heard(min(TICK_SECONDS, remaining)):
                break
            self._beat()
        connection.leave_idle()
        return time.monotonic() - started

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (remaining := end - time.monotonic()) > 0 and not self._stop.wait(min(TICK_SECONDS, remaining)):
            self._beat()
        self._beat()


def _delays() -> Iterator[float]:
    """Seconds to wait before each new attempt: growing, bounded, and jittered, lest many watchers come back at once."""
    delay = FIRST_DELAY_SECONDS
    while True:
        yield delay * random.uniform(0.5, 1.0)
        delay = min(delay * 2, LONGEST_DELAY_SECONDS)
