"""What a reverse proxy says about a request to a web application: who the proxy is, the device, and who asks what.

Each of its headers may come only once, as of two, one may be the client's; but of X-Forwarded-For, the last counts.
Names are compared whole, so that none with an underscore passes for one of these.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from countersign.errors import NotAllowed
from countersign.models import canonical_address

# What the proxy sets itself, whatever the client has sent.
GATEWAY, DEVICE = "Countersign-Gateway", "Countersign-Device"
SCHEME, HOST, URI, ADDRESS = "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri", "X-Forwarded-For"
ONCE = {name.lower().encode(): name for name in (GATEWAY, DEVICE, SCHEME, HOST, URI)}
NEEDED = (GATEWAY, DEVICE, SCHEME, HOST)
# Cookies that browsers send only to the application's own host, and only over TLS (RFC 6265bis, 4.1.3.2).
COOKIE, BROWSER_COOKIE = "__Host-countersign", "__Host-countersign-browser"
OURS = {COOKIE.encode(), BROWSER_COOKIE.encode()}
NONE = b"countersign=removed"
PORT = re.compile(r":[0-9]{1,5}$")
TWICE = "The header {} was sent twice; the proxy has to set it in place of what the client sends."
MISSING = "The proxy has to set the header {}; docs/http.md says how."
NOT_ENCRYPTED = "Web applications can be opened over https only."
NO_ADDRESS = f"The last entry of {ADDRESS} is not an address; the proxy has to set it to the client's."


class Proxied(NamedTuple):
    """A request, as the proxy passes it on; `path` includes the query, and `cookies` are all that came."""

    token: str
    device: str
    host: str
    path: str
    source_address: str
    cookies: bytes
    wants_page: bool

    def cookie(self, name: str) -> str:
        """The value of a cookie of ours; empty if there is none, or more than one."""
        found = [value for one, _, value in _pairs(self.cookies) if one == name.encode()]
        return found[0].decode("latin-1") if len(found) == 1 else ""

    @property
    def name(self) -> str:
        """The name of its host."""
        return name_of(self.host)

    @property
    def others(self) -> bytes:
        """The cookies that the application may see; never empty, as proxies may otherwise keep the old header."""
        return b"; ".join(one + is_ + value for one, is_, value in _pairs(self.cookies) if one not in OURS) or NONE


def proxied(headers: Iterable[tuple[bytes, bytes]]) -> Proxied:
    """Read it from the headers, whose names are in lower case. Raises NotAllowed, which says what the proxy must do."""
    found: dict[str, str] = {}
    cookies, addresses, accept = b"", b"", b""
    for name, value in headers:
        if known := ONCE.get(name):
            if known in found:
                raise NotAllowed(TWICE.format(known))
            found[known] = value.decode("latin-1")
        elif name == b"cookie":
            cookies += b"; " + value if cookies else value
        elif name == b"x-forwarded-for":
            addresses = value
        elif name == b"accept":
            accept += value
    for needed in NEEDED:
        if not found.get(needed):
            raise NotAllowed(MISSING.format(needed))
    if found[SCHEME] not in ("https", "wss"):
        raise NotAllowed(NOT_ENCRYPTED)
    host = found[HOST].lower().removesuffix(":443")
    return Proxied(
        *(found[GATEWAY], found[DEVICE], host, found.get(URI, "/")),
        *(_last_address(addresses), cookies, b"text/html" in accept),
    )


def name_of(host: str) -> str:
    """A host without its port."""
    return PORT.sub("", host)


def _last_address(addresses: bytes) -> str:
    """The client's address, as the proxy itself saw it; those before it may be the client's invention."""
    text = addresses.rpartition(b",")[2].strip().partition(b"%")[0].decode("latin-1")
    try:
        address = canonical_address(text)
    except ValueError:
        address = ""
    if not address:
        raise NotAllowed(NO_ADDRESS)
    return address


def _pairs(cookies: bytes) -> Iterable[tuple[bytes, bytes, bytes]]:
    return (
        (name.strip(), is_, value.strip()) for name, is_, value in (one.partition(b"=") for one in cookies.split(b";"))
    )
