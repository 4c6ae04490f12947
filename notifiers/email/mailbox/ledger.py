"""What the watcher needs to have remembered: which mail was handled, and how far the mailbox was read."""

from datetime import datetime, timedelta
from typing import Literal, Protocol

from countersign.notifications import MailRef

# What became of a mail.
Disposition = Literal["handled", "quarantined"]
# What the ledger says to somebody who wants to handle a mail; "elsewhere": another watcher holds it, its lease lasts.
Claim = Literal["ours", "elsewhere", "handled", "quarantined"]


class Ledger(Protocol):
    """What was handled, kept across restarts. Each call is one transaction; any may raise Unavailable."""

    def claim(self, mail: MailRef, lease: timedelta) -> Claim:
        """Take a mail, atomically: of any number of callers one hears `ours`, until it marks, releases, or is late.

        A claim neither marked nor released ends with its `lease`: its watcher is taken for dead.
        """

    def release(self, mail: MailRef) -> None:
        """Give a claim back; the mail will be tried again."""

    def mark_handled(self, mail: MailRef, disposition: Disposition, why: str = "") -> None:
        """Say for good what became of a claimed mail; `why` is for people."""

    def looking(self, mailbox: str, at: datetime) -> None:
        """Note that a watcher looks at the mailbox now, by our clock, whether or not it can read it."""

    def read_through(self, mailbox: str, at: datetime) -> None:
        """Note that everything that had arrived before `at`, by our clock, has been dealt with."""
