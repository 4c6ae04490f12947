"""Access tokens for XOAUTH2, by client credentials or a refresh token (RFC 6749, sections 4.4 and 6)."""

import asyncio
import ssl
import threading
import time
from pathlib import Path

import httpx
from pydantic import SecretStr, ValidationError, field_validator

from countersign.errors import Unavailable
from countersign.models import Model

NETWORK_SECONDS = 10.0
# A token is renewed this long before it ends, so that none ends between here and the mail server.
EARLY_SECONDS = 60.0
# Where a server doesn't say how long a token lasts (RFC 6749 only recommends that it does).
ASSUMED_SECONDS = 300.0
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class OAuth(Model):
    """Who asks for tokens, and where. With a `refresh_token` it acts for the person who consented, else for itself."""

    token_url: str
    client_id: str
    client_secret: SecretStr = SecretStr("")
    refresh_token: SecretStr = SecretStr("")
    scope: str = ""
    ca_file: Path | None = None  # trust this authority instead of the system's

    @field_validator("token_url")
    @classmethod
    def _encrypted(cls, value: str) -> str:
        try:
            url = httpx.URL(value)
        except httpx.InvalidURL as error:
            raise ValueError(f"the address of the token server is none: {error}") from None
        if url.scheme != "https" and not (url.scheme == "http" and url.host in LOOPBACK):
            raise ValueError("use an https:// address: the request carries a secret")
        return value


class _Reply(Model, extra="ignore"):
    access_token: SecretStr
    expires_in: float = ASSUMED_SECONDS
    refresh_token: SecretStr | None = None


class AccessTokens:
    """Gives a fresh access token at each call, from memory while it lasts. Threads may share it."""

    def __init__(self, oauth: OAuth) -> None:
        self._oauth = oauth
        self._refresh_token = oauth.refresh_token
        self._token = ""
        self._ends = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """Give a token that is good for a while yet; raises Unavailable where the token server gives none."""
        with self._lock:
            if time.monotonic() >= self._ends:
                self._renew()
            return self._token

    async def fresh(self) -> str:
        """The same, for those who may not block."""
        return await asyncio.to_thread(self)

    def forget(self) -> None:
        """Ask for another one next time: the mail server did not take this one."""
        with self._lock:
            self._ends = 0.0

    def _renew(self) -> None:
        reply = self._ask()
        self._token = reply.access_token.get_secret_value()
        self._ends = time.monotonic() + max(0.0, reply.expires_in - EARLY_SECONDS)
        if reply.refresh_token:  # some servers make each refresh token good for one use
            self._refresh_token = reply.refresh_token

    def _ask(self) -> _Reply:
        try:
            trust = ssl.create_default_context(cafile=self._oauth.ca_file)
            with httpx.Client(timeout=NETWORK_SECONDS, verify=trust) as client:
                response = client.post(self._oauth.token_url, data=self._form())
        except (httpx.HTTPError, OSError) as problem:
            raise Unavailable(f"The token server cannot be reached: {type(problem).__name__}.") from problem
        if response.status_code != httpx.codes.OK:
            raise Unavailable(f"The token server answered {response.status_code}{_reason(response)}.")
        try:
            return _Reply.model_validate(response.json())
        except (ValidationError, ValueError):
            # Neither error is passed on: both quote what the server sent, which may be a token.
            raise Unavailable("The token server's answer holds no access token.") from None

    def _form(self) -> dict[str, str]:
        refresh = self._refresh_token.get_secret_value()
        form = {
            "grant_type": "refresh_token" if refresh else "client_credentials",
            "client_id": self._oauth.client_id,
            "client_secret": self._oauth.client_secret.get_secret_value(),
            "refresh_token": refresh,
            "scope": self._oauth.scope,
        }
        return {name: value for name, value in form.items() if value}


def _reason(response: httpx.Response) -> str:
    """Read the error code of RFC 6749, 5.2, which is a plain word; anything else is not for the log."""
    try:
        code = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f" ({code})" if isinstance(code, str) and code.isascii() and code.replace("_", "").isalnum() else ""
