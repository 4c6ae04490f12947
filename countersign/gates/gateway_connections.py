"""Connects to a gateway as somebody would, to see what it does."""

import socket
from contextlib import suppress
from typing import Protocol

import httpx

from countersign.errors import BadQuestion

CONNECT_SECONDS = 10.0
# Of what came back, for people.
LONGEST_SAID = 300


class Connection(Protocol):
    """One connection to a gateway."""

    def look(self) -> tuple[bool, bool]:
        """Whether anything has come through so far, and whether it is closed, or refused, now."""

    @property
    def said(self) -> str:
        """The beginning of what came back, for people."""

    def close(self) -> None:
        """End the connection."""


class TcpConnection:
    """A connection over TCP: what is sent at once is what a client of the protocol says first."""

    def __init__(self, host: str, port: int, greeting: bytes) -> None:
        self._socket = socket.create_connection((host, port), CONNECT_SECONDS)
        self._socket.setblocking(False)
        self._received, self._closed = b"", False
        with suppress(OSError):
            self._socket.send(greeting)

    def look(self) -> tuple[bool, bool]:
        """Read what there is."""
        try:
            while not self._closed:
                part = self._socket.recv(65536)
                self._received = (self._received + part)[:LONGEST_SAID]
                self._closed = not part
        except BlockingIOError:
            pass
        except OSError:
            self._closed = True
        return bool(self._received), self._closed

    @property
    def said(self) -> str:
        """The beginning of what came back."""
        return self._received.decode(errors="replace").strip()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


class HttpConnection:
    """Somebody with a browser: each look asks for the page again. What has come through is an answer of status 2xx."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url, self._headers = url, headers
        self._through, self._said = False, ""

    def look(self) -> tuple[bool, bool]:
        """Ask for the page."""
        try:
            reply = httpx.get(self._url, headers=self._headers, timeout=CONNECT_SECONDS, trust_env=False)
        except httpx.HTTPError:
            return self._through, True
        self._said = reply.text[:LONGEST_SAID]
        self._through = self._through or reply.is_success
        return self._through, not reply.is_success

    @property
    def said(self) -> str:
        """The beginning of the last answer."""
        return self._said.strip()

    def close(self) -> None:
        """Nothing stays open."""


class GatewayAddress:
    """Where a gateway lets people in: `tcp://host:port`, `http://...` or `https://...`."""

    def __init__(self, url: str, greeting: bytes, headers: dict[str, str]) -> None:
        """Raises BadQuestion where the address is none of these."""
        try:
            self._url = httpx.URL(url)
            self._port = self._url.port or 0
        except httpx.InvalidURL:
            self._url, self._port = httpx.URL(), 0
        is_tcp = self._url.scheme == "tcp" and self._port > 0 and self._url.path in ("", "/")
        if not self._url.host or not (is_tcp or self._url.scheme in ("http", "https")):
            raise BadQuestion(
                f"{url[:80]!r} is no address of a gateway; give tcp://HOST:PORT, http://... or https://..."
            )
        self._greeting, self._headers = greeting, headers

    @property
    def waits(self) -> bool:
        """Whether who waits holds a connection, so that the gateway can tell when they have gone."""
        return self._url.scheme == "tcp"

    def connect(self) -> Connection:
        """Connect. Raises BadQuestion where nothing listens there."""
        if not self.waits:
            return HttpConnection(str(self._url), self._headers)
        try:
            return TcpConnection(self._url.host, self._port, self._greeting)
        except OSError as error:
            why = error.strerror or "no answer"
            raise BadQuestion(f"{self._url} can't be reached ({why}). Is the gateway running?") from None
