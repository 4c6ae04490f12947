"""The configuration of the email channel, checked once at the start."""

import re
from collections.abc import Awaitable, Callable
from typing import Literal, Self

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from countersign.models import Model
from notifiers.email.compose_headers import is_plain_address
from notifiers.email.token import KeyRing
from notifiers.settings import InstanceName, WebAddress

# RFC 5321, section 4.5.3.1.1, allows a local part of 64 octets; the tag `+<id>-<level>-<token>` takes up to 43 of them.
LONGEST_REPLY_USER = 21
# What most servers allow in parallel from one client; a mail takes a few milliseconds on a kept connection.
DEFAULT_CONNECTIONS = 8
# For one reply of the server, before it has the whole mail.
DEFAULT_TIMEOUT_SECONDS = 30.0

TENANT = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")

AccessToken = Callable[[], Awaitable[str]]

# For the reply that says whether the server took the mail: RFC 5321, section 4.5.3.2.6, wants 10 minutes at least.
LAST_REPLY_SECONDS = 600.0


class SmtpConfig(Model):
    """The mail server to hand mails to. `access_token` is asked for a fresh OAuth token at each login (XOAUTH2)."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    access_token: AccessToken | None = Field(default=None, repr=False)
    ca_file: str = ""
    timeout_seconds: float = Field(default=DEFAULT_TIMEOUT_SECONDS, gt=0, le=600)
    last_reply_seconds: float = Field(default=LAST_REPLY_SECONDS, gt=0)
    connections: int = Field(default=DEFAULT_CONNECTIONS, ge=1, le=64)

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> Self:
        if self.access_token and self.password.get_secret_value():
            raise ValueError("give either a password or an access token, not both")
        if bool(self.username) != bool(self.access_token or self.password.get_secret_value()):
            raise ValueError("a login needs a username, and with it a password or an access token")
        if self.username and self.security == "none" and not _is_this_machine(self.host):
            raise ValueError("a login would cross the network in clear: use tls or starttls")
        return self


def _is_this_machine(host: str) -> bool:
    return host in {"localhost", "::1"} or bool(re.fullmatch(r"127(\.[0-9]{1,3}){3}", host))


class EmailConfig(Model):
    """The sender, where answers go, and which keys and server to use. Printing it shows no secret."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)

    instance_name: InstanceName
    sender_address: str
    reply_address: str
    keys: KeyRing
    public_url: WebAddress = ""
    smtp: SmtpConfig

    @field_validator("sender_address", "reply_address")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if not value.isascii() or not is_plain_address(value):
            raise ValueError("use a plain address like countersign@example.com")
        return value

    @field_validator("reply_address")
    @classmethod
    def _room_for_the_tag(cls, value: str) -> str:
        if len(value.rpartition("@")[0]) > LONGEST_REPLY_USER:
            raise ValueError(
                f"use at most {LONGEST_REPLY_USER} characters before the @, so that a token fits behind it"
            )
        return value

    @property
    def domain(self) -> str:
        """The domain of the sender: the host in our Message-IDs, and our name in the greeting to the mail server."""
        return self.sender_address.rpartition("@")[2]


class AuthenticityRule(Model):
    """How mail proves its sender.

    `authentication_results`: by the topmost header of that name, if the server called `authserv_id` wrote it. Use it
    only if every mail comes through that server. `exchange_online` reads Microsoft's form, which names no server; with
    a `tenant` (its GUID), mail also counts if Exchange says that a mailbox of this tenant submitted it.
    `dkim`: by a signature that is checked here. `off`: nothing proves it, and mail decides nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["authentication_results", "dkim", "off"] = "off"
    authserv_id: str = Field(default="", max_length=255)
    exchange_online: bool = False
    tenant: str = ""

    @model_validator(mode="after")
    def _names_who_checks(self) -> Self:
        named = bool(self.authserv_id.strip())
        if self.mode == "authentication_results" and named == self.exchange_online:
            raise ValueError("name the server that checks (authserv_id), or set exchange_online, and not both")
        if self.tenant and not (self.exchange_online and TENANT.fullmatch(self.tenant.lower())):
            raise ValueError("a tenant is a GUID, and goes with exchange_online")
        return self
