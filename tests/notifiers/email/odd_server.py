"""A small IMAP server with the oddities of real ones that neither pymap nor Dovecot has."""

from __future__ import annotations

import re
import socketserver
import threading
from types import TracebackType
from typing import Literal, Self

Oddity = Literal[
    "speaks before idling", "refuses to idle", "ends idle at once", "cries wolf", "withholds", "no folders"
]
EMPTY_FOLDER_LINE = b'* LIST (\\HasNoChildren) "/" "INBOX"\r\n'


class OddServer:
    """One account with an INBOX, the same in all `sessions`; `moved` has the mails that were moved out of it."""

    username = "countersign"
    password = "sandbox"
    host = "127.0.0.1"

    def __init__(self, oddity: Oddity) -> None:
        self.oddity: Oddity | None = oddity
        self.mails: dict[int, bytes] = {}
        self.moved: list[bytes] = []
        self.sessions = 0
        self.changed = threading.Condition()
        self._server = socketserver.ThreadingTCPServer((self.host, 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def deliver(self, raw: bytes) -> None:
        with self.changed:
            self.mails[max(self.mails, default=0) + 1] = raw
            self.changed.notify_all()

    def start(self) -> None:
        """It never stops."""

    def stop(self) -> None:
        """It never stops."""

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with outer.changed:
                    outer.sessions += 1
                    outer.changed.notify_all()
                self.wfile.write(b"* OK odd\r\n")
                for line in self.rfile:
                    tag, _, command = line.strip().partition(b" ")
                    self.wfile.write(outer._answer(command, self) + tag + b" " + outer._ending(command) + b"\r\n")

        return Handler

    def _ending(self, command: bytes) -> bytes:
        if command == b"IDLE" and self.oddity == "refuses to idle":
            return b"NO not today"
        if b"BODY.PEEK" in command and self.oddity == "withholds":
            return b"NO disk trouble"
        if command.startswith(b"CREATE") and self.oddity == "no folders":
            return b"NO not yours to make"
        return b"OK done"

    def _answer(self, command: bytes, session: socketserver.StreamRequestHandler) -> bytes:
        with self.changed:
            if command == b"CAPABILITY":
                return b"* CAPABILITY IMAP4rev1 IDLE MOVE\r\n"
            if command.startswith(b'LIST "" "INBOX"'):
                return EMPTY_FOLDER_LINE
            if command.startswith(b"SELECT"):
                return b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n" % len(self.mails)
            if command.startswith(b"UID SEARCH"):
                found = b"* SEARCH %s\r\n" % b" ".join(b"%d" % uid for uid in self.mails)
                return found + (b"* 9 EXISTS\r\n" if self.oddity == "cries wolf" else b"")
            if command.startswith(b"UID FETCH"):
                return self._fetch(command)
            if command.startswith(b"UID MOVE"):
                self.moved += [self.mails.pop(uid) for uid in _uids(command)]
        return self._idle(session) if command == b"IDLE" else b""

    def _fetch(self, command: bytes) -> bytes:
        lines = []
        for uid in _uids(command):
            raw = self.mails[uid]
            if b"RFC822.SIZE" in command:
                lines.append(b"* 1 FETCH (UID %d RFC822.SIZE %d)\r\n" % (uid, len(raw)))
            elif self.oddity != "withholds":
                head = b'UID %d INTERNALDATE "21-Nov-2026 10:00:00 +0100" BODY[] {%d}' % (uid, len(raw))
                lines.append(b"* 1 FETCH (%s\r\n%s)\r\n" % (head, raw))
        return b"".join(lines)

    def _idle(self, session: socketserver.StreamRequestHandler) -> bytes:
        if self.oddity == "refuses to idle":
            return b""
        if self.oddity == "speaks before idling":
            with self.changed:
                self.changed.wait_for(lambda: bool(self.mails), 120)
            session.wfile.write(b"* 1 EXISTS\r\n")
        session.wfile.write(b"+ idling\r\n")
        if self.oddity == "ends idle at once":
            session.wfile.write(b"* OK bored\r\n")
        session.rfile.readline()  # DONE
        return b""


def _uids(command: bytes) -> list[int]:
    return [int(uid) for uid in re.split(rb"[ ,]", command.split(b" ")[2])]
