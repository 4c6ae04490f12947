"""Somebody with a mailbox on the sandbox's server: reads by IMAP, writes by SMTP as themselves, or as somebody else."""

import re
import smtplib
import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from functools import lru_cache

from imapclient import IMAPClient

from sandbox import clients
from sandbox.mail_server import DOMAIN, HOST, PASSWORD

NETWORK_SECONDS = 120.0
WAIT_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 1.0
_TELLS = re.compile(r"\.(?:opened|settled|answer_refused)\.")  # in the Message-ID of a mail that asks for no answer


class NoSuchMail(Exception):
    """The wanted mail is not in the inbox; the text is for people."""


@dataclass(frozen=True)
class Person:
    """One of the sandbox's people; their login is their address' local part. All methods block."""

    login: str
    smtp_port: int
    imap_port: int
    host: str = HOST
    domain: str = DOMAIN
    password: str = PASSWORD
    full_name: str = ""

    @property
    def address(self) -> Address:
        """Their address with the name a mail client shows."""
        return Address(self.full_name or self.login.capitalize(), self.login, self.domain)

    def inbox(self) -> list[EmailMessage]:
        """Read all mails, oldest first."""
        with self._imap() as imap:
            return _read(imap)

    def mail_about(self, approval_id: int) -> EmailMessage:
        """Find the newest mail about a request that asks for an answer, else the newest; raises NoSuchMail if none."""
        found = _newest_about(approval_id, self.inbox())
        if not found:
            raise NoSuchMail(f"{self.login} has no mail about #{approval_id}.")
        return found

    def wait_for_mail(self, approval_id: int, containing: str = "", seconds: float = WAIT_SECONDS) -> EmailMessage:
        """Wait for a mail about a request whose text holds `containing`; raises NoSuchMail after this many seconds."""
        deadline = time.monotonic() + seconds
        with self._imap() as imap:
            while True:
                found = _newest_about(approval_id, [each for each in _read(imap) if containing in text_of(each)])
                if found:
                    return found
                imap.idle()
                # A mail that came while reading was announced then, and is not announced again.
                imap.idle_check(timeout=LOOK_AGAIN_SECONDS)
                imap.idle_done()
                if time.monotonic() > deadline:
                    raise NoSuchMail(f"{self.login} got no such mail about #{approval_id} in {seconds:.0f} seconds.")

    def reply(
        self, original: EmailMessage, text: str, client: clients.Client = clients.Client.PLAIN, *, forged_by: str = ""
    ) -> EmailMessage:
        """Answer a mail; returns what was sent. With `forged_by`, somebody else submits it in this person's name."""
        message = clients.reply(original, self.address, text, client)
        self.send(message, login=forged_by)
        return message

    def forward(self, original: EmailMessage, to: str, text: str = "") -> EmailMessage:
        """Pass a mail on to another person of the sandbox."""
        message = clients.forward(original, self.address, Address(to.capitalize(), to, self.domain), text)
        self.send(message)
        return message

    def be_away(self, original: EmailMessage, text: str = "I am out of the office.") -> EmailMessage:
        """Have the autoresponder answer a mail, from the null sender as it should (RFC 3834, section 3.3)."""
        message = clients.out_of_office(original, self.address, text)
        self.send(message, null_sender=True)
        return message

    def send(self, message: EmailMessage, *, login: str = "", null_sender: bool = False) -> None:
        """Submit a mail, logged in as this person or as `login`; raises smtplib's errors when it is refused."""
        login = login or self.login
        sender = "" if null_sender else f"{login}@{self.domain}"
        with smtplib.SMTP(self.host, self.smtp_port, timeout=NETWORK_SECONDS) as smtp:
            smtp.login(login, self.password)
            smtp.send_message(message, from_addr=sender)

    def _imap(self) -> IMAPClient:
        imap = IMAPClient(self.host, self.imap_port, ssl=False, timeout=NETWORK_SECONDS)
        try:
            imap.login(self.login, self.password)
            imap.select_folder("INBOX")
        except BaseException:
            imap.shutdown()
            raise
        return imap


def wants_answer(mail: EmailMessage) -> bool:
    """Whether this mail asks for an answer: its Reply-To has a tag, and its Message-ID doesn't say otherwise."""
    return "+" in str(mail.get("Reply-To", "")) and not _TELLS.search(str(mail.get("Message-ID", "")))


def headline(mail: EmailMessage) -> str:
    """What a mail says first: the first paragraph of its text, on one line."""
    return " ".join(text_of(mail).replace("\r\n", "\n").strip().split("\n\n")[0].split())


def _read(imap: IMAPClient) -> list[EmailMessage]:
    found = imap.fetch(imap.search(), ["BODY.PEEK[]"])
    return [_parsed(found[uid][b"BODY[]"]) for uid in sorted(found)]


@lru_cache(maxsize=256)  # waiting for a mail reads all of the others each time
def _parsed(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)


def _newest_about(approval_id: int, mails: list[EmailMessage]) -> EmailMessage | None:
    about = [mail for mail in mails if str(mail["Subject"] or "").endswith(f"#{approval_id}")]
    return max(about, key=lambda mail: (wants_answer(mail), about.index(mail)), default=None)


def text_of(mail: EmailMessage) -> str:
    """The text of a mail, or its HTML if it has no text; empty if it has neither."""
    body = mail.get_body(("plain", "html"))
    return str(body.get_content()) if body else ""
