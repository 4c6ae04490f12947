"""The IMAP servers the watcher is tested on, behind one small interface: the sandbox's pymap, and Dovecot."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

from imapclient import IMAPClient

from sandbox.mail_server import ENGINE, MailServer

SECONDS = 120.0
LOOK_AGAIN_SECONDS = 0.1


class Server(Protocol):
    """An IMAP server with one account."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def username(self) -> str: ...

    @property
    def password(self) -> str: ...

    def deliver(self, raw: bytes) -> None:
        """Put a mail into the account's INBOX."""

    def start(self) -> None:
        """Start again after `stop`, on the same port with the same mail."""

    def stop(self) -> None:
        """Stop, hanging up on all clients."""


class Sandbox:
    """The sandbox's mail server, with its event loop on a thread of its own."""

    username = ENGINE

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.mail = MailServer()
        self.host = self.mail.host
        self.password = self.mail.password

    @property
    def port(self) -> int:
        return self.mail.imap_port

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self) -> None:
        asyncio.run_coroutine_threadsafe(self.mail.start(), self._loop).result(SECONDS)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self.mail.stop(), self._loop).result(SECONDS)

    def deliver(self, raw: bytes) -> None:
        asyncio.run_coroutine_threadsafe(self.mail.mailboxes.deliver(ENGINE, raw), self._loop).result(SECONDS)


@contextmanager
def client_of(server: Server, folder: str = "INBOX") -> Iterator[IMAPClient]:
    """Look into the account as a person would."""
    with IMAPClient(server.host, server.port, ssl=False, timeout=SECONDS) as client:
        client.login(server.username, server.password)
        client.select_folder(folder)
        yield client


def mails_in(server: Server, folder: str) -> list[bytes]:
    """Give the bodies of the mails in a folder, in order."""
    with client_of(server, folder) as client:
        found = client.fetch(client.search(), ["BODY.PEEK[TEXT]"])
    return [found[uid][b"BODY[TEXT]"].strip() for uid in sorted(found)]


def assert_soon_in(server: Server, folder: str, bodies: list[bytes]) -> None:
    """Wait until a folder holds just these mails, in any order."""
    deadline = time.monotonic() + SECONDS
    while sorted(found := mails_in(server, folder)) != sorted(bodies):
        assert time.monotonic() < deadline, f"in {folder}: {found[:20]}"
        threading.Event().wait(LOOK_AGAIN_SECONDS)
