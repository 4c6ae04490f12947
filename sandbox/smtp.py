"""The sandbox's SMTP server, by aiosmtpd, with the faults of real servers on demand."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

if TYPE_CHECKING:
    from sandbox.mail_server import MailServer

LARGEST_MAIL_BYTES = 50_000_000
SLOW_SECONDS = 5.0
# aiosmtpd warns at every login that a property it sets itself is deprecated.
logging.getLogger("mail.log").setLevel(logging.ERROR)

Stage = Literal["ehlo", "rcpt", "data", "delivered"]


@dataclass
class Faults:
    """How the server misbehaves until this is changed; addresses are compared without their plus-tag."""

    refused: set[str] = field(default_factory=set)  # 550: no such user, for ever
    deferred: set[str] = field(default_factory=set)  # 451: try again later
    delay: float = 0.0  # seconds before each answer to RCPT and DATA
    slow: set[str] = field(default_factory=set)  # the answer to RCPT comes after SLOW_SECONDS
    answer_after: float = 0.0  # seconds between storing a mail and accepting it, as with Exchange Online
    drop_at: Stage | None = (
        None  # cut the connection there; at "delivered" the mail is stored, and its sender gets no reply
    )

    def reply_for(self, address: str) -> str | None:
        """The reply that refuses RCPT, if it is refused."""
        plain = _untagged(address)
        if plain in {_untagged(each) for each in self.refused}:
            return "550 5.1.1 No such user here"
        if plain in {_untagged(each) for each in self.deferred}:
            return "451 4.3.0 Mailbox temporarily unavailable"
        return None


class SmtpConnection(SMTP):
    """One SMTP connection."""

    def __init__(self, server: "MailServer") -> None:
        super().__init__(
            _Handler(server),
            hostname=server.authserv_id,
            ident="Countersign sandbox",
            data_size_limit=LARGEST_MAIL_BYTES,
            enable_SMTPUTF8=True,
            auth_require_tls=False,
            authenticator=self._check_login,
            loop=asyncio.get_running_loop(),
        )
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Add this one to the server's connections, which it may have to cut."""
        self._server.smtp_connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Remove this one from the server's connections."""
        self._server.smtp_connections.discard(self)
        super().connection_lost(error)

    def cut(self) -> None:
        """End the connection without a reply."""
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.abort()

    def _check_login(self, smtp: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        account = None
        if isinstance(given, LoginPassword):
            login, password = given.login.decode("utf-8", "replace"), given.password.decode("utf-8", "replace")
            account = self._server.account_of_login(login, password)
        return AuthResult(success=account is not None, handled=False, auth_data=account)


class _Handler:
    """What aiosmtpd asks at each step; the names of the methods are its own."""

    def __init__(self, server: "MailServer") -> None:
        self._server = server

    async def handle_EHLO(
        self, smtp: SmtpConnection, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        await self._misbehave("ehlo", smtp)
        return responses

    async def handle_RCPT(
        self, smtp: SmtpConnection, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await self._misbehave("rcpt", smtp)
        if address.rpartition("@")[2].lower() != self._server.domain:
            return "550 5.7.1 Relaying denied"
        if _untagged(address) in {_untagged(each) for each in self._server.faults.slow}:
            await asyncio.sleep(SLOW_SECONDS)
        refusal = self._server.faults.reply_for(address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, smtp: SmtpConnection, session: Session, envelope: Envelope) -> str:
        await self._misbehave("data", smtp)
        assert isinstance(envelope.content, bytes)
        for recipient in envelope.rcpt_tos:
            await self._server.deliver(
                recipient,
                envelope.content,
                sender=(envelope.mail_from or "").strip("<>"),  # aiosmtpd gives the null sender with its brackets
                login=session.auth_data or "",
                helo=session.host_name or "",
            )
        await asyncio.sleep(self._server.faults.answer_after)
        if self._server.faults.drop_at == "delivered":
            smtp.cut()
        return "250 OK"

    async def _misbehave(self, stage: Stage, smtp: SmtpConnection) -> None:
        if stage != "ehlo" and self._server.faults.delay:
            await asyncio.sleep(self._server.faults.delay)
        if self._server.faults.drop_at == stage:
            smtp.cut()
            raise ConnectionResetError(f"dropped at {stage}")


def _untagged(address: str) -> str:
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"
