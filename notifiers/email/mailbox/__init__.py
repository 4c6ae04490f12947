"""The watcher: every mail that reaches the mailbox is handled once, however often the connection breaks.

For each mail: fetch (its size first), claim it in the ledger, hand it to `handle`, mark it, move it out of the way.
The ledger, not the folder, knows what was handled; so a mail that cannot be moved, a renumbered mailbox (UIDVALIDITY)
or a second watcher changes nothing.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from countersign.errors import Unavailable, message_of
from notifiers.email.mailbox.fetch_retries import FetchRetries
from notifiers.email.mailbox.imap import Connection
from notifiers.email.mailbox.intake import MOVED_WITHIN_SECONDS, Handle, Intake
from notifiers.email.mailbox.login import Mailbox
from notifiers.engine import Ledger

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5  # how often `stop` is checked while nothing happens
NOTED_EVERY_SECONDS = 5.0  # how often we note, between mails or attempts, that we try to read the mailbox
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 60.0
STABLE_SECONDS = 30.0  # a connection that lasted longer resets the delays
EMPTY_WAKES_IN_A_ROW = 20  # an IDLE that ends at once, without news, comes from a connection that is dead or broken
EMPTY_WAKE_SECONDS = 0.05


@dataclass
class Watcher:
    """Watches a mailbox until `stop` is set.

    `handle(raw, arrived, whole)` must have stored what it needs when it returns. It raises Unavailable to get the mail
    again later; any other exception quarantines the mail, and is for what the mail itself breaks. After a crash in the
    midst of it, it is called again once the claim's lease is over, so it must cope with the same mail twice. Of a mail
    that is too big to be fetched it gets only the header, with `whole` false, before that mail is quarantined.
    `progress` is called whenever the watcher makes progress, at least after each answer of the server.
    """

    mailbox: Mailbox
    ledger: Ledger
    handle: Handle
    stop: threading.Event
    progress: Callable[[], None]
    retries: FetchRetries = field(default_factory=FetchRetries)
    noted: float = -NOTED_EVERY_SECONDS

    def run(self) -> None:
        """Watch; never raises for what a server, a mail or an outage does."""
        delays = _delays()
        while not self.stop.is_set():
            started = time.monotonic()
            try:
                self._note()
                with Connection(self.mailbox) as connection:
                    self._follow(connection)
            except Exception as error:
                # Servers, proxies and libraries fail in every way there is; each means the same: connect again.
                message = message_of(error) if isinstance(error, Unavailable) else f"{type(error).__name__}: {error}"
                log.warning("%s: %s", self.mailbox.name, message)
            if time.monotonic() - started > STABLE_SECONDS:
                delays = _delays()
            if not self.stop.is_set():
                self._pause(next(delays))

    def _follow(self, connection: Connection) -> None:
        """Read all there is, then wait for more, for as long as the connection holds."""
        intake = Intake(connection, self.mailbox, self.ledger, self.handle, self._go_on, self.retries)
        retries, empty_wakes = _delays(), 0
        while not self.stop.is_set():
            done, left = self._read(intake)
            if not left:
                retries = _delays()
            at_most = self.mailbox.renew_idle_seconds
            if left or intake.left_to_others:
                at_most = next(retries) if left else min(at_most, MOVED_WITHIN_SECONDS)
            waited = 0.0 if connection.told_of_more() else self._wait(connection, at_most)
            empty_wakes = empty_wakes + 1 if not done and waited < EMPTY_WAKE_SECONDS else 0
            if empty_wakes > EMPTY_WAKES_IN_A_ROW:
                raise ConnectionError("the server announces news again and again, but there is none")

    def _read(self, intake: Intake) -> tuple[int, int]:
        """Deal with every mail there is; gives how many were dealt with, and how many are left for later."""
        self.progress()
        at = datetime.now(UTC)
        done, left = intake.take_all()
        if not left:
            self.ledger.read_through(self.mailbox.name, at)
        return done, left

    def _go_on(self) -> bool:
        self.progress()
        self._note()
        return not self.stop.is_set()

    def _wait(self, connection: Connection, at_most: float) -> float:
        """Wait for news, at most `at_most` seconds; gives the seconds it took."""
        started = time.monotonic()
        if not connection.can_idle:
            self._pause(min(at_most, self.mailbox.poll_seconds))
            return time.monotonic() - started
        connection.idle()
        while not self.stop.is_set():
            remaining = started + at_most - time.monotonic()
            if remaining <= 0 or connection.heard(min(TICK_SECONDS, remaining)):
                break
            self.progress()
        connection.leave_idle()
        return time.monotonic() - started

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (remaining := end - time.monotonic()) > 0 and not self.stop.wait(min(TICK_SECONDS, remaining)):
            self.progress()
            self._note()
        self.progress()

    def _note(self) -> None:
        """Note now and then that we try to read it, as expiries wait for a mailbox only while somebody does."""
        if time.monotonic() - self.noted < NOTED_EVERY_SECONDS:
            return
        self.noted = time.monotonic()
        with suppress(Unavailable):  # then nobody can ask for it either
            self.ledger.looking(self.mailbox.name, datetime.now(UTC))


def _delays() -> Iterator[float]:
    """Seconds to wait before each new attempt: growing, bounded, and jittered, lest many watchers come back at once."""
    delay = FIRST_DELAY_SECONDS
    while True:
        yield delay * random.uniform(0.5, 1.0)
        delay = min(delay * 2, LONGEST_DELAY_SECONDS)
