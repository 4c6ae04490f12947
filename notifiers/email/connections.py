"""A few connections to the mail server, kept open: a login costs more than a hundred mails on an open one."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from countersign.errors import CountersignError, Unavailable
from notifiers.email.config import SmtpConfig
from notifiers.email.transaction import Envelope, finish, start

# Seconds. Servers close idle connections (Postfix after 300), recycle old ones, and count the mails on each (Postfix
# and Exchange advise to stay below some hundred), so we close ours first.
LONGEST_LIFE = 600.0
LONGEST_IDLE = 120.0
MOST_MAILS = 200
# A firewall may have silently dropped an idle connection: ask before trusting it, and don't wait long.
IDLE_BEFORE_ASKING = 5.0
ASK_TIMEOUT = 2.0
GOODBYE_TIMEOUT = 1.0
# A mail that waits longer than this for the server's last reply lets another begin; at most MOST_SLOW may wait so.
SLOW_AFTER = 2.0
MOST_SLOW = 64
SERVICE_NOT_AVAILABLE = 421  # RFC 5321, section 3.8: the server closes the connection after saying this


@dataclass
class _Line:
    client: SMTP
    opened: float
    used: float
    mails: int = 0

    def worn_out(self, now: float) -> bool:
        old = now - self.opened > LONGEST_LIFE or now - self.used > LONGEST_IDLE
        return old or self.mails >= MOST_MAILS or not self.client.is_connected


class _Turn:
    """One of the limited places for using a connection, held from entering to leaving."""

    def __init__(self, room: asyncio.Semaphore) -> None:
        self._holds = room

    async def __aenter__(self) -> None:
        await self._holds.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._holds.release()

    async def wait_aside(self, aside: asyncio.Semaphore) -> None:
        """Give the place to another mail, unless too many wait aside already."""
        if not aside.locked():
            await aside.acquire()
            self._holds.release()
            self._holds = aside


class Connections:
    """Hands mails over, on a kept connection if there is one. Belongs to one event loop; `clock` counts seconds."""

    def __init__(self, config: SmtpConfig, hello_name: str, clock: Callable[[], float] = monotonic) -> None:
        self._config = config
        self._clock = clock
        self._hello_name = hello_name
        self._room = asyncio.Semaphore(config.connections)
        self._aside = asyncio.Semaphore(MOST_SLOW)
        self._idle: list[_Line] = []
        self._closed = False
        self._tls: ssl.SSLContext | None = None

    async def deliver(self, envelope: Envelope) -> None:
        """Hand one mail over; if this raises what aiosmtplib or the network raises, the server did not take the mail.

        Raises Unconfirmed if the whole mail was sent but it can't be known whether the server took it.
        A kept connection that turns out to be gone isn't a failure: the mail goes over a new one.
        """
        turn = _Turn(self._room)
        async with turn:
            line = await self._offered(envelope)
            try:
                await self._finish(line, envelope, turn)
            except BaseException:
                line.client.close()
                raise
            self._keep(line)

    async def close(self) -> None:
        """Quit every idle connection; those in use are closed once their mail is done."""
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

    async def opened(self) -> _Line:
        """A new connection, logged in; raises what aiosmtplib and the network raise."""
        config = self._config
        client = SMTP(
            hostname=config.host,
            port=config.port,
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

    async def _offered(self, envelope: Envelope) -> _Line:
        """A connection on which the server said that it wants the mail's content now."""
        kept = await self._kept()
        if kept is not None:
            try:
                await self._offer(kept, envelope)
            except SMTPException as error:
                if not _is_gone(error):
                    raise
            else:
                return kept
        line = await self.opened()
        await self._offer(line, envelope)
        return line

    async def _offer(self, line: _Line, envelope: Envelope) -> None:
        client = line.client
        try:
            await start(client, envelope)
        except SMTPRecipientRefused:
            with suppress(SMTPException):
                await client.rset()
            self._keep(line)
            raise
        except BaseException:
            # Whatever went wrong, or was cancelled half way: the next mail must not inherit this conversation.
            client.close()
            raise

    async def _finish(self, line: _Line, envelope: Envelope, turn: _Turn) -> None:
        """Send the content; if the server's reply takes long, let another mail begin meanwhile."""
        finishing = asyncio.create_task(finish(line.client, envelope, self._config.last_reply_seconds))
        try:
            if not (await asyncio.wait({finishing}, timeout=SLOW_AFTER))[0]:
                await turn.wait_aside(self._aside)
            await finishing
        finally:
            finishing.cancel()

    def _keep(self, line: _Line) -> None:
        line.mails += 1
        line.used = self._clock()
        if self._closed or len(self._idle) >= self._config.connections:
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
    if isinstance(error, SMTPResponseException):
        return error.code == SERVICE_NOT_AVAILABLE
    return isinstance(error, SMTPServerDisconnected)
