"""What the pages know about the installation, and the cookies of a browser."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fastapi import Request, Response

from countersign.channels import SignInLinks
from engine.credentials.sign_in import From
from portal.connections import address_of
from portal.oidc import Provider

SECRET_BYTES = 32
# Where somebody is led after signing in, if they wanted no other page.
START = "/approvals"
# Longer than a sign-in link lasts, and than anybody still has a sign-in in mind.
BROWSER_SECONDS = 3600
# The longest that the database can store.
LONGEST_PAGE = 2000


@dataclass(frozen=True)
class Site:
    """`links` makes and checks the sign-in links, by channel name; empty if `public_url` is not set.

    `provider` is the other way to sign in; None if none is set up. `rdp_gate` is where RDP clients reach the gate.
    """

    instance_name: str = "Countersign"
    public_url: str = ""
    links: Mapping[str, SignInLinks] = field(default_factory=dict)
    provider: Provider | None = None
    rdp_gate: str = ""

    def link(self, link_id: str) -> str:
        """The whole link of this id, as the first channel would send it."""
        return f"{self.public_url}/sign-in/{link_id}.{next(iter(self.links.values())).secret(link_id)}"

    def is_link(self, link_id: str, secret: str) -> bool:
        """Whether this is the secret of a link that any channel sends."""
        return any(links.is_secret(link_id, secret) for links in self.links.values())

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it over TLS."""
        return urlsplit(self.public_url).scheme == "https"

    @property
    def session_cookie(self) -> str:
        """Its name; with TLS, one that browsers accept only from this very host and over TLS (RFC 6265bis, 4.1.3.2)."""
        return "__Host-session" if self.is_secure else "session"

    @property
    def browser_cookie(self) -> str:
        """The name of the cookie that shows whether a sign-in ends in the browser where it was begun."""
        return "__Host-browser" if self.is_secure else "browser"

    def set(self, response: Response, name: str, value: str, seconds: int | None = None) -> None:
        """Set a cookie that scripts can't read and other sites can't use to post."""
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self.is_secure, httponly=True, samesite="lax"
        )

    def forget(self, response: Response, name: str) -> None:
        """Delete a cookie."""
        response.delete_cookie(name, path="/", secure=self.is_secure, httponly=True, samesite="lax")


def comes_from(request: Request, site: Site) -> From:
    """Where a call comes from; a browser that has no secret yet gets one here, to be set in the response."""
    secret = request.cookies.get(site.browser_cookie, "")[: 2 * SECRET_BYTES] or secrets.token_hex(SECRET_BYTES)
    return From(secret, request.headers.get("User-Agent", ""), address_of(request))


def is_own_page(path: str) -> bool:
    """Whether this is a page of ours to lead somebody to: not the address of another site, and not too long to keep."""
    is_path = path.startswith("/") and not path.startswith(("//", "/\\"))
    return is_path and path.isascii() and path.isprintable() and len(path) <= LONGEST_PAGE
