"""A provider that says who somebody is: OpenID Connect, authorization code flow with PKCE (RFC 7636).

Rules: https://openid.net/specs/openid-connect-core-1_0.html, sections 3.1 and 5.3; openid-connect-discovery-1_0.html.
"""

import asyncio
import hashlib
import hmac
import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from pydantic import SecretStr, ValidationError, field_validator

from countersign.checks import Check
from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed, Unavailable
from countersign.models import Model
from countersign.views import Finding
from engine.credentials.signed_tokens import LEEWAY_SECONDS, decoded
from portal.short_cache import ShortCache

# For each call to the provider.
NETWORK_SECONDS = 5.0
# How long the provider's addresses and keys are good for, and the least time between two requests for them.
KNOWN_SECONDS = 600.0
ASK_SECONDS = 5.0
CALLBACK = "/sign-in/oidc/callback"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}

log = logging.getLogger(__name__)


def encrypted(address: str) -> str:
    """The address. Raises ValueError if it is malformed, or leads to another machine without TLS."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        raise ValueError("must be an address such as https://login.example.com") from None
    if not url.host or (url.scheme != "https" and not (url.scheme == "http" and url.host in LOOPBACK)):
        raise ValueError("must begin with https://")
    return address


class Metadata(Model, extra="ignore"):
    """What a provider says about itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]

    @field_validator("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
    @classmethod
    def _encrypted(cls, address: str) -> str:
        return encrypted(address) if address else ""


class Identity(NamedTuple):
    """A mail address that the provider has verified, and when its person last proved there who they are.

    The time is 1970 if the provider does not say it; it does say it if it was asked to have them prove it anew.
    """

    address: str
    proven_at: datetime


@dataclass(frozen=True)
class _Known:
    """What was fetched: the provider's addresses, and its keys."""

    metadata: Metadata
    keys: KeySet


class Provider:
    """One provider, as the settings name it. `public_url` is where browsers reach us."""

    def __init__(
        self, issuer: str, client_id: str, client_secret: SecretStr, scopes: str, name: str, public_url: str
    ) -> None:
        self.issuer, self.name = issuer, name
        self._client_id, self._client_secret = client_id, client_secret
        self._scopes = scopes
        self._redirect_uri = f"{public_url}{CALLBACK}"
        self._asked = ShortCache(self._ask, ASK_SECONDS)
        self._known: _Known | None = None
        self._old_at = 0.0

    async def address(self, state: str, secret: str, fresh: bool = False) -> str:
        """Where to send the browser that has this secret; with `fresh` its person has to prove anew who they are.

        Raises Unavailable.
        """
        known = await self._fetch()
        uri: str = prepare_grant_uri(
            known.metadata.authorization_endpoint,
            self._client_id,
            "code",
            self._redirect_uri,
            self._scopes,
            state,
            nonce=_derived("nonce", state, secret),
            code_challenge=create_s256_code_challenge(_derived("verifier", state, secret)),
            code_challenge_method="S256",
            **({"prompt": "login", "max_age": "0"} if fresh else {}),
        )
        return uri

    async def identity(self, code: str, state: str, secret: str) -> Identity:
        """Whom this code is for.

        Raises Unavailable, or NotAllowed, with the reason, if what the provider says proves nothing.
        """
        known = await self._fetch()
        async with self._client() as client:
            tokens = await self._exchange(client, known.metadata, code, _derived("verifier", state, secret))
            claims = await self._claims(tokens, _derived("nonce", state, secret))
            proven = claims.get("auth_time", 0)
            if not claims.get("email"):
                claims |= await self._user_info(client, known.metadata, tokens, claims["sub"])
        address = claims.get("email")
        if not isinstance(address, str) or not address:
            raise _refused(f"{self.name} does not pass on your mail address; its administrator has to allow that.")
        # The standard says true; some providers say "true".
        if claims.get("email_verified") not in (True, "true"):
            raise _refused(f"{self.name} has not verified your mail address.")
        return Identity(address, _time_of(proven))

    def checks(self) -> list[Check]:
        """The checks of `doctor`."""
        return [Check("sign-in", self.name, self._check)]

    async def _check(self, _: Policy | None) -> Sequence[Finding]:
        await self._ask()
        return [Finding(part="sign-in", state="ok", about=self.name, message=f"{self.issuer} can be reached")]

    async def _fetch(self, again: bool = False) -> _Known:
        now = asyncio.get_running_loop().time()
        if self._known is None or again or now >= self._old_at:
            self._known = await self._asked()
            self._old_at = now + KNOWN_SECONDS
        return self._known

    async def _ask(self) -> _Known:
        """Ask the provider for its addresses and keys."""
        async with self._client() as client:
            document = await self._get(client, f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            try:
                metadata = Metadata.model_validate(document)
                keys = KeySet.import_key_set(await self._get(client, metadata.jwks_uri))  # type: ignore[arg-type]
            except (ValidationError, JoseError, ValueError, TypeError, KeyError) as error:
                raise self._unavailable(f"its own description is wrong ({type(error).__name__})") from None
        if metadata.issuer != self.issuer:  # discovery, section 4.3
            raise self._unavailable("it calls itself by another name than COUNTERSIGN_OIDC_ISSUER")
        return _Known(metadata, keys)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(verify=self._tls, timeout=NETWORK_SECONDS)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made once, as reading all certificate authorities blocks the event loop for a moment."""
        return httpx.create_ssl_context()

    async def _get(self, client: httpx.AsyncClient, address: str, **headers: str) -> dict[str, Any]:
        return self._answer(await self._sent(client.get(address, headers=headers)))

    async def _sent(self, call: Any) -> httpx.Response:
        try:
            response: httpx.Response = await call
        except (httpx.HTTPError, OSError) as error:
            raise self._unavailable(type(error).__name__) from None
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise self._unavailable(f"it answered {response.status_code}")
        return response

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        try:
            document = response.json()
        except ValueError:
            document = None
        if response.status_code != httpx.codes.OK or not isinstance(document, dict):
            raise self._unavailable(f"it answered {response.status_code}, which is not what the standard says")
        return document

    async def _exchange(
        self, client: httpx.AsyncClient, metadata: Metadata, code: str, verifier: str
    ) -> Mapping[str, Any]:
        """The tokens for a code."""
        body = prepare_token_request(
            "authorization_code", redirect_uri=self._redirect_uri, code=code, code_verifier=verifier
        )
        auth = ClientAuth(*self._credentials(metadata))
        address, headers, body = auth.prepare("POST", metadata.token_endpoint, {}, body)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        response = await self._sent(client.post(address, headers=headers, content=body))
        if response.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED):
            log.warning("%s refused a code: %s", self.issuer, _error_code(response))
            raise _refused(f"{self.name} did not take the code that your browser brought.")
        return self._answer(response)

    def _credentials(self, metadata: Metadata) -> tuple[str, str, str]:
        """Our credentials, as they are sent (RFC 6749, section 2.3.1: in the header, both are encoded)."""
        secret = self._client_secret.get_secret_value()
        if not secret:
            return self._client_id, "", "none"
        if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            return quote(self._client_id, safe=""), quote(secret, safe=""), "client_secret_basic"
        return self._client_id, secret, "client_secret_post"

    async def _claims(self, tokens: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of the ID token, after checking its signature, issuer, audience, times and nonce."""
        text = tokens.get("id_token")
        try:
            token = await self._decoded(text if isinstance(text, str) else "")
            options = {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self._client_id},
            }
            of_flow = {"nonce": nonce, "client_id": self._client_id, "access_token": tokens.get("access_token")}
            claims = CodeIDToken(token.claims, token.header, options, of_flow)
            claims.validate(leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError) as error:
            log.warning("an ID token of %s is wrong: %s", self.issuer, error)
            raise _refused(f"What {self.name} sent is not a valid proof of who you are.") from None
        return dict(claims)

    async def _decoded(self, text: str) -> jwt.Token:
        """The ID token, after checking its signature; fetches the keys again if it was made with a new one."""
        try:
            return decoded(text, (await self._fetch()).keys)
        except InvalidKeyIdError:
            return decoded(text, (await self._fetch(again=True)).keys)

    async def _user_info(
        self, client: httpx.AsyncClient, metadata: Metadata, tokens: Mapping[str, Any], subject: str
    ) -> dict[str, Any]:
        """What the provider says besides the ID token; empty if it says nothing, or says it about somebody else."""
        access_token = tokens.get("access_token")
        if not metadata.userinfo_endpoint or not isinstance(access_token, str):
            return {}
        document = await self._get(client, metadata.userinfo_endpoint, Authorization=f"Bearer {access_token}")
        return document if document.get("sub") == subject else {}

    def _unavailable(self, why: str) -> Unavailable:
        log.warning("%s can't be used: %s", self.issuer, why)
        return Unavailable(f"{self.name} can't be reached now: {why}. Try again, or sign in another way.")


def _time_of(seconds: object) -> datetime:
    """A time from a provider, but no later than now, as its clock may be ahead of ours; 1970 if it isn't a time."""
    known = seconds if isinstance(seconds, int | float) and seconds >= 0 else 0
    return datetime.fromtimestamp(min(known, datetime.now(UTC).timestamp()), UTC)


def _refused(why: str) -> NotAllowed:
    return NotAllowed(why, ErrorCode.REFUSED)


def _derived(what: str, state: str, secret: str) -> str:
    """A secret of one sign-in, derived from the browser's own secret, so that it need not be stored."""
    return hmac.new(secret.encode(), f"{what} {state}".encode(), hashlib.sha256).hexdigest()


def _error_code(response: httpx.Response) -> str:
    """The error code of RFC 6749, section 5.2, for the log: only a plain word, and nothing else that was sent."""
    try:
        code = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return str(response.status_code)
    return code if isinstance(code, str) and code.isascii() and code.replace("_", "").isalnum() else "?"
