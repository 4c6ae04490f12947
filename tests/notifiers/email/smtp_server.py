"""A real SMTP server on a port of loopback, in the test's own event loop, that can be told to misbehave."""

from __future__ import annotations

import asyncio
import base64
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD, ACCESS_TOKEN = "countersign", "p4ss-w0rd", "ya29.access-token"
# An aborted transport closes its socket in the loop's next passes: one for itself, one for TLS, and some to spare.
PASSES_TO_CLOSE = 5


@dataclass
class MailServer:
    """Accepts every mail, unless `replies` answers a command ("RCPT nobody@acme.example": "550 5.1.1 Unknown")."""

    replies: dict[str, str] = field(default_factory=dict)
    cut_at: str = ""
    hang_at: str = ""
    answer_after: float = 0.0  # seconds, once it has a mail
    keep_back: asyncio.Event | None = None  # if given, answers to mails wait until it is set
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    connections: list[SMTP] = field(default_factory=list)
    most_at_once: int = 0
    hung: asyncio.Event = field(default_factory=asyncio.Event)
    kept_back: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: int = 0

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return await self._reply(server, f"MAIL {address}")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = await self._reply(server, f"RCPT {address}")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        reply = await self._reply(server, "DATA")
        if reply.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
            self.senders.append(str(envelope.mail_from))
            self.recipients.extend(map(str, envelope.rcpt_tos))
        await asyncio.sleep(self.answer_after)
        if self.keep_back is not None:
            self.kept_back.set()
            await self.keep_back.wait()
        return reply

    async def handle_NOOP(self, server: SMTP, session: Session, envelope: Envelope, arg: str) -> str:
        return await self._reply(server, "NOOP")

    async def handle_RSET(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return await self._reply(server, "RSET")

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.commands.append("QUIT")
        return "221 Bye"

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        said = base64.b64decode(args[1]).decode()
        self.logins.append("XOAUTH2")
        return AuthResult(success=said == f"user={USER}\x01auth=Bearer {ACCESS_TOKEN}\x01\x01", handled=False)

    def checks(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object) -> AuthResult:
        self.logins.append(mechanism)
        right = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    async def _reply(self, server: SMTP, command: str) -> str:
        self.commands.append(command)
        verb = command.partition(" ")[0]
        if self.hang_at == verb:
            self.hung.set()
            await asyncio.Event().wait()
        if self.cut_at == verb:
            _abort(server)
            return "451 Cut"
        return self.replies.get(command) or self.replies.get(verb) or "250 OK"

    def protocol(self, **options: Any) -> SMTP:
        made = _Counted(self, hostname="mail.acme.example", **options)
        self.connections.append(made)
        return made

    def opened(self, by: int) -> None:
        self.at_once += by
        self.most_at_once = max(self.most_at_once, self.at_once)

    def cut_all(self) -> None:
        """Cut all connections, as a restart of the server does, or a firewall that soon forgets them."""
        for connection in self.connections:
            _abort(connection)


def _abort(connection: SMTP) -> None:
    if isinstance(connection.transport, asyncio.Transport):
        with suppress(AttributeError):  # Python 3.11.2: a TLS connection that has ended already
            connection.transport.abort()


class _Counted(SMTP):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.transport is None:
            self.event_handler.opened(1)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.opened(-1)
        super().connection_lost(error)


@asynccontextmanager
async def serving(
    server: MailServer | None = None, tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[MailServer]:
    """Run the server while the block runs. With `tls`, the whole connection is encrypted from its start."""
    kept = server or MailServer()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: kept.protocol(loop=loop, **options), "127.0.0.1", kept.port, ssl=tls)
    kept.port = listening.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        listening.close()
        kept.cut_all()
        await listening.wait_closed()
        for _ in range(PASSES_TO_CLOSE):
            await asyncio.sleep(0)


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate for `localhost` with openssl; returns its file, and a server's TLS context that uses it."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-addext", "basicConstraints=critical,CA:FALSE"]  # Temporal's library accepts no CA as a server
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True, timeout=120)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return cert, context
