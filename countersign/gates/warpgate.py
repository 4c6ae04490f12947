"""The gate for Warpgate: has Countersign decide the sessions that Warpgate holds until an administrator approves them.

It follows Warpgate's published API, and was not tried on a real server.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from countersign.errors import CountersignError, Unavailable
from countersign.gates.access import LIMITS_OF_A_PERSON, Access, GateSession, Wanted
from countersign.gates.warpgate_api import HeldSession, Listed, Warpgate
from countersign.http import is_loopback
from countersign.models import Id, Model
from countersign.tasks import first_of

LOOK_SECONDS = 1.0
# Sessions that are over at Warpgate hold up nobody: they are looked for less often, in one list for all.
LEFT_SECONDS = 10.0
# How long a held session waits until it is asked about again if the portal refuses the gate, as for a token that has
# ended.
ASK_AGAIN_SECONDS = 20.0
# How soon a failed call is tried again.
AGAIN_SECONDS = 0.5
# How long it takes at the end to close what is open.
CLOSING_SECONDS = 5.0

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


class WarpgateGate:
    """Asks for each held session, approves or rejects it there, and closes it when its grant is over."""

    def __init__(self, section: WarpgateSection, access: Access, token: str) -> None:
        self._targets, self._access = section.targets, access
        self._warpgate = Warpgate(section.url, token, section.ca_file)
        self._tasks: dict[HeldSession, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        # The sessions that were let in, each with an event that is set when it is over at Warpgate.
        self._let_in: dict[str, asyncio.Event] = {}
        # The sessions that were dealt with since the last look began: what it shows of them is out of date.
        self._settled: set[str] = set()
        self._logged = ""

    async def run(self) -> NoReturn:
        """Follow what Warpgate holds until this is cancelled; then close what it let in."""
        is_first = True
        looking = _started(self._look_for_left(), lambda _: None)
        try:
            while True:
                try:
                    # Read before the held sessions: one that comes in between is then held, and does not seem let in.
                    unknown = await self._warpgate.sessions() if is_first else []
                    self._settled.clear()
                    held = await self._warpgate.held()
                    self._close_unknown(unknown, {one.id for one in held})
                    is_first = False
                    self._follow({one for one in held if one.target in self._targets})
                    self._tell("")
                except Unavailable as error:
                    self._tell(f"Warpgate gave no good answer ({error}); nobody is let in there meanwhile.")
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            looking.cancel()
            await self._end()

    # --- what Warpgate holds -----------------------------------------------------------------------------------------

    def _follow(self, held: set[HeldSession]) -> None:
        """Ask about new sessions, and stop asking about those that have ended, or are somebody else's now."""
        for gone in [one for one in self._tasks if one not in held and one.id not in self._let_in]:
            self._tasks[gone].cancel()
        busy = self._settled | {one.id for one in self._tasks}
        for one in held:
            if one.id not in busy:
                self._tasks[one] = _started(self._serve(one), partial(self._forget, one))

    def _forget(self, held: HeldSession, _: object) -> None:
        del self._tasks[held]
        self._settled.add(held.id)

    async def _serve(self, held: HeldSession) -> None:
        session = await self._asked(held)
        if session is None:
            return
        # From here on it may be open there, even if the call fails.
        left = self._let_in[held.id] = asyncio.Event()
        try:
            await self._warpgate.approve(held.id)
            await first_of(session.ended(), left.wait())
        except Unavailable as error:
            log.warning("#%s could not be approved at Warpgate (%s): it is closed.", session.approval_id, error)
        finally:
            session.close()
            await self._close(held.id)
            del self._let_in[held.id]

    async def _asked(self, held: HeldSession) -> GateSession | None:
        """The session that a grant permits; None after a no, which Warpgate was told, or without an answer."""
        try:
            wanted = _wanted(held, self._targets[held.target])
            return await self._access.ask(wanted, partial(log.info, "%r at Warpgate: %s", held.username))
        except CountersignError as error:
            if isinstance(error, Unavailable) and error.code not in LIMITS_OF_A_PERSON:
                log.warning("%r at Warpgate waits: %s", held.username, error)
                await asyncio.sleep(ASK_AGAIN_SECONDS)
            else:
                log.info("%r at Warpgate is refused: %s", held.username, error)
                await _insist(partial(self._warpgate.reject, held.id))
        return None

    # --- what is open ------------------------------------------------------------------------------------------------

    async def _look_for_left(self) -> NoReturn:
        """Find the sessions that are over at Warpgate, in one list for all."""
        while True:
            await asyncio.sleep(LEFT_SECONDS)
            # The list may be too old for those that are let in while it is read.
            if let_in := dict(self._let_in):
                try:
                    listed = {one.id for one in await self._warpgate.sessions()}
                except Unavailable:  # `run` says so
                    continue
                for session_id in let_in.keys() - listed:
                    let_in[session_id].set()

    async def _close(self, session_id: str) -> None:
        await _insist(partial(self._warpgate.close, session_id))

    def _close_unknown(self, sessions: Iterable[Listed], held: set[str]) -> None:
        """Close what was let in before this started: nothing is known of its grants any more."""
        for session in sessions:
            if session.id not in held and session.targets & self._targets.keys():
                log.info("A session that was open at Warpgate before the gate started is closed: %s.", session.id)
                self._closing.add(_started(self._close(session.id), self._closing.discard))

    async def _end(self) -> None:
        """Stop asking, and close what was let in; its sessions end with the service."""
        for held, task in self._tasks.items():
            if held.id not in self._let_in:
                task.cancel()
        if left := {*self._tasks.values(), *self._closing}:
            _, left = await asyncio.wait(left, timeout=CLOSING_SECONDS)
        if left:
            log.error("Warpgate did not close %s sessions; they may stay open: close them there.", len(left))
        await self._warpgate.end()

    def _tell(self, message: str) -> None:
        if message and message != self._logged:
            log.warning(message)
        self._logged = message


async def _insist(do: Callable[[], Awaitable[None]]) -> None:
    """Have Warpgate do something, however long that takes."""
    logged = ""
    while True:
        try:
            return await do()
        except Unavailable as error:
            if str(error) != logged:
                logged = str(error)
                log.warning("Warpgate did not do what it was told (%s); it is told again until it does.", logged)
        await asyncio.sleep(AGAIN_SECONDS)


def _started(work: Coroutine[None, None, None], done: Callable[[asyncio.Task[None]], object]) -> asyncio.Task[None]:
    """Start a task; an error in it ends nothing else."""

    def ended(task: asyncio.Task[None]) -> None:
        done(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("A session of Warpgate could not be served: %s", error)

    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    return task


def _wanted(held: HeldSession, device: str) -> Wanted:
    """What the person of a held session wants, of a device."""
    return Wanted(held.username, device, held.protocol.lower(), host_of(held.address or ""))


def host_of(address: str) -> str:
    """An address without its port: `192.0.2.7:50000`, `[2001:db8::7]:50000`, or alone."""
    try:
        return str(ip_address(address))
    except ValueError:
        host, _, port = address.rpartition(":")
        # Text that isn't an address is kept, so that the question is refused: without an address, a grant for any
        # address would let the session in.
        return (host or port).strip("[]")
