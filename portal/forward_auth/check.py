"""Tells a reverse proxy whether each request may pass: from memory, before any route is looked for.

A yes is kept until its end, and dropped as soon as the feed has an event that may have changed it. While the feed can't
be read, nothing that is kept counts, and the database is asked; if it can't be read either, nobody passes.
"""

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from countersign.error_codes import ErrorCode
from countersign.errors import CountersignError, message_of
from countersign.visibility import Visibility
from portal.api.problems import problem, status_of
from portal.connections import PEER
from portal.fair_executor import WHOSE
from portal.feed import Feed
from portal.forward_auth import visits
from portal.forward_auth.proxied import COOKIE, Proxied, proxied
from store import Store

if TYPE_CHECKING:
    from engine.engine import Engine
    from portal.context import Context

PATH = "/forward-auth"
# Where the proxy sends a browser that has to come to the portal first; see pages.py.
START = "/.countersign/start"
# nginx takes 401 for no, and doesn't pass on a redirect.
NGINX = b"proxy=nginx"
# What is kept counts only if the feed was read through at most this long ago.
FRESH_SECONDS = 1.0
# How long the feed is still read after the last request.
IDLE_SECONDS = 60.0
MOST_KEPT = 100_000
EVENTS_AT_ONCE = 1000
EVERYTHING = Visibility(everything=True)
# Events about no request after which a yes may no longer hold.
RIGHTS = {"policy_applied", "signed_out", "token_ended"}
SIGN_IN = "A browser has to sign in and have access first: open this address in one."


@dataclass(frozen=True)
class Yes:
    """A cached yes: the proxy with this token may ask, or, with an `approval_id`, that grant lets a person pass.

    `version` is how far the feed was read before this was found.
    """

    version: int
    ends_at: float
    token_id: str
    approval_id: int = 0
    headers: Sequence[tuple[bytes, bytes]] = ()


class ForwardAuth:
    """Who may pass. `run` runs a transaction of the store."""

    def __init__(
        self, store: Store, engine: "Engine", feed: Feed, run: Callable[..., Awaitable[Any]], public_url: str
    ) -> None:
        self.store, self.feed, self.run, self.public_url = store, feed, run, public_url
        self._permitted = engine.application_sessions.permitted
        self._kept: dict[bytes, Yes] = {}
        # Up to which version events were looked at, each request's last event, and before which version no yes holds.
        self._through, self._changed, self._unsure = 0, dict[int, int](), 0
        self._used_at = -math.inf
        self._following: asyncio.Task[None] | None = None

    async def may_pass(self, asked: Proxied) -> Yes | None:
        """The yes for a request; None for a browser that has to sign in or ask. Raises NotAllowed, Unavailable."""
        if not (cookie := asked.cookie(COOKIE)):
            await self.gateway(asked)
            return None
        key = _key(asked, asked.host, asked.source_address, cookie)
        return self._known(key) or await self._find(key, asked, cookie)

    async def gateway(self, asked: Proxied) -> str:
        """The id of the proxy's token. Raises NotAllowed if it may not ask for this device at this host."""
        return (await self._proxy(asked)).token_id

    async def _proxy(self, asked: Proxied) -> Yes:
        """The yes for the proxy itself. From here on all work is done in the turn of its client; a proxy has many."""
        key = _key(asked, asked.name)
        found = self._known(key)
        if found is None:
            version = self.feed.read_through
            token = await self.run(visits.gateway, self.store, asked, self.public_url)
            found = self._keep(key, Yes(version, token.ends_at.timestamp() if token.ends_at else math.inf, token.id))
        WHOSE.set(f"address {asked.source_address}")
        return found

    def _known(self, key: bytes) -> Yes | None:
        now = asyncio.get_running_loop().time()
        self._follow(now)
        if now - self.feed.read_at > FRESH_SECONDS:
            return None
        self._look_at_changes()
        found = self._kept.get(key)
        if found is None:
            return None
        if found.ends_at > time.time() and found.version >= self._last_change(found):
            return found
        del self._kept[key]
        return None

    async def _find(self, key: bytes, asked: Proxied, cookie: str) -> Yes | None:
        version = self.feed.read_through
        by = await self._proxy(asked)
        ask = partial(visits.question, device=asked.device, source_address=asked.source_address)
        found = await self.run(self._permitted, cookie, asked.host, asked.source_address, ask)
        if found is None:
            return None
        who = {"remote-user": found.person, "remote-name": found.name, "remote-email": found.email}
        headers = [(name.encode(), value.encode()) for name, value in who.items()]
        headers.append((b"countersign-approval", b"%d" % found.approval_id))
        ends_at = min(by.ends_at, found.ends_at.timestamp())
        return self._keep(key, Yes(version, ends_at, by.token_id, found.approval_id, headers))

    def _keep(self, key: bytes, yes: Yes) -> Yes:
        while len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = yes
        return yes

    def _last_change(self, yes: Yes) -> int:
        return max(self._unsure, self._changed.get(yes.approval_id, 0))

    def _look_at_changes(self) -> None:
        while self._through != self.feed.read_through:
            found = self.feed.after(self._through, EVERYTHING, EVENTS_AT_ONCE)
            # A version goes back only if an older database was put in place of this one.
            went_back = self._through > self.feed.read_through
            if found is None or went_back or len(self._changed) > MOST_KEPT:
                self._through = self._unsure = self.feed.read_through
                self._changed.clear()
                self._kept.clear()
                return
            events, self._through = found
            for event in events:
                if event.approval_id is not None:
                    self._changed[event.approval_id] = event.version
                elif event.kind in RIGHTS:
                    self._unsure = event.version

    def _follow(self, now: float) -> None:
        """Have the feed read while proxies ask."""
        self._used_at = now
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._read_on())

    async def _read_on(self) -> None:
        async def nothing() -> None:
            pass

        while not self.feed.closed and asyncio.get_running_loop().time() - self._used_at < IDLE_SECONDS:
            await self.feed.first(nothing, lambda _: False, IDLE_SECONDS)


class ForwardAuthMiddleware:
    """Answers PATH, and passes on all else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self.app(scope, receive, send)
            return
        context: Context = scope["app"].state.context
        asked = None
        try:
            asked = proxied(scope["headers"])
            WHOSE.set(f"proxy {scope.get('state', {}).get(PEER, '')}")
            yes = await context.forward_auth.may_pass(asked)
        except CountersignError as error:
            await _refusal(asked, error)(scope, receive, send)
            return
        if yes is None:
            await _sign_in(asked, scope["query_string"])(scope, receive, send)
            return
        headers = [*yes.headers, (b"cookie", asked.others), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _key(asked: Proxied, *who: str) -> bytes:
    """The key that a yes is kept by; no header can hold the character between its parts."""
    parts = asked.token, asked.device, *who
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _refusal(asked: Proxied | None, error: CountersignError) -> ASGIApp:
    """A response that says what is wrong, for whoever set up the proxy."""
    if asked is not None and asked.wants_page:
        return PlainTextResponse(message_of(error), status_of(error))
    return problem(status_of(error), error.code, message_of(error))


def _sign_in(asked: Proxied, query: bytes) -> ASGIApp:
    """Lead a browser to sign in; tell a program that a browser has to."""
    if not asked.wants_page:
        challenge = {"WWW-Authenticate": 'Countersign realm="browsers"'}
        return problem(HTTPStatus.UNAUTHORIZED, ErrorCode.SIGN_IN_NEEDED, SIGN_IN, challenge)
    status = HTTPStatus.UNAUTHORIZED if query == NGINX else HTTPStatus.FOUND
    location = {"Location": f"{START}?to={quote(asked.path, safe='/')}", "Cache-Control": "no-store"}
    return PlainTextResponse("", status, location)
