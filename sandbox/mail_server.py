"""A mail server in one asyncio process: SMTP in, IMAP out, mailboxes in memory. For demo and tests only.

It knows its people: who logs in may submit mail, and every delivery gets an Authentication-Results header that says
whether the sender was the person in From. It can be told to fail as real servers do (`faults`).
"""

import asyncio
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.authentication_results import from_address, from_domain, without_results_of
from sandbox.kept_mail import KeptMail
from sandbox.mailboxes import Mailboxes
from sandbox.smtp import Faults, SmtpConnection

HOST = "127.0.0.1"
DOMAIN = "example.test"
PASSWORD = "sandbox"  # it protects nothing: the sandbox listens on loopback and holds play mail
ENGINE = "countersign"
ENGINE_ALIASES = {"approvals": ENGINE}


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
        smtp_port: int = 0,
        imap_port: int = 0,
        keep: Path | None = None,
    ) -> None:
        self.domain = domain
        self.authserv_id = f"mail.{domain}"
        self.host = HOST
        self.password = PASSWORD
        self.smtp_port = smtp_port
        self.imap_port = imap_port
        self.faults = Faults()
        self.delivered = 0
        greeting = f"{self.authserv_id} ready"
        self.mailboxes = Mailboxes(PASSWORD, ENGINE_ALIASES, greeting)
        self._kept = KeptMail(keep) if keep else None
        self._servers: list[asyncio.Server] = []
        self.smtp_connections: set[SmtpConnection] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; raises OSError when a port is taken."""
        if self._kept:
            for account, raw, came in self._kept.take():
                await self.mailboxes.deliver(account, raw, came)
        loop = asyncio.get_running_loop()
        smtp = await loop.create_server(lambda: SmtpConnection(self), self.host, self.smtp_port)
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
        for session in list(self.smtp_connections):
            session.cut()
        await self.mailboxes.disconnect()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    def forget_mail_of_people(self) -> None:
        """Delete what people got; the mail of the engine stays, as it may be reading it."""
        self.mailboxes.forget(accounts_kept={ENGINE})

    def account_of_login(self, login: str, password: str) -> str | None:
        """Name the account that logs in; None if the password is wrong."""
        return self.mailboxes.account(login.removesuffix(f"@{self.domain}")) if password == self.password else None

    async def deliver(
        self, recipient: str, content: bytes, *, sender: str = "", login: str = "", helo: str = ""
    ) -> None:
        """Hand one mail to one recipient, with this server's own headers on top.

        `sender` is the envelope's, `login` the account that submitted it, empty when nobody logged in.
        """
        verdict = "pass" if login and self._wrote_as_themselves(login, content) else "fail"
        protocol = "ESMTPA" if login else "ESMTP"
        now, domain = format_datetime(datetime.now(UTC)), from_domain(content)
        results = f"spf={verdict} smtp.mailfrom={domain}; dmarc={verdict} header.from={domain}"
        head = [
            f"Return-Path: <{_one_line(sender)}>",
            f"Delivered-To: {_one_line(recipient)}",
            f"Authentication-Results: {self.authserv_id}; {results}",
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
        return from_address(content) in own


def _one_line(value: str) -> str:
    return re.sub(r"[^\x21-\x7e]", "", value)
