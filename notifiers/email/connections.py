"""A few connections to the mail server, kept open: a login costs more than a hundred mails on a line that stands."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from countersign.errors import CountersignError, Unavailable
from notifiers.email.config import SmtpConfig

# Seconds. Servers close what idles (Postfix after 300), recycle what grows old, and count mails per connection
# (Postfix and Exchange advise to stay below some hundred), so that we go first.
LONGEST_LIFE = 600.0
LONGEST_IDLE = 120.0
MOST_MAILS = 200
# A firewall may have dropped a line that idled, without a word to us: ask before trusting it, and don't wait long.
IDLE_BEFORE_ASKING = 5.0
ASK_TIMEOUT = 2.0
GOODBYE_TIMEOUT = 1.0
SERVICE_NOT_AVAILABLE = 421  # RFC 5321, section 3.8: the server closes the connection after saying this


@dataclass(frozen=True)
class Envelope:
    """One mail as it goes over the wire. `beyond_ascii` asks for SMTPUTF8."""

    sender: str
    recipient: str
    raw: bytes
    beyond_ascii: bool = False


@dataclass
class _Line:
    client: SMTP
    opened: float
    used: float
    mails: int = 0

    def worn_out(self, now: float) -> bool:
        old = now - self.opened > LONGEST_LIFE or now - self.used > LONGEST_IDLE
        return old or self.mails >= MOST_MAILS or not self.client.is_connected


class Connections:
    """Hands mails over, on a kept connection where one stands. Belongs to one event loop; `clock` counts seconds."""

    def __init__(self, config: SmtpConfig, hello_name: str, clock: Callable[[], float] = monotonic) -> None:
        self._config = config
        self._clock = clock
        self._hello_name = config.hello_name or hello_name
        self._room = asyncio.Semaphore(config.connections)
        self._idle: list[_Line] = []
        self._closed = False
        self._tls: ssl.SSLContext | None = None

    async def deliver(self, envelope: Envelope) -> None:
        """Hand one mail over; raises what aiosmtplib and the network raise.

        A kept connection that turns out to be gone is no failure: the mail goes once more, over a new one.
        """
        async with self._room:
            kept = await self._kept()
            if kept is not None:
                try:
                    return await self._through(kept, envelope)
                except SMTPException as error:
                    if not _is_gone(error):
                        raise
            return await self._through(await self._opened(), envelope)

    async def close(self) -> None:
        """Say goodbye on every idle connection; those in use are closed as their mail is through."""
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_goodbye(line) for line in idle))

    async def _kept(self) -> _Line | None:
        while self._idle:
            line = self._idle.pop()
            now = self._clock()
            if line.worn_out(now):
                await _goodbye(line)
            elif now - line.used < IDLE_BEFORE_ASKING or await _answers(line):
                return line
        return None

    async def _opened(self) -> _Line:
        config = self._config
        client = SMTP(
            hostname=config.host,
            port=config.port_used,
            username=config.username or None,
            password=config.password.get_secret_value() or None,
            oauth_token_generator=self._access_token if config.access_token else None,
            local_hostname=self._hello_name,
            timeout=config.timeout_seconds,
            use_tls=config.security == "tls",
            start_tls=config.security == "starttls",
            tls_context=self._tls_context(),
        )
        await client.connect()
        return _Line(client, opened=self._clock(), used=self._clock())

    async def _access_token(self) -> str:
        assert self._config.access_token
        try:
            return await asyncio.wait_for(self._config.access_token(), self._config.timeout_seconds)
        except CountersignError:
            raise
        except Exception as error:
            raise Unavailable(f"no access token for the mail server could be had ({type(error).__name__})") from error

    def _tls_context(self) -> ssl.SSLContext | None:
        if self._config.security != "none" and self._tls is None:
            self._tls = ssl.create_default_context(cafile=self._config.ca_file or None)
        return self._tls

    async def _through(self, line: _Line, envelope: Envelope) -> None:
        options = ["SMTPUTF8"] if envelope.beyond_ascii else []
        try:
            await line.client.sendmail(envelope.sender, envelope.recipient, envelope.raw, mail_options=options)
        except SMTPRecipientsRefused:
            self._keep(line)
            raise
        except BaseException:
            # Whatever went wrong, or was cancelled half way: the next mail must not inherit this conversation.
            line.client.close()
            raise
        self._keep(line)

    def _keep(self, line: _Line) -> None:
        line.mails += 1
        line.used = self._clock()
        if self._closed:
            line.client.close()
        else:
            self._idle.append(line)


async def _answers(line: _Line) -> bool:
    try:
        await line.client.noop(timeout=ASK_TIMEOUT)
    except SMTPException:
        line.client.close()
        return False
    return True


async def _goodbye(line: _Line) -> None:
    with suppress(SMTPException):
        await line.client.quit(timeout=GOODBYE_TIMEOUT)
    line.client.close()


def _is_gone(error: SMTPException) -> bool:
    if isinstance(error, SMTPRecipientsRefused):
        return any(refused.code == SERVICE_NOT_AVAILABLE for refused in error.recipients)
    if isinstance(error, SMTPResponseException):
        return error.code == SERVICE_NOT_AVAILABLE
    return isinstance(error, SMTPServerDisconnected)
