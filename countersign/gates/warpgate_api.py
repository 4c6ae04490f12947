"""Warpgate's published API, as far as the gate needs it (version 0.29 and later). Whatever it answers is checked."""

import asyncio
import json
from http import HTTPStatus
from pathlib import Path
from ssl import create_default_context
from typing import Annotated, Any, NamedTuple, TypeVar

import httpx
from pydantic import Field, TypeAdapter, ValidationError

from countersign.errors import Unavailable
from countersign.models import Model

API = "/@warpgate/admin/api/"
TOKEN_HEADER = "X-Warpgate-Token"  # noqa: S105 - the name of the header
# How long a whole answer may take, so that one that comes byte by byte counts as none.
ANSWER_SECONDS = 10.0
LARGEST_ANSWER_BYTES = 16 * 1024 * 1024
MOST_CONNECTIONS = 64
PAGE, MOST_PAGES = 1000, 200

# It is part of URLs.
SessionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
T = TypeVar("T")


class HeldSession(Model, frozen=True):
    """A session that Warpgate holds (SessionApprovalItem); `address` is where its person comes from."""

    id: SessionId
    protocol: str
    username: str
    target: str
    address: str | None = None


class Target(Model):
    """What a session is connected to."""

    name: str


class TargetSession(Model):
    """One of the connections of a session."""

    target: Target | None = None


class Listed(TargetSession):
    """A session, held or open, as lists show it; its targets are named as in this version or in an earlier one."""

    id: SessionId
    target_sessions: list[TargetSession] = []

    @property
    def targets(self) -> set[str]:
        """The names of its targets."""
        return {one.target.name for one in (self, *self.target_sessions) if one.target}


class Page(Model):
    """A part of the list of sessions."""

    items: list[Listed]
    total: int


class Reply(NamedTuple):
    """An answer; `json` is None if the body wasn't JSON."""

    status: int
    json: Any


class Warpgate:
    """A Warpgate. All calls raise Unavailable if there is no good answer."""

    def __init__(self, url: str, token: str, ca_file: Path | None) -> None:
        """`ca_file`: the certificate of the authority that is trusted, if it is not one of the system's."""
        self._http = httpx.AsyncClient(
            base_url=url + API,
            headers={TOKEN_HEADER: token},
            timeout=ANSWER_SECONDS,
            verify=create_default_context(cafile=ca_file) if ca_file else True,
            limits=httpx.Limits(max_connections=MOST_CONNECTIONS),
            trust_env=False,
        )

    async def held(self) -> list[HeldSession]:
        """The sessions that are held."""
        held = self._read(list[HeldSession], await self._send("GET", "session-approvals"))
        if len({one.id for one in held}) < len(held):
            raise Unavailable("it holds two sessions of one id")
        return held

    async def sessions(self) -> list[Listed]:
        """All sessions, held and open.

        The newest come first, so the others move forward when some end meanwhile. Each page therefore begins in the
        middle of the one before; if it doesn't, sessions may have been missed, and all are read again.
        """
        found: dict[str, Listed] = {}
        offset = 0
        for _ in range(MOST_PAGES):
            params = {"active_only": "true", "offset": str(offset), "limit": str(PAGE)}
            page = self._read(Page, await self._send("GET", "sessions", params))
            if offset and not (page.items and page.items[0].id in found):
                found, offset = {}, 0
                continue
            if page.total and not page.items:
                raise Unavailable("its list of sessions lacks what it counts")
            found |= {one.id: one for one in page.items}
            if offset + len(page.items) >= page.total:
                return list(found.values())
            offset += (len(page.items) + 1) // 2
        raise Unavailable("its sessions are too many, or end too fast, for its list to be read")

    async def approve(self, session_id: str) -> None:
        """Let a session in, this once. Unavailable also if it is no longer held."""
        self._must_be_done(await self._send("POST", f"session-approvals/{session_id}/approve", {"scope": "Once"}))

    async def reject(self, session_id: str) -> None:
        """End a held session; one that is gone counts as ended."""
        await self._have_ended(f"session-approvals/{session_id}/reject")

    async def close(self, session_id: str) -> None:
        """End an open session; one that is gone counts as ended."""
        await self._have_ended(f"sessions/{session_id}/close")

    async def end(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _have_ended(self, path: str) -> None:
        reply = await self._answer(path)
        if reply.status != HTTPStatus.NOT_FOUND:
            self._must_be_done(reply)

    async def _answer(self, path: str) -> Reply:
        """What Warpgate itself answers to a POST; a proxy whose Warpgate is away answers 404 to everything.

        So after a 404 the POST is sent once more, when Warpgate has shown that it answers.
        """
        reply = await self._send("POST", path)
        if reply.status != HTTPStatus.NOT_FOUND:
            return reply
        await self.held()
        return await self._send("POST", path)

    def _must_be_done(self, reply: Reply) -> None:
        if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            raise Unavailable(f"status {reply.status}")

    def _read(self, shape: type[T], reply: Reply) -> T:
        self._must_be_done(reply)
        try:
            return TypeAdapter(shape).validate_python(reply.json, extra="ignore")
        except ValidationError:
            raise Unavailable("it is not what Warpgate's API says") from None

    async def _send(self, method: str, path: str, params: dict[str, str] | None = None) -> Reply:
        body = bytearray()
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._http.stream(method, path, params=params) as response:
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > LARGEST_ANSWER_BYTES:
                        raise Unavailable(f"more than {LARGEST_ANSWER_BYTES} bytes")
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unavailable(type(error).__name__) from None
        try:
            return Reply(response.status_code, json.loads(body))
        except (ValueError, RecursionError):
            return Reply(response.status_code, None)
