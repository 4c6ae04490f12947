"""A mail server in one asyncio process: SMTP in, IMAP out, mailboxes in memory. For demo and tests only.

It knows its people: who logs in may submit mail, and every delivery gets an Authentication-Results header that says
whether the sender was the person in From. It can be told to fail as real servers do (`faults`).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote, unquote

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from sandbox.mailboxes import PostOffice

HOST = "127.0.0.1"
DOMAIN = "example.test"
PASSWORD = "sandbox"  # it guards nothing: the sandbox listens on loopback and holds play mail
ENGINE = "countersign"
ENGINE_ALIASES = {"approvals": ENGINE}
LARGEST_MAIL_BYTES = 50_000_000

# aiosmtpd warns at every login that a property it sets itself is deprecated.
logging.getLogger("mail.log").setLevel(logging.ERROR)

Stage = Literal["ehlo", "rcpt", "data", "delivered"]


@dataclass
class Faults:
    """How the server misbehaves, until told otherwise; addresses are compared without their plus-tag."""

    refused: set[str] = field(default_factory=set)  # 550: no such user, for ever
    deferred: set[str] = field(default_factory=set)  # 451: try again later
    delay: float = 0.0  # seconds before each answer to RCPT and DATA
    drop_at: Stage | None = None  # cut the connection there; at "delivered" the mail was kept, the sender never hears

    def reply_for(self, address: str) -> str | None:
        """Say how RCPT is refused, if it is."""
        plain = _untagged(address)
        if plain in {_untagged(each) for each in self.refused}:
            return "550 5.1.1 No such user here"
        if plain in {_untagged(each) for each in self.deferred}:
            return "451 4.3.0 Mailbox temporarily unavailable"
        return None


class MailServer:
    """SMTP and IMAP for one domain. `async with MailServer() as mail:` listens on ephemeral ports of 127.0.0.1.

    Any local part has a mailbox; plus-addresses belong to the base mailbox. Login is the local part, with one
    password for all. Mail and ports stay the same when the same object is stopped and started again; with `keep`, a
    folder, mail also outlives the process (moved or deleted mail is back in its INBOX then).
    """

    def __init__(
        self,
        domain: str = DOMAIN,
        *,
        host: str = HOST,
        smtp_port: int = 0,
        imap_port: int = 0,
        password: str = PASSWORD,
        aliases: dict[str, str] | None = None,
        keep: Path | None = None,
    ) -> None:
        self.domain = domain
        self.authserv_id = f"mail.{domain}"
        self.host = host
        self.smtp_port = smtp_port
        self.imap_port = imap_port
        self.password = password
        self.faults = Faults()
        self.delivered = 0
        greeting = f"{self.authserv_id} ready"
        self.mailboxes = PostOffice(password, ENGINE_ALIASES if aliases is None else aliases, greeting)
        self._kept = Kept(keep) if keep else None
        self._servers: list[asyncio.Server] = []
        self._sessions: set[_Smtp] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; raises OSError when a port is taken."""
        if self._kept:
            for account, raw in self._kept.take():
                await self.mailboxes.deliver(account, raw)
        loop = asyncio.get_running_loop()
        smtp = await loop.create_server(lambda: _Smtp(self), self.host, self.smtp_port)
        self.smtp_port = smtp.sockets[0].getsockname()[1]
        self._servers.append(smtp)
        try:
            imap = await self.mailboxes.listen(self.host, self.imap_port)
        except OSError:
            await self.stop()
            raise
        self.imap_port = imap.sockets[0].getsockname()[1]
        self._servers.append(imap)

    async def stop(self) -> None:
        """Stop listening and end every connection; the mail is kept for the next start."""
        for server in self._servers:
            server.close()
        for session in list(self._sessions):
            session.cut()
        await self.mailboxes.hang_up()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    async def deliver(
        self, recipient: str, content: bytes, *, sender: str = "", login: str = "", helo: str = ""
    ) -> None:
        """Hand one mail to one recipient, with this server's own headers on top.

        `sender` is the envelope's, `login` the account that submitted it, empty when nobody logged in.
        """
        verdict = "pass" if login and self._wrote_as_themselves(login, content) else "fail"
        protocol = "ESMTPA" if login else "ESMTP"
        now = format_datetime(datetime.now(UTC))
        head = [
            f"Return-Path: <{_one_line(sender)}>",
            f"Delivered-To: {_one_line(recipient)}",
            f"Authentication-Results: {self.authserv_id}; dmarc={verdict} header.from={_from_domain(content)}",
            f"Received: from {_one_line(helo) or 'unknown'} by {self.authserv_id} with {protocol}; {now}",
        ]
        raw = "".join(f"{line}\r\n" for line in head).encode() + without_results_of(self.authserv_id, content)
        account = self.mailboxes.account(recipient.rpartition("@")[0])
        if self._kept:
            self._kept.add(account, raw)
        await self.mailboxes.deliver(account, raw)
        self.delivered += 1

    def _wrote_as_themselves(self, login: str, content: bytes) -> bool:
        own = {f"{name}@{self.domain}" for name in self.mailboxes.names_of(login)}
        return _from_address(content) in own


class Kept:
    """Delivered mail as files, one a mail, so that the sandbox starts where it ended."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._before = sorted(folder.glob("*.eml"))
        self._count = int(self._before[-1].name.partition("-")[0]) if self._before else 0

    def take(self) -> Iterator[tuple[str, bytes]]:
        """Give what was there at the start, once: account and mail, in order."""
        before, self._before = self._before, []
        for path in before:
            yield unquote(path.stem.partition("-")[2]), path.read_bytes()

    def add(self, account: str, raw: bytes) -> None:
        """Keep one more mail."""
        self._count += 1
        (self._folder / f"{self._count:08}-{quote(account, safe='')}.eml").write_bytes(raw)


class _Smtp(SMTP):
    """One SMTP connection."""

    def __init__(self, server: MailServer) -> None:
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
        self._server._sessions.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._server._sessions.discard(self)
        super().connection_lost(error)

    def cut(self) -> None:
        """End the connection without a word."""
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.abort()

    def _check_login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any
    ) -> AuthResult:
        if not isinstance(given, LoginPassword) or given.password.decode("utf-8", "replace") != self._server.password:
            return AuthResult(success=False, handled=False)
        login = given.login.decode("utf-8", "replace").removesuffix(f"@{self._server.domain}")
        return AuthResult(success=True, auth_data=self._server.mailboxes.account(login))


class _Handler:
    """What aiosmtpd asks at each step; the names of the methods are its own."""

    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def handle_EHLO(
        self, smtp: _Smtp, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        await self._misbehave("ehlo", smtp)
        return responses

    async def handle_RCPT(
        self, smtp: _Smtp, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await self._misbehave("rcpt", smtp)
        if address.rpartition("@")[2].lower() != self._server.domain:
            return "550 5.7.1 Relaying denied"
        refusal = self._server.faults.reply_for(address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, smtp: _Smtp, session: Session, envelope: Envelope) -> str:
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
        if self._server.faults.drop_at == "delivered":
            smtp.cut()
        return "250 OK"

    async def _misbehave(self, stage: Stage, smtp: _Smtp) -> None:
        if stage != "ehlo" and self._server.faults.delay:
            await asyncio.sleep(self._server.faults.delay)
        if self._server.faults.drop_at == stage:
            smtp.cut()
            raise ConnectionResetError(f"dropped at {stage}")


_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|$)")


def without_results_of(authserv_id: str, content: bytes) -> bytes:
    """Remove every Authentication-Results header that speaks in this server's name (RFC 8601, section 5)."""
    kept: list[bytes] = []
    position = 0
    while position < len(content):
        end = _end_of_field(content, position)
        line = content[position:end]
        if not line.strip(b"\r\n"):
            break
        if not _claims(authserv_id, line):
            kept.append(line)
        position = end
    return b"".join(kept) + content[position:]


def _end_of_field(content: bytes, start: int) -> int:
    """Find where a header field ends, its folded lines included."""
    end = start
    while True:
        match = _LINE.match(content, end)
        assert match is not None
        end = match.end()
        if end >= len(content) or content[end : end + 1] not in (b" ", b"\t"):
            return end


def _claims(authserv_id: str, line: bytes) -> bool:
    name, _, value = line.partition(b":")
    if name.strip().lower() != b"authentication-results":
        return False
    # Quotes, comments and folds can dress the name up; one that merely mentions it is no loss.
    return authserv_id.encode().lower() in re.sub(rb'[\s"\\]|\([^()]*\)', b"", value).lower()


def _from_address(content: bytes) -> str:
    """Read the one address of the one From, in lower case; empty when it isn't exactly one."""
    try:
        fields = message_from_bytes(_head(content), policy=policy.default).get_all("From", [])
        addresses = [address for each in fields for address in each.addresses]
        return str(addresses[0].addr_spec).lower() if len(fields) == len(addresses) == 1 else ""
    except Exception:  # the parser raises many kinds on hostile headers; none of them is somebody's address
        return ""


def _from_domain(content: bytes) -> str:
    domain = _from_address(content).rpartition("@")[2]
    return domain if re.fullmatch(r"[a-z0-9.-]{1,253}", domain) else "unknown"


def _head(content: bytes) -> bytes:
    return re.split(rb"\r?\n\r?\n", content, maxsplit=1)[0] + b"\r\n\r\n"


def _one_line(value: str) -> str:
    return re.sub(r"[^\x21-\x7e]", "", value)


def _untagged(address: str) -> str:
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"
