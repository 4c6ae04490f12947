"""The sessions that PAM let in to this host: each ends with its grant, even after a restart of the service."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from countersign.errors import BadQuestion, CountersignError, Refused, Unavailable
from countersign.gates import processes
from countersign.gates.access import Access, GateSession, Wanted
from countersign.gates.accounts import Accounts, account_named
from countersign.gates.calls import Calls
from countersign.gates.feed import now
from countersign.gates.other_grants import LOOKING
from countersign.gates.sessions import HostSession, Sessions
from countersign.tasks import until_first
from countersign.times import duration

# How many look-ups of the session that a process runs in are made at once.
MOST_CALLS = 16
RETRY_SECONDS = 1.0
GRANT_ENDED = "The grant has ended."
# How often processes that were left in the background are searched for.
LOOK_SECONDS = 5.0
SESSIONS_FILE = "sessions"

log = logging.getLogger(__name__)


class LoginSessions:
    """All sessions of this host that PAM let in."""

    def __init__(self, access: Access, grace: timedelta, folder: Path, accounts: Accounts) -> None:
        """`grace`: how long sessions that an earlier service let in stay while the portal does not answer.

        The list of sessions is kept in `folder`.
        """
        self._access, self._grace, self._accounts = access, grace, accounts
        self._processes, self._calls = processes.Processes(), Calls(MOST_CALLS)
        self._telling: set[asyncio.Task[None]] = set()
        self._sessions = Sessions(folder / SESSIONS_FILE)
        # What permits each session, by its leader on this host.
        self._granted: dict[processes.Process, GateSession] = {}
        self._watches: set[asyncio.Task[None]] = set()

    def resume(self) -> None:
        """Go on with the sessions that the service before this one let in. Raises OSError and ValueError."""
        for session in self._sessions.read():
            self._start(session, None)

    async def close(self) -> None:
        """Stop watching; the sessions stay, and the next service goes on with them."""
        if self._watches:
            log.warning(
                "Sessions that PAM let in stay (%s), and nobody ends them until the service runs again.",
                len(self._watches),
            )
        tasks = self._watches | self._telling
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def around(self, pid: int) -> HostSession | None:
        """The session that a process runs in, if any. Raises Unavailable and OSError."""
        return await self._calls(partial(self._sessions.around, pid))

    def granted(self, session: HostSession) -> GateSession | None:
        """What permits a session, if that is known."""
        return self._granted.get(session.leader)

    async def begin(
        self, pid: int, account: str, service: str, wanted: Wanted, within: GateSession | None
    ) -> GateSession:
        """Begin the session that a process leads; it ends with its grant. Raises CountersignError.

        `within` is what permits it already, if anything does.
        """
        leader = processes.info_of(pid)
        if leader is None:
            raise BadQuestion("Whoever logs in has gone.")
        known = await self._accounts(partial(account_named, account))
        session = HostSession(
            leader=leader.process,
            login=leader.login,
            user=known.pw_uid if known else 0,
            service=service,
            person=wanted.person,
            device=wanted.device,
            protocol=wanted.protocol,
            source_address=wanted.source_address,
        )
        granted = await self._resume(session, within)
        if granted is None:
            raise Refused("The grant has ended meanwhile; log in again to ask for another one.")
        try:
            self._sessions.add(session)
        except OSError as error:
            granted.close()
            raise Unavailable(f"The session can't be kept on record ({error.strerror}), so it doesn't begin.") from None
        self._start(session, granted)
        return granted

    async def _resume(self, session: HostSession, within: GateSession | None = None) -> GateSession | None:
        """The session that an active grant permits, whose end is noted in `session`; None if there is no such grant.

        While `within` lasts, the portal is not asked: the session gets its grant, and `within` ends in time, too.
        """
        wanted = Wanted(session.person, session.device, session.protocol, session.source_address)
        granted: GateSession | None = None

        def tell(message: str) -> None:
            if granted and granted.ends_at != session.ends_at:  # it goes on by another grant
                session.ends_at = granted.ends_at
                self._sessions.keep()
            telling = asyncio.get_running_loop().create_task(self._tell(session, message))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

        granted = within.another(tell) if within and within.lasts else await self._access.resume(wanted, tell)
        if granted:
            session.ends_at = granted.ends_at
        return granted

    def _start(self, session: HostSession, granted: GateSession | None) -> None:
        watch = asyncio.get_running_loop().create_task(self._watch(session, granted))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)

    async def _watch(self, session: HostSession, granted: GateSession | None) -> None:
        """End a session when its grant ends, and forget it when it has ended by itself.

        Whatever fails is tried again, so that no session is left that nobody watches.
        """
        while True:
            try:
                return await self._until_over(session, granted)
            except Exception:
                log.exception("The session of %s by %s has to be watched anew.", session.person, session.service)
                granted = None
                await asyncio.sleep(RETRY_SECONDS)

    async def _until_over(self, session: HostSession, granted: GateSession | None) -> None:
        async with until_first(self._gone(session), self._over(session, granted)) as (gone, over):
            if gone.done():
                gone.result()
            else:
                await self._end(session, over.result())
            self._sessions.remove(session)

    async def _gone(self, session: HostSession) -> None:
        """Wait until a session has ended by itself, and nothing that was left in the background runs any more."""
        while True:
            try:
                await processes.end_of(session.leader)
                if not session.among(await self._processes.all()):
                    return
            except OSError as error:  # such as too many open files: it is tried again
                log.error("It can't be seen whether the session of %s goes on: %s", session.person, error)
            # All sessions at the same moments, so that the host's processes are read once for all.
            await asyncio.sleep(LOOK_SECONDS - asyncio.get_running_loop().time() % LOOK_SECONDS)

    async def _over(self, session: HostSession, granted: GateSession | None) -> str:
        """Wait until the session has to end; returns why."""
        try:
            granted = granted or await self._granted_again(session)
        except CountersignError as error:
            return str(error)
        self._granted[session.leader] = granted
        try:
            return await granted.ended()
        finally:
            granted.close()
            self._granted.pop(session.leader, None)

    async def _granted_again(self, session: HostSession) -> GateSession:
        """What permits a session that an earlier service let in; the error says why the session has to end.

        While the portal does not answer, the session stays for the grace period, but not past its grant's end.
        """
        away_at = now() + self._grace.total_seconds()
        # With time to look for another grant that may cover it.
        ends_at = (
            max(session.ends_at, datetime.now(UTC) + LOOKING) if session.ends_at else datetime.max.replace(tzinfo=UTC)
        )
        while True:
            try:
                # A slow portal keeps nobody in, either.
                async with asyncio.timeout((ends_at - datetime.now(UTC)).total_seconds()):
                    granted = await self._resume(session)
                if granted is None:
                    raise Refused(GRANT_ENDED)
                self._sessions.keep()
                return granted
            except (Unavailable, TimeoutError) as error:
                if datetime.now(UTC) >= ends_at:
                    raise Refused(GRANT_ENDED) from None
                if now() >= away_at:
                    raise Unavailable(f"The portal has not answered for {duration(self._grace)}: {error}") from None
            await asyncio.sleep(RETRY_SECONDS)

    async def _end(self, session: HostSession, why: str) -> None:
        log.info("The session of %s by %s ends: %s", session.person, session.service, why)
        await self._tell(session, f"This session ends now. {why}")
        while not await self._is_ended(session):
            log.error("Processes of the session of %s could not be ended; it is tried again.", session.person)
            await asyncio.sleep(RETRY_SECONDS)

    async def _is_ended(self, session: HostSession) -> bool:
        try:
            return await self._processes.end_session(session.leader, session.login, session.user)
        except OSError as error:
            log.error("The processes of a session can't be looked at: %s", error)
            return False

    async def _tell(self, session: HostSession, message: str) -> None:
        try:
            processes.write_to_terminals(session.among(await self._processes.all()), message)
        except OSError as error:
            log.error("A session of %s could not be told: %s (%s)", session.person, message, error)
