"""What the gate service and its clients say to each other over its Unix socket: one JSON object a line, in UTF-8.

A client asks: `{"gate": "ssh", "device": "db-1", "port": 22, "source_address": "192.0.2.7", "wait": true}`, and root
also for others: `"person"`. `{"cancel": true}` withdraws. Before it looks anything up the service sends
`{"heard": true}`, to show that it doesn't hang; then any number of `{"say": "..."}`; then `{"no": "...", "code": 1}` or
`{"yes": {...}}`; and after a yes more of `{"say": "..."}` and at last `{"end": "..."}`.
A line that isn't a JSON object, or a connection too many, gets only the no.
A yes for a certificate comes with `"certificate"`. When either side closes the connection, everything ends.

A yes for `ssh` comes with the connected socket to the target (SCM_RIGHTS, unix(7)): the client never connects itself,
and the service can cut the connection without it.

This module, and all that the commands of a login import, uses the standard library alone, as each login waits for it.
"""

import array
import errno
import json
import os
import select
import socket
import struct
from collections.abc import Iterator
from typing import Any

CONFIG = "/etc/countersign/gate.toml"
SOCKET = "/run/countersign/gate.sock"
LONGEST_LINE_BYTES = 64 * 1024
# Longer than the service takes to read the first line of each of many who come at once.
SILENT_SECONDS = 15
# Exit codes, as those of `countersign`.
OK, NO, BAD_INPUT, NOT_ALLOWED, UNAVAILABLE, FAULT, INTERRUPTED = 0, 1, 2, 3, 4, 70, 130

Message = dict[str, Any]


def line_of(message: Message) -> bytes:
    """A message as a line."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"


def message_of(line: bytes) -> Message:
    """The message of a line; ValueError if it isn't one."""
    try:
        read = json.loads(line)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(read, dict):
        raise ValueError("it is no JSON object")
    return read


class Service:
    """The connection of a client to the gate service. OSError: nothing listens there, or it has ended, or hangs."""

    def __init__(self, path: str = SOCKET) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.passed: list[int] = []
        self._read = b""
        # It limits connecting, too, which blocks if a service hangs and its queue is full (unix(7)).
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SILENT_SECONDS, 0))
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise

    def send(self, message: Message) -> None:
        """Send a message."""
        self.socket.sendall(line_of(message))

    def ask(self, question: Message) -> None:
        """Send the first message, and wait until the service says anything; TimeoutError if it hangs."""
        self.send(question)
        if not select.select([self.socket], [], [], SILENT_SECONDS)[0]:
            raise TimeoutError(errno.ETIMEDOUT, "it hangs")

    def receive(self) -> Iterator[Message]:
        """The messages that have come, after waiting for some if there are none; EOFError if the service has closed.

        File descriptors that came with them are in `passed`. ValueError if what comes isn't a message.
        """
        data, ancillary, _, _ = self.socket.recvmsg(
            LONGEST_LINE_BYTES, socket.CMSG_SPACE(array.array("i").itemsize), socket.MSG_CMSG_CLOEXEC
        )
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                passed = array.array("i")
                passed.frombytes(content[: len(content) - len(content) % passed.itemsize])
                self.passed += passed
        if not data:
            raise EOFError
        *lines, self._read = (self._read + data).split(b"\n")
        if len(self._read) > LONGEST_LINE_BYTES:
            raise ValueError("a line is too long")
        for line in lines:
            yield message_of(line)

    def close(self) -> None:
        """End the connection, and what was passed with it."""
        self.socket.close()
        while self.passed:
            os.close(self.passed.pop())


def must_answer(path: str) -> None:
    """Raise OSError if no gate service answers at this socket, even if one listens there and hangs."""
    service = Service(path)
    try:
        # It holds no question: the service answers it, and asks nobody else anything.
        service.ask({"gate": "pam"})
    finally:
        service.close()
