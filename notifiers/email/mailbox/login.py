"""The settings of the mailbox, and how to get in: encryption, login by password or XOAUTH2."""

import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self

from imapclient import IMAPClient
from pydantic import Field, SecretStr, model_validator

from countersign.models import Model
from notifiers.email.limits import LARGEST_MAIL
from notifiers.email.mailbox.oauth import AccessTokens

# At DEBUG the library's own logger writes every mail, and some logins, to the log.
logging.getLogger("imapclient.imaplib").setLevel(logging.INFO)

NETWORK_SECONDS = 20.0  # for connecting, and for each answer of the server
# After this long without news in IDLE the mailbox is read again. That renews IDLE (RFC 2177 wants this at least every
# 29 minutes) and shows whether the connection still works.
RENEW_IDLE_SECONDS = 10.0
POLL_SECONDS = 5.0  # between two looks at a server without IDLE
LONGEST_NAME = 200  # what the ledger keeps


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
    renew_idle_seconds: float = Field(default=RENEW_IDLE_SECONDS, gt=0, le=29 * 60)
    poll_seconds: float = Field(default=POLL_SECONDS, gt=0)
    network_seconds: float = Field(default=NETWORK_SECONDS, gt=0)
    largest_mail_bytes: int = Field(default=LARGEST_MAIL, ge=1)

    @model_validator(mode="after")
    def _fits_the_ledger(self) -> Self:
        if len(self.name) > LONGEST_NAME:
            raise ValueError(f"username, host and folder may have at most {LONGEST_NAME} characters together")
        return self

    @property
    def name(self) -> str:
        """The name of the mailbox in the ledger and the log."""
        return f"{self.username}@{self.host}/{self.folder}"


class Client(IMAPClient):  # type: ignore[misc]  # imapclient has no types
    """IMAPClient with an IDLE that misses nothing."""

    _early = False

    def take_exists(self) -> bool:
        """Whether an answer to any command said EXISTS since this was last asked (RFC 3501, 7.3.1)."""
        return self._imap.untagged_responses.pop("EXISTS", None) is not None

    def idle(self) -> None:
        """Start to idle, whatever the server says before it agrees."""
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


def connect(mailbox: Mailbox) -> Client:
    """Connect, encrypted as the settings say; raises OSError, or imaplib's errors where there is no STARTTLS."""
    context = ssl.create_default_context(cafile=mailbox.ca_file) if mailbox.security != "none" else None
    client = Client(
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
            hang_up(client)
            raise
    return client


def hang_up(client: Client) -> None:
    """Close the connection without a word."""
    with suppress(OSError):  # a failed handshake has closed it already
        client.shutdown()


def log_in(client: Client, mailbox: Mailbox) -> None:
    """Log in; raises imaplib's errors where that is refused, Unavailable where the token server gives no token."""
    if mailbox.tokens is None:
        client.login(mailbox.username, mailbox.password.get_secret_value())
        return
    try:
        client.oauth2_login(mailbox.username, mailbox.tokens())
    except IMAPClient.Error:
        mailbox.tokens.forget()
        raise


def folder_paths(client: Client) -> Callable[[str], str]:
    """Ask where the account's own folders are; gives a function that says what the server calls a folder."""
    if client.has_capability("NAMESPACE") and client.namespace().personal:
        prefix, separator = client.namespace().personal[0]
    else:
        listed = client.list_folders("", "INBOX")
        prefix, separator = "", ((listed and listed[0][1]) or b"/").decode()
    return lambda folder: "INBOX" if folder.upper() == "INBOX" else prefix + folder.replace("/", separator or "/")
