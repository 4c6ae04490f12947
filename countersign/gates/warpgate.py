"""The gate for Warpgate: has Countersign decide the sessions that Warpgate holds until an administrator approves them.

It follows Warpgate's published API (session approvals, version 0.29 and later), and was not tried on a real server.
"""

import asyncio
import logging
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from ssl import create_default_context
from typing import Annotated, Any, NoReturn
from urllib.parse import quote, urlsplit

import httpx
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from countersign.errors import CountersignError, Unavailable
from countersign.gates.access import Access, Session, Wanted
from countersign.gates.calls import Calls
from countersign.http import is_loopback
from countersign.models import Id, Model

API = "/@warpgate/admin/api/"
TOKEN_HEADER = "X-Warpgate-Token"  # noqa: S105 - the name of the header
LOOK_SECONDS = 1.0
ANSWER_SECONDS = 10.0
# What was not done is tried again so soon.
AGAIN_SECONDS = 0.5
MOST_CALLS = 16
MOST_SESSIONS = 10_000

log = logging.getLogger(__name__)


def _is_safe(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))):
        raise ValueError("must be an https:// address: Warpgate's token goes there")
    return url.rstrip("/")


class WarpgateSection(Model):
    """The section `[warpgate]` of gate.toml. `targets`: the names of Warpgate's targets, each with its device."""

    enabled: bool = False
    url: Annotated[str, AfterValidator(_is_safe)]
    token_file: Path
    targets: Annotated[dict[str, Id], Field(min_length=1)]
    ca_file: Path | None = None


class Held(Model):
    """A session that Warpgate holds (SessionApprovalItem); `address` is where its person comes from."""

    id: str
    protocol: str
    username: str
    target: str
    address: str | None = None

    def wanted(self, device: str) -> Wanted:
        """What its person wants, of a device."""
        return Wanted(self.username, device, self.protocol.lower(), _host(self.address or ""))


class WarpgateGate:
    """Asks for each held session, approves or rejects it there, and closes it when its grant is over."""

    def __init__(self, section: WarpgateSection, access: Access, token: str) -> None:
        self._section, self._access = section, access
        verify = create_default_context(cafile=section.ca_file) if section.ca_file else True
        self._http = httpx.Client(
            base_url=section.url + API, headers={TOKEN_HEADER: token}, timeout=ANSWER_SECONDS, verify=verify,
            trust_env=False,
        )  # fmt: skip
        self._calls = Calls(MOST_CALLS)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._let_in: set[str] = set()
        self._told = ""

    async def run(self) -> NoReturn:
        """Follow what Warpgate holds until this is cancelled; then close what it let in."""
        is_first = True
        try:
            while True:
                try:
                    held = await self._held()
                    if is_first:
                        await self._close_unknown({one.id for one in held})
                    is_first = False
                    self._follow(held)
                    self._tell("")
                except (httpx.HTTPError, ValueError) as error:
                    self._tell(
                        f"Warpgate gave no good answer ({type(error).__name__}); nobody is let in there meanwhile."
                    )
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for task in self._tasks.values():
                task.cancel()
            # In a thread, which ends its work though this is cancelled once more.
            await asyncio.to_thread(self._close_all)

    # --- what Warpgate holds -----------------------------------------------------------------------------------------

    def _follow(self, held: list[Held]) -> None:
        """Ask for what is new, and ask no more for what is gone."""
        ids = {one.id for one in held}
        for gone in [one for one in self._tasks if one not in ids and one not in self._let_in]:
            self._tasks[gone].cancel()
        for one in held:
            if one.id not in self._tasks:
                task = self._tasks[one.id] = asyncio.create_task(self._serve(one))
                task.add_done_callback(partial(self._forget, one.id))

    def _forget(self, session_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(session_id, None)
        if not task.cancelled() and (error := task.exception()):
            log.error("A session of Warpgate could not be served: %s", error)

    async def _serve(self, held: Held) -> None:
        session = await self._asked(held)
        if session is None:
            return
        # From here on it may be open there, whatever becomes of the call.
        self._let_in.add(held.id)
        try:
            await self._approve(held, session)
        finally:
            session.close()
        await self._close(held.id)
        self._let_in.discard(held.id)

    async def _asked(self, held: Held) -> Session | None:
        """The session that a grant permits; None where the answer is no, and Warpgate was told so."""
        try:
            wanted = held.wanted(self._section.targets[held.target])
            return await self._access.ask(wanted, partial(log.info, "%s at Warpgate: %s", held.username))
        except Unavailable as error:
            log.warning("%s at Warpgate waits: %s", held.username, error)
        except CountersignError as error:
            log.info("%s at Warpgate is refused: %s", held.username, error)
            await self._insist(f"session-approvals/{quote(held.id, safe='')}/reject", httpx.codes.OK)
        return None

    async def _approve(self, held: Held, session: Session) -> None:
        """Let it in there, and wait until it is over here or there."""
        path = f"session-approvals/{quote(held.id, safe='')}/approve"
        try:
            reply = await self._post(path, scope="Once")
        except httpx.HTTPError as error:
            log.warning("#%s could not be approved at Warpgate (%s): it is closed.", session.approval_id, error)
            return
        if reply.status_code != httpx.codes.OK:
            log.info("#%s was gone at Warpgate before it was approved.", session.approval_id)
            return
        over = asyncio.create_task(session.ended())
        try:
            while not over.done() and await self._is_open(held.id):
                await asyncio.wait({over}, timeout=LOOK_SECONDS)
        finally:
            over.cancel()

    # --- what it let in ----------------------------------------------------------------------------------------------

    async def _is_open(self, session_id: str) -> bool:
        """Whether a session is open there, or may be, as Warpgate does not answer."""
        try:
            reply = await self._get(f"sessions/{quote(session_id, safe='')}")
            return reply.status_code != httpx.codes.NOT_FOUND and not (reply.is_success and reply.json().get("ended"))
        except (httpx.HTTPError, ValueError):
            return True

    async def _close(self, session_id: str) -> None:
        await self._insist(f"sessions/{quote(session_id, safe='')}/close", httpx.codes.CREATED)

    async def _insist(self, path: str, done: int) -> None:
        """Have something done there, however long that takes; what is gone needs it no more."""
        while True:
            try:
                status = (await self._post(path)).status_code
                if status in (done, httpx.codes.NOT_FOUND):
                    return
                why = f"status {status}"
            except httpx.HTTPError as error:
                why = type(error).__name__
            log.warning("Warpgate did not do what it was told (%s); it is told again.", why)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _close_unknown(self, held: set[str]) -> None:
        """Close what was let in before this started: nothing is known of its grants any more."""
        reply = await self._get("sessions", active_only="true", limit=str(MOST_SESSIONS))
        reply.raise_for_status()
        for session in reply.json()["items"]:
            if session["id"] not in held and _targets(session) & self._section.targets.keys():
                log.info(
                    "A session of %s that was open at Warpgate before the gate started is closed.", session["username"]
                )
                await self._close(session["id"])

    def _close_all(self) -> None:
        for session_id in self._let_in:
            try:
                self._http.post(f"sessions/{quote(session_id, safe='')}/close")
            except httpx.HTTPError as error:
                log.error("A session stays open at Warpgate (%s): close it there.", type(error).__name__)
        self._http.close()

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _held(self) -> list[Held]:
        """The held sessions for the targets that are ours."""
        reply = await self._get("session-approvals")
        reply.raise_for_status()
        try:
            held = TypeAdapter(list[Held]).validate_python(reply.json(), extra="ignore")
        except ValidationError:
            raise ValueError("it is no list of session approvals") from None
        return [one for one in held if one.target in self._section.targets]

    async def _get(self, path: str, **params: str) -> httpx.Response:
        return await self._calls(partial(self._http.get, path, params=params))

    async def _post(self, path: str, **params: str) -> httpx.Response:
        return await self._calls(partial(self._http.post, path, params=params))

    def _tell(self, message: str) -> None:
        if message and message != self._told:
            log.warning(message)
        self._told = message


def _host(address: str) -> str:
    """An address without its port: `192.0.2.7:50000`, `[2001:db8::7]:50000`, or alone."""
    try:
        return str(ip_address(address))
    except ValueError:
        return address.rpartition(":")[0].strip("[]")


def _targets(session: dict[str, Any]) -> set[str]:
    """The names of the targets of a session as a list of Warpgate's shows it, by this version or one before."""
    of = [session, *session.get("target_sessions", [])]
    return {one["target"]["name"] for one in of if isinstance(one.get("target"), dict)}
