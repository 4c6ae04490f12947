"""A client's certificate, which a server with TLS in front of the portal passes on, and which is verified here.

It comes in the header `Client-Cert`, in the form of RFC 9440 (Caddy), or as PEM with percent-encoding (nginx).
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import unquote

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from countersign.certificates import host_name
from countersign.enrolment.facts import Certificate
from countersign.errors import NotAllowed, Unavailable
from portal.api.problems import of_error
from portal.connections import PEER, address_of
from portal.context import Context
from portal.fair_executor import WHOSE

HEADER = "Client-Cert"
# A certificate with many names takes some 4 kB; the whole head of a request may have 16 kB (h11).
LONGEST_HEADER = 12 * 1024
# RFC 8941, 3.3.5.
BYTES = re.compile(r":([A-Za-z0-9+/]+={0,2}):")
PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)\n-----END CERTIFICATE-----\n?")
NOT_PASSED_ON = "it was not passed on by a server with TLS in front of the portal"
NOT_FROM_HERE = (
    f"This request bears the header {HEADER}, and comes from an address that may not pass a client's certificate on. "
    "Connect to the server with TLS in front of the portal; an administrator names its address by "
    "COUNTERSIGN_TLS_PROXIES."
)
UNREADABLE = f"The header {HEADER} {{}}; the server with TLS in front has to set it, and to drop what clients send."


class CertificatesFromProxies:
    """Refuses a request with a certificate unless it comes from one of the servers with TLS in front of the portal."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it and record that."""
        if scope["type"] != "http" or HEADER not in Headers(scope=scope):
            await self.app(scope, receive, send)
            return
        context: Context = scope["app"].state.context
        peer = _peer(scope)
        if _is_proxy(peer, context):
            await self.app(scope, receive, send)
            return
        WHOSE.set(f"address {peer}")
        with suppress(Unavailable):  # it is in the log, and the request is refused all the same
            await context.run(context.engine.certificates.refuse, NOT_PASSED_ON, peer)
        await of_error(NotAllowed(NOT_FROM_HERE))(scope, receive, send)


async def certificate_of(request: Request) -> Certificate | None:
    """The certificate that a client has presented, valid or not; None if there is none.

    Raises NotAllowed, which is recorded, if what was passed on can't be read.
    """
    context: Context = request.app.state.context
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    if not _is_proxy(_peer(request.scope), context):
        raise NotAllowed(NOT_FROM_HERE)
    address = address_of(request)
    try:
        der = _der(given)
    except ValueError as error:
        await context.run(context.engine.certificates.refuse, f"the header {error}", address)
        raise NotAllowed(UNREADABLE.format(error)) from None
    return await context.run(context.engine.certificates.check, der, _host(request), address)


def _der(given: Sequence[str]) -> bytes:
    """The certificate in a header; ValueError says what is wrong."""
    if len(given) > 1:
        raise ValueError("stands there twice")
    if len(given[0]) > LONGEST_HEADER:
        raise ValueError(f"has more than {LONGEST_HEADER} characters")
    found = BYTES.fullmatch(given[0]) or PEM.fullmatch(unquote(given[0]))
    if found is None:
        raise ValueError("holds no certificate")
    try:
        return base64.b64decode("".join(found[1].split()), validate=True)
    except binascii.Error:
        raise ValueError("holds no certificate") from None


def _host(request: Request) -> str:
    """The host name that the client has connected to; empty if it is not a valid one."""
    name, _, port = request.headers.get("Host", "").rpartition(":")
    with suppress(ValueError):
        return host_name(name if port.isdecimal() else request.headers.get("Host", ""))
    return ""


def _peer(scope: Scope) -> str:
    peer: str = scope.get("state", {}).get(PEER, "")
    return peer


def _is_proxy(peer: str, context: Context) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in context.tls_proxies)
