"""Connects to a gateway as somebody would, to see what it does."""

import os
import signal
import socket
import ssl
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress

import httpx

from countersign.errors import BadQuestion
from countersign.http import is_loopback, trusted

CONNECT_SECONDS, CLOSE_SECONDS = 10.0, 2.0
# How many bytes of what came back are kept, for people.
LONGEST_SAID = 300
# The checker's token and the person's, which clients don't get: they sign in at the gateway, not at the portal.
TOKENS = {"COUNTERSIGN_TOKEN", "COUNTERSIGN_PERSON_TOKEN"}


class Connection(ABC):
    """One connection to a gateway; `received` is the beginning of what came back."""

    received = b""

    @abstractmethod
    def poll(self) -> tuple[bool, bool]:
        """Whether anything has come through so far, and whether it is closed, or refused, now."""

    @property
    def beginning(self) -> str:
        """The beginning of what came back, for people."""
        return self.received.decode(errors="replace").strip()

    @abstractmethod
    def close(self) -> None:
        """End the connection."""


class TcpConnection(Connection):
    """A connection over TCP, which sends at once what a client of the protocol sends first."""

    def __init__(self, host: str, port: int, greeting: bytes) -> None:
        self._socket = socket.create_connection((host, port), CONNECT_SECONDS)
        self._socket.setblocking(False)
        self._closed = False
        with suppress(OSError):
            self._socket.send(greeting)

    def poll(self) -> tuple[bool, bool]:
        """Read what there is."""
        try:
            while not self._closed:
                part = self._socket.recv(65536)
                self.received = (self.received + part)[:LONGEST_SAID]
                self._closed = not part
        except BlockingIOError:
            pass
        except OSError:
            self._closed = True
        return bool(self.received), self._closed

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


class CommandConnection(Connection):
    """Somebody with a client of their own: what it prints is what comes through, and it ends with the connection."""

    def __init__(self, command: Sequence[str]) -> None:
        """Raises BadQuestion if the client can't be run."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it ends with the connection
        try:
            # The command is the checker's own. It has no terminal, so that it asks the checker nothing.
            self._process = subprocess.Popen(  # noqa: S603
                command,
                env={name: value for name, value in os.environ.items() if name not in TOKENS},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            raise BadQuestion(f"{command[0][:80]!r} can't be run ({error.strerror}).") from None
        assert self._process.stdout
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)

    def poll(self) -> tuple[bool, bool]:
        """Read what there is."""
        is_over = self._process.poll() is not None
        with suppress(BlockingIOError):
            while part := os.read(self._output, 65536):
                self.received = (self.received + part)[:LONGEST_SAID]
        return bool(self.received), is_over

    @property
    def beginning(self) -> str:
        """The beginning of what it printed or, if that is nothing, of its error output."""
        self._errors.seek(0)
        return (self.received or self._errors.read(LONGEST_SAID)).decode(errors="replace").strip()

    def close(self) -> None:
        """End the client."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(CLOSE_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe:
                pipe.close()


class HttpConnection(Connection):
    """Somebody with a browser: each `poll` asks for the page again. An answer of status 2xx has come through."""

    def __init__(self, url: httpx.URL, headers: dict[str, str], verify: ssl.SSLContext) -> None:
        """Raises BadQuestion if nothing answers there."""
        self._url, self._through = url, False
        trust_env = not is_loopback(url.host)
        self._http = httpx.Client(headers=headers, timeout=CONNECT_SECONDS, verify=verify, trust_env=trust_env)
        try:
            self._ask()
        except httpx.ConnectError as error:
            self.close()
            raise BadQuestion(f"{url} can't be reached ({error}). Is the gateway running?") from None
        except httpx.HTTPError:
            pass

    def poll(self) -> tuple[bool, bool]:
        """Ask for the page."""
        try:
            is_success = self._ask()
        except httpx.HTTPError:
            return self._through, True
        return self._through, not is_success

    def _ask(self) -> bool:
        with self._http.stream("GET", self._url) as reply:
            self.received = next(reply.iter_bytes(LONGEST_SAID), b"")
        self._through = self._through or reply.is_success
        return reply.is_success

    def close(self) -> None:
        """Nothing stays open."""
        self._http.close()


class GatewayAddress:
    """Where a gateway lets people in: `tcp://host:port`, `http://...` or `https://...`, or a client of it."""

    def __init__(self, url: str, greeting: bytes, headers: dict[str, str], client: Sequence[str]) -> None:
        """Raises BadQuestion if the address is none of these, and there is no client."""
        self._greeting, self._headers, self._client = greeting, headers, client
        try:
            self._url = httpx.URL(url)
            self._port = self._url.port or 0
        except httpx.InvalidURL:
            self._url, self._port = httpx.URL(), 0
        is_tcp = self._url.scheme == "tcp" and self._port > 0 and self._url.path in ("", "/")
        self._is_http = self._url.scheme in ("http", "https")
        if not client and not (self._url.host and (is_tcp or self._is_http)):
            raise BadQuestion(
                f"{url[:80]!r} is not a gateway's address; give tcp://HOST:PORT, http://... or https://..., or --client"
            )
        self._verify = trusted() if self._is_http else None

    @property
    def waits(self) -> bool:
        """Whether those who wait hold a connection, so that the gateway can tell when they have gone."""
        return not self._is_http

    @property
    def source_address(self) -> str:
        """The address that the gateway sees connections from, unless something between has another; "" if unknown."""
        port = self._port or {"http": 80, "https": 443}.get(self._url.scheme, 0)
        with suppress(OSError), socket.create_connection((self._url.host, port), CONNECT_SECONDS) as probe:
            address: str = probe.getsockname()[0]
            return address
        return ""

    def connect(self) -> Connection:
        """Connect. Raises BadQuestion if nothing listens there."""
        if self._client:
            return CommandConnection(self._client)
        if self._verify:
            return HttpConnection(self._url, self._headers, self._verify)
        try:
            return TcpConnection(self._url.host, self._port, self._greeting)
        except OSError as error:
            why = error.strerror or "no answer"
            raise BadQuestion(f"{self._url} can't be reached ({why}). Is the gateway running?") from None
