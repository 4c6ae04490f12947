"""One connection to the mailbox: list, fetch, move, and wait for news. It knows nothing of what the mails mean."""

from __future__ import annotations

import logging
import select
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from imapclient import IMAPClient
from pydantic import Field, SecretStr

from countersign.models import Model
from notifiers.email.oauth import AccessTokens

log = logging.getLogger(__name__)
# At DEBUG the library's own logger writes every mail, and some logins, to the log.
logging.getLogger("imapclient.imaplib").setLevel(logging.INFO)

NETWORK_SECONDS = 20.0  # for connecting, and for each answer of the server
# How long silence in IDLE is believed. Then the mailbox is read again, which renews IDLE (RFC 2177 wants that at least
# every 29 minutes) and finds out whether the connection still lives.
BELIEVE_SILENCE_SECONDS = 10.0
POLL_SECONDS = 5.0  # between two looks at a server without IDLE
LARGEST_MAIL_BYTES = 10_000_000


class Mailbox(Model, arbitrary_types_allowed=True, hide_input_in_errors=True):
    """Where replies come in, and how to log in: by password, or by XOAUTH2 with what `tokens` gives.

    `done_folder` and `quarantine_folder` are written with `/` and below the account's namespace, whatever separator
    the server uses. `security="none"` sends the password in the clear: for loopback only.
    """

    host: str
    port: int = Field(default=993, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "tls"
    ca_file: Path | None = None  # trust this authority instead of the system's
    username: str
    password: SecretStr = SecretStr("")
    tokens: AccessTokens | None = Field(default=None, exclude=True, repr=False)
    folder: str = "INBOX"
    done_folder: str = "Countersign/Done"
    quarantine_folder: str = "Countersign/Quarantine"
    believe_silence_seconds: float = Field(default=BELIEVE_SILENCE_SECONDS, gt=0, le=29 * 60)
    poll_seconds: float = Field(default=POLL_SECONDS, gt=0)
    network_seconds: float = Field(default=NETWORK_SECONDS, gt=0)
    largest_mail_bytes: int = Field(default=LARGEST_MAIL_BYTES, ge=1)

    @property
    def name(self) -> str:
        """Name the mailbox in the ledger and the log."""
        return f"{self.username}@{self.host}/{self.folder}"


@dataclass(frozen=True)
class Fetched:
    """A mail as the server gave it; `arrived` is the server's INTERNALDATE, in UTC."""

    raw: bytes
    arrived: datetime


class Connection:
    """A logged-in connection with the folder selected. Raises OSError or imaplib's errors when it breaks."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._stuck: set[int] = set()  # dealt with, but the server would not move them
        self._client = _connect(mailbox)
        try:
            _log_in(self._client, mailbox)
            self._prefix, self._separator = _namespace(self._client)
            self._make_folders()
            selected = self._client.select_folder(self._path(mailbox.folder))
            self.uidvalidity = int(selected.get(b"UIDVALIDITY", 0))
            self.can_idle = self._client.has_capability("IDLE")
        except BaseException:
            _hang_up(self._client)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind:  # a broken connection would let a polite LOGOUT wait for its timeout
            _hang_up(self._client)
            return
        with suppress(OSError, IMAPClient.Error):
            self._client.logout()

    def uids(self) -> list[int]:
        """List the mails of the folder, oldest first."""
        self._client.take_exists()
        return sorted(set(self._client.search("ALL")) - self._stuck)

    def sizes(self, uids: list[int]) -> dict[int, int]:
        """Ask how big mails are, in bytes; one that is gone meanwhile is left out."""
        found = self._ask_about(uids, ["RFC822.SIZE"])
        return {uid: int(found[uid][b"RFC822.SIZE"]) for uid in uids if b"RFC822.SIZE" in found.get(uid, {})}

    def fetch(self, uids: list[int]) -> dict[int, Fetched]:
        """Fetch whole mails; one that is gone meanwhile, or that the server doesn't give, is left out."""
        found = self._ask_about(uids, ["BODY.PEEK[]", "INTERNALDATE"])
        return {
            uid: Fetched(found[uid][b"BODY[]"], found[uid][b"INTERNALDATE"].astimezone(UTC))
            for uid in uids
            if found.get(uid, {}).get(b"BODY[]") is not None
        }

    def move(self, uids: list[int], folder: str) -> None:
        """Move mails; what the server will not move stays, and is not listed again on this connection."""
        if not uids:
            return
        try:
            try:
                self._move(uids, self._path(folder))
            except IMAPClient.AbortError:
                raise
            except IMAPClient.Error:
                self._make_folders()  # somebody may have removed it
                self._move(uids, self._path(folder))
        except IMAPClient.AbortError:
            raise
        except IMAPClient.Error as problem:
            log.warning("%s: cannot move mails to %s, they stay: %s", self._mailbox.name, folder, problem)
            self._stuck.update(uids)

    def told_of_more(self) -> bool:
        """Whether the server mentioned new mail since it was listed; IDLE would not mention it again."""
        return self._client.take_exists()

    def idle(self) -> None:
        """Ask the server to speak up at once when something changes (RFC 2177)."""
        self._client.idle()

    def heard(self, seconds: float) -> bool:
        """Wait while idling until the server says anything, or hangs up, at most so many seconds."""
        return self._client.has_buffered() or bool(_readable(self._client.socket(), seconds))

    def leave_idle(self) -> None:
        """Make the connection usable for commands again."""
        self._client.idle_done()

    def _ask_about(self, uids: list[int], what: list[str]) -> dict[int, dict[bytes, Any]]:
        if not uids:
            return {}
        try:
            return dict(self._client.fetch(uids, what))
        except IMAPClient.AbortError:
            raise
        except IMAPClient.Error as problem:
            log.warning("%s: the server does not give mails %s: %s", self._mailbox.name, uids[:5], problem)
            return {}

    def _move(self, uids: list[int], folder: str) -> None:
        if self._client.has_capability("MOVE"):
            self._client.move(uids, folder)
            return
        self._client.copy(uids, folder)
        self._client.delete_messages(uids, silent=True)
        # Without UIDPLUS only the plain command exists; it also removes what somebody else had marked as deleted.
        self._client.expunge(uids if self._client.has_capability("UIDPLUS") else None)

    def _make_folders(self) -> None:
        for folder in (self._mailbox.folder, self._mailbox.done_folder, self._mailbox.quarantine_folder):
            path = self._path(folder)
            if path == "INBOX" or self._client.folder_exists(path):
                continue
            try:
                self._client.create_folder(path)
                self._client.subscribe_folder(path)
            except IMAPClient.AbortError:
                raise
            except IMAPClient.Error as problem:  # another watcher was first, or we may not: the move will tell
                log.info("%s: cannot make folder %s: %s", self._mailbox.name, path, problem)

    def _path(self, folder: str) -> str:
        if folder.upper() == "INBOX":
            return "INBOX"
        return self._prefix + folder.replace("/", self._separator)


class _Client(IMAPClient):  # type: ignore[misc]  # imapclient has no types
    """IMAPClient with an IDLE that misses nothing."""

    _early = False

    def take_exists(self) -> bool:
        """Whether an answer to any command said EXISTS since this was last asked (RFC 3501, 7.3.1)."""
        return self._imap.untagged_responses.pop("EXISTS", None) is not None

    def idle(self) -> None:
        # A server may speak before it says "+ idling"; the library takes that for an error.
        self._idle_tag = self._imap._command("IDLE")
        self._early = False
        while self._imap._get_response() is not None:
            if self._imap.tagged_commands.get(self._idle_tag):
                raise IMAPClient.AbortError("the server refuses to idle")
            self._early = True

    def has_buffered(self) -> bool:
        """Whether the server spoke already: what came with its "+ idling" no longer shows on the socket."""
        if self._early:
            return True
        connection = self.socket()
        connection.settimeout(0.0)
        try:
            return bool(self._imap.file.peek(1))
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        finally:
            self._set_read_timeout()


def _connect(mailbox: Mailbox) -> _Client:
    context = ssl.create_default_context(cafile=mailbox.ca_file) if mailbox.security != "none" else None
    client = _Client(
        mailbox.host,
        mailbox.port,
        ssl=mailbox.security == "tls",
        ssl_context=context,
        timeout=mailbox.network_seconds,
    )
    client.normalise_times = False  # or times lose their zone
    # The library sends a command in pieces, of which each but the first would wait 40 ms for the ACK of the last.
    client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if mailbox.security == "starttls":
        try:
            client.starttls(context)
        except BaseException:
            _hang_up(client)
            raise
    return client


def _hang_up(client: _Client) -> None:
    with suppress(OSError):  # a failed handshake has closed it already
        client.shutdown()


def _log_in(client: _Client, mailbox: Mailbox) -> None:
    if mailbox.tokens is None:
        client.login(mailbox.username, mailbox.password.get_secret_value())
        return
    try:
        client.oauth2_login(mailbox.username, mailbox.tokens())
    except IMAPClient.Error:
        mailbox.tokens.forget()
        raise


def _namespace(client: _Client) -> tuple[str, str]:
    """Give the prefix of the account's own folders and their separator."""
    if client.has_capability("NAMESPACE") and client.namespace().personal:
        prefix, separator = client.namespace().personal[0]
        return prefix, separator or "/"
    listed = client.list_folders("", "INBOX")
    separator = listed[0][1] if listed else b"/"
    return "", (separator or b"/").decode()


def _readable(connection: Any, seconds: float) -> Iterable[object]:
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    return poller.poll(seconds * 1000)
