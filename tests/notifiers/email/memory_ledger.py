"""A ledger in memory that keeps the contract's promises: one claim at a time, each with a lease."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

from countersign.notifications import MailRef
from notifiers.engine import Claim, Disposition

Key = tuple[str, str]


class MemoryLedger:
    """Thread-safe, so that several watchers may share it; `changed` is notified of every change but a new claim."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.marked: dict[Key, tuple[MailRef, Disposition, str]] = {}
        self.read_until: datetime | None = None
        self.looked_at: datetime | None = None
        self.claims_refused = 0
        self._leases: dict[Key, float] = {}

    def claim(self, mail: MailRef, lease: timedelta) -> Claim:
        with self.changed:
            key = (mail.mailbox, mail.digest)
            if key in self.marked:
                return self.marked[key][1]
            if self._leases.get(key, 0) > time.monotonic():
                self.claims_refused += 1
                self.changed.notify_all()
                return "elsewhere"
            self._leases[key] = time.monotonic() + lease.total_seconds()
            return "ours"

    def release(self, mail: MailRef) -> None:
        with self.changed:
            del self._leases[mail.mailbox, mail.digest]
            self.changed.notify_all()

    def mark_handled(self, mail: MailRef, disposition: Disposition, why: str = "") -> None:
        with self.changed:
            key = (mail.mailbox, mail.digest)
            assert key not in self.marked, f"marked twice: {mail}"
            self.marked[key] = (mail, disposition, why)
            self.changed.notify_all()

    def looking(self, inbox: str, at: datetime) -> None:
        with self.changed:
            self.looked_at = at
            self.changed.notify_all()

    def read_through(self, inbox: str, at: datetime) -> None:
        with self.changed:
            assert self.read_until is None or at >= self.read_until
            self.read_until = at
            self.changed.notify_all()
