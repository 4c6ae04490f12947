"""A watcher on a thread, as the worker runs it, and what it did."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import pytest

from notifiers.email.mailbox import Watcher
from notifiers.email.mailbox.login import Mailbox
from tests.notifiers.email.memory_ledger import MemoryLedger
from tests.notifiers.email.servers import Server
from tests.proxy import Proxy

SECONDS = 120.0
Take = Callable[[bytes, datetime], None]


def mailbox_on(server: Server, **changes: Any) -> Mailbox:
    """The settings for a test server, with short timeouts."""
    settings: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "security": "none",
        "username": server.username,
        "password": server.password,
        "renew_idle_seconds": 0.5,
        "network_seconds": 2.0,
        "poll_seconds": 0.1,
    }
    return Mailbox.model_validate(settings | changes)


def nothing(raw: bytes, arrived: datetime, whole: bool) -> None:
    """Take a mail, and do nothing with it."""


class Watching:
    """`with Watching(mailbox, ledger) as watching:`; `bodies` are the texts of the handled mails, in order."""

    def __init__(
        self,
        mailbox: Mailbox,
        ledger: MemoryLedger,
        handle: Take | None = None,
        handle_head: Take | None = None,
        *,
        seconds: float = SECONDS,
    ) -> None:
        self.seconds = seconds
        self.ledger = ledger
        self.mails: list[tuple[bytes, datetime]] = []
        self.progress = 0
        self.stop = threading.Event()
        self._handle, self._handle_head = handle, handle_head
        watcher = Watcher(mailbox, ledger, self._record, self.stop, self._progress)
        self._thread = threading.Thread(target=watcher.run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.stop.set()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()

    @property
    def bodies(self) -> list[bytes]:
        return [raw.partition(b"\r\n\r\n")[2].strip() for raw, _ in self.mails]

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait until this holds, looking again after each change of the ledger."""
        with self.ledger.changed:
            assert self.ledger.changed.wait_for(happened, self.seconds), f"handled so far: {self.bodies[:20]}"

    def until_handled(self, *bodies: bytes) -> None:
        """Wait until exactly these mails, in any order, were handled and marked."""
        self.until(lambda: len(self.bodies) >= len(bodies) and len(self.ledger.marked) >= len(bodies))
        assert sorted(self.bodies) == sorted(bodies)

    def until_read_through(self, at: datetime | None = None) -> None:
        """Wait until the mailbox was read up to now, or up to `at`."""
        wanted = at or datetime.now(UTC)
        self.until(lambda: self.ledger.read_until is not None and self.ledger.read_until >= wanted)

    def until_connections(self, proxy: Proxy, count: int) -> None:
        """Wait until this many connections were made through the proxy."""
        with proxy.changed:
            assert proxy.changed.wait_for(lambda: proxy.connections >= count, SECONDS)

    def until_refused(self, proxy: Proxy, count: int) -> None:
        """Wait until the proxy hung up on this many connections."""
        with proxy.changed:
            assert proxy.changed.wait_for(lambda: proxy.refused >= count, SECONDS)

    def until_logged(self, caplog: pytest.LogCaptureFixture, message: str) -> None:
        """Wait until the log says so."""
        deadline = time.monotonic() + SECONDS
        while message not in caplog.text:
            assert time.monotonic() < deadline, caplog.text
            threading.Event().wait(0.05)

    def _record(self, raw: bytes, arrived: datetime, whole: bool) -> None:
        if handle := self._handle if whole else self._handle_head:
            handle(raw, arrived)
        if whole:
            self.mails.append((raw, arrived))

    def _progress(self) -> None:
        self.progress += 1
