"""A browser at a web application whose proxy asks here: which device that is, and whether the proxy may say so."""

import base64
import binascii
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from countersign.directory import Policy
from countersign.errors import NotAllowed
from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.permissions import may_ask_for
from portal import auth
from portal.forward_auth.proxied import Proxied, name_of
from store import Store
from store.database import reads
from store.tokens import Token

# How long somebody may wait on the page before they have to come from the application anew.
VISIT_LASTS = timedelta(hours=12)
UNKNOWN_PROXY = (
    "The proxy's token is not a gateway's, or has ended; an operator makes one with `python -m portal token create`."
)
UNKNOWN_HOST = "{} is not an application of {}; an administrator adds it to `applications` in the policy."
OTHER_DEVICE = "The proxy's token is not for {} by http; an operator makes one that is."
OUR_HOST = "{} is the portal's own host; an application needs another, as browsers would send it the portal's cookies."
STALE = "This page is too old, or was not opened by an application. Open the application again."


class Visit(NamedTuple):
    """A browser at an application. `browser_hash` is the hash of a secret that only this browser has."""

    host: str
    device: str
    source_address: str
    browser_hash: str
    at: int

    def question(self, person: str) -> ConnectionQuestion:
        """What this person asks for, to open it."""
        return question(person, self.device, self.source_address)


def question(person: str, device: str, source_address: str) -> ConnectionQuestion:
    """What somebody asks for, to open an application."""
    return ConnectionQuestion(
        requester=person, device=device, protocol=ConnectionProtocol.HTTP, source_address=source_address
    )


@reads
def gateway(store: Store, asked: Proxied, public_url: str) -> Token:
    """The proxy's token. Raises NotAllowed if it may not ask for this device at this host."""
    token = store.tokens.find(asked.token)
    if token is None or token.owner.kind != "gateway":
        raise NotAllowed(UNKNOWN_PROXY)
    _, policy = store.policies.current()
    _must_be_for(policy, asked.host, asked.device, public_url)
    if not may_ask_for(auth.of_gateway(token, policy).principal, asked.device, ConnectionProtocol.HTTP):
        raise NotAllowed(OTHER_DEVICE.format(asked.device))
    return token


@reads
def signed(store: Store, token_id: str, visit: Visit) -> str:
    """A visit, signed, for the address of a page; without the proxy's token or the database, nobody can make one."""
    text = f"{token_id}.{base64.urlsafe_b64encode(json.dumps(visit).encode()).decode()}"
    return f"{text}.{store.tokens.signature(token_id, text)}"


@reads
def visit_of(store: Store, signed_visit: str, public_url: str) -> Visit:
    """The visit that was signed, if its host is still an application's. Raises NotAllowed."""
    text, _, signature = signed_visit.rpartition(".")
    token_id, _, packed = text.partition(".")
    right = store.tokens.signature(token_id, text)
    if not right or not signed_visit.isascii() or not hmac.compare_digest(right, signature):
        raise NotAllowed(STALE)
    try:
        visit = Visit(*json.loads(base64.urlsafe_b64decode(packed)))
    except (binascii.Error, ValueError, TypeError):
        raise NotAllowed(STALE) from None
    if datetime.fromtimestamp(visit.at, UTC) + VISIT_LASTS < datetime.now(UTC):
        raise NotAllowed(STALE)
    _must_be_for(store.policies.current()[1], visit.host, visit.device, public_url)
    return visit


def _must_be_for(policy: Policy, host: str, device: str, public_url: str) -> None:
    """Raise NotAllowed unless this is the host of an application, and that application is this device."""
    name = name_of(host)
    if name == (urlsplit(public_url).hostname or ""):
        raise NotAllowed(OUR_HOST.format(name))
    if policy.applications.get(name) != device:
        raise NotAllowed(UNKNOWN_HOST.format(name[:100], device[:100]))
