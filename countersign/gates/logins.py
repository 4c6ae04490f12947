"""The logins of this host that PAM asks about: who may come in, and that they leave when their grant ends.

Whoever logs in (sshd, login, xrdp) is asked about by their account's name, with the address they come from. With `sudo`
and `su` it is who calls, and within a session here its person, whichever account they have become since.
"""

import asyncio
import logging
import pwd
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from countersign.durations import reads
from countersign.errors import BadQuestion, CountersignError, NotAllowed, Refused, Unavailable
from countersign.gates import processes
from countersign.gates.access import Access, Session, Wanted
from countersign.gates.accounts import Accounts
from countersign.gates.calls import Calls
from countersign.gates.feed import now
from countersign.gates.limits import source_of
from countersign.gates.other_grants import LOOKING
from countersign.gates.pam import CALLERS
from countersign.gates.protocol import Message
from countersign.gates.sessions import HostSession, Sessions
from countersign.models import NO_BOOL, Id, Model, canonical_address
from countersign.question import read_as
from countersign.times import duration

# Each wait holds a process, and with sshd a connection that is not logged in yet (MaxStartups of sshd_config(5)).
MOST_WAITS_OF_ONE = 3
# For sessions that processes run in, at once.
MOST_LOOKS = 16
RETRY_SECONDS = 1.0
# For so long after the yes a session begins by the grant as it is known here: a portal that many ask at once may take
# longer to find it again than a login waits.
BEGINNING_SECONDS = 60.0
GRANT_ENDED = "The grant has ended."
# How often it is looked for what was left in the background.
LOOK_SECONDS = 5.0
# Accounts of people begin here (UID_MIN of login.defs(5)).
ROOT, FIRST_PERSON = 0, 1000
PROTOCOLS = {"xrdp-sesman": "rdp"}
PAM, SSH = "pam", "ssh"
SESSIONS_FILE = "sessions"
LONGEST_WAIT = timedelta(days=1)
LONGEST_NAME = 256

Tell = Callable[[str], None]
Item = Annotated[str, Field(max_length=LONGEST_NAME)]

log = logging.getLogger(__name__)


class PamSection(Model):
    """The section `[pam]` of gate.toml: what this host is called, how long a login waits, who is not asked about."""

    device: Id
    wait: Annotated[timedelta, BeforeValidator(reads("seconds", LONGEST_WAIT))] = timedelta(hours=1)
    exempt: list[Item] = []
    most_waits: Annotated[int, NO_BOOL, Field(ge=0)] = 256


class PamQuestion(Model):
    """What `countersign-gate pam` says of a login. `pid` is the process that asks PAM, which leads the session then.

    `rhost`, `ruser` and `tty` are PAM's items, "" where they are not set; `wait`: whether the person can be shown text.
    """

    gate: Literal["pam"]
    type: Literal["account", "open_session"]
    service: Item
    user: Item
    ruser: Item = ""
    rhost: Item = ""
    tty: Item = ""
    pid: Annotated[int, Field(gt=1)]
    wait: bool = False


class Login(NamedTuple):
    """What is asked of the portal; `within`: the session here that it is part of, whose grant is for the same."""

    wanted: Wanted
    within: Session | None = None


class Logins:
    """All logins of this host."""

    def __init__(self, access: Access, section: PamSection, grace: timedelta, folder: Path, accounts: Accounts) -> None:
        """`grace`: how long sessions that a service before this one let in stay while the portal does not answer.

        The list of sessions is kept in `folder`.
        """
        self._access, self._section, self._grace, self._accounts = access, section, grace, accounts
        self._processes, self._looks = processes.Processes(), Calls(MOST_LOOKS)
        self._telling: set[asyncio.Task[None]] = set()
        self._sessions = Sessions(folder / SESSIONS_FILE)
        # What permits each session, by its leader on this host.
        self._granted: dict[processes.Process, Session] = {}
        self._waits: Counter[str] = Counter()
        self._watches: set[asyncio.Task[None]] = set()
        # Those whom PAM was told to let in, and who may begin their session next.
        self._let_in: set[Session] = set()

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

    def read(self, first: Message, uid: int) -> PamQuestion:
        """What PAM asks, by a program of this account's; raises BadQuestion, and NotAllowed for all but root."""
        if uid != ROOT:
            raise NotAllowed("Only root asks as PAM does.")
        return read_as(PamQuestion, first)

    async def admit(self, asked: PamQuestion, login: Login, tell: Tell) -> Session:
        """Let somebody in, or their session begin. Raises CountersignError."""
        if asked.type == "open_session":
            return await self._open(asked, login)
        if login.within and login.within.lasts:
            session = login.within.another(tell)
            # Over at once: what is followed is the login's own session, which PAM asks about next.
            session.close()
            return session
        with self._waiting(login.wanted) as may_wait:
            return await self._ask(login.wanted._replace(wait=may_wait), tell)

    async def _ask(self, wanted: Wanted, tell: Tell) -> Session:
        """Ask; a yes that comes at once is not told, lest `sudo` mixes it with what its command prints."""
        loop = asyncio.get_running_loop()
        told: list[asyncio.Handle] = []

        def tell_soon(message: str) -> None:
            told.append(loop.call_soon(tell, message))

        try:
            async with asyncio.timeout(self._section.wait.total_seconds() if wanted.wait else None):
                session = await self._access.ask(wanted, tell_soon)
        except TimeoutError:
            # As who does not wait: the request stays open, and they are told so.
            session = await self._access.ask(wanted._replace(wait=False), tell_soon)
        if len(told) == 1:
            told[0].cancel()
        self._let_in.add(session)
        loop.call_later(BEGINNING_SECONDS, self._forget, session)
        return session

    def _forget(self, session: Session) -> None:
        """Whoever was let in has begun their session, or had their time to."""
        self._let_in.discard(session)
        session.close()

    # --- who it is ---------------------------------------------------------------------------------------------------

    async def login(self, asked: PamQuestion) -> Login | None:
        """What is asked of the portal; None for who is not asked about. Raises BadQuestion, Unavailable and OSError."""
        caller = asked.service in CALLERS
        around = await self._looks(partial(self._sessions.around, asked.pid)) if caller else None
        person = around.person if around else asked.ruser if caller else asked.user
        if around is None and await self._is_let_in(person, caller):
            return None
        if not caller:
            person = await self._accounts(partial(_name_of, person))
        source_address = around.source_address if around else "" if caller else _address(asked.rhost)
        wanted = Wanted(person, self._section.device, PROTOCOLS.get(asked.service, SSH), source_address)
        granted = self._granted.get(around.leader) if around else None
        within = granted if granted and _is_same(granted.wanted, wanted) and granted.lasts else None
        reason = f"{asked.service} on {self._section.device}"
        return Login(wanted._replace(reason=reason, wait=asked.wait), within)

    async def _is_let_in(self, person: str, caller: bool) -> bool:
        """Whether nobody is asked about them. A directory of accounts that hangs is only asked where it has to be."""
        if person in self._section.exempt or (caller and person == "root"):
            return True
        return caller and await self._accounts(partial(_is_system_account, person))

    @contextmanager
    def _waiting(self, wanted: Wanted) -> Iterator[bool]:
        """Count one more who waits; yields whether they may."""
        source = source_of(wanted.source_address) or wanted.person
        may_wait = (
            wanted.wait and self._waits.total() < self._section.most_waits and self._waits[source] < MOST_WAITS_OF_ONE
        )
        if not may_wait:
            yield False
            return
        self._waits[source] += 1
        try:
            yield True
        finally:
            self._waits[source] -= 1
            self._waits += Counter()  # forget who does not wait any more

    # --- sessions ----------------------------------------------------------------------------------------------------

    async def _open(self, asked: PamQuestion, login: Login) -> Session:
        """Have a session begin, which ends with its grant."""
        wanted = login.wanted
        leader = processes.look(asked.pid)
        if leader is None:
            raise BadQuestion("Whoever logs in has gone.")
        session = HostSession(
            leader=leader.process,
            login=leader.login,
            user=await self._accounts(partial(_user, asked.user)),
            service=asked.service,
            person=wanted.person,
            device=wanted.device,
            protocol=wanted.protocol,
            source_address=wanted.source_address,
        )
        let_in = login.within or self._let_in_before(wanted)
        granted = await self._resume(session, let_in)
        if let_in and let_in in self._let_in:
            self._forget(let_in)
        if granted is None:
            raise Refused("The grant has ended meanwhile; log in again to ask for another one.")
        try:
            self._sessions.add(session)
        except OSError as error:
            granted.close()
            raise Unavailable(f"The session can't be kept on record ({error.strerror}), so it doesn't begin.") from None
        self._start(session, granted)
        return granted

    def _let_in_before(self, wanted: Wanted) -> Session | None:
        """What somebody was let in by a moment ago, who begins their session now."""
        return next((one for one in self._let_in if one.lasts and _is_same(one.wanted, wanted)), None)

    async def _resume(self, session: HostSession, within: Session | None = None) -> Session | None:
        """The session by a grant that lasts now, whose end is put on record; None where there is none.

        The portal is not asked where a session lasts that it is `within`, or was let in by: that one ends in time, too.
        """
        wanted = Wanted(session.person, session.device, session.protocol, session.source_address)
        granted: Session | None = None

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

    def _start(self, session: HostSession, granted: Session | None) -> None:
        watch = asyncio.get_running_loop().create_task(self._watch(session, granted))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)

    async def _watch(self, session: HostSession, granted: Session | None) -> None:
        """End a session when its grant ends, and forget it when it has ended by itself.

        Whatever fails meanwhile is tried again: there is no session that nobody watches.
        """
        while True:
            try:
                return await self._until_over(session, granted)
            except Exception:
                log.exception("The session of %s by %s has to be watched anew.", session.person, session.service)
                granted = None
                await asyncio.sleep(RETRY_SECONDS)

    async def _until_over(self, session: HostSession, granted: Session | None) -> None:
        gone = asyncio.ensure_future(self._gone(session))
        over = asyncio.ensure_future(self._over(session, granted))
        try:
            await asyncio.wait({gone, over}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                gone.result()
            else:
                await self._end(session, over.result())
            self._sessions.remove(session)
        finally:
            gone.cancel()
            over.cancel()

    async def _gone(self, session: HostSession) -> None:
        """Wait until a session has ended by itself, and nothing that was left in the background runs any more."""
        while True:
            try:
                await processes.end_of(session.leader)
                if not session.among(await self._processes.look()):
                    return
            except OSError as error:  # as where no file can be opened any more: it is tried again
                log.error("It can't be seen whether the session of %s goes on: %s", session.person, error)
            # All sessions at the same moments, so that one look at the host's processes is for all.
            await asyncio.sleep(LOOK_SECONDS - asyncio.get_running_loop().time() % LOOK_SECONDS)

    async def _over(self, session: HostSession, granted: Session | None) -> str:
        """Wait until the session has to end; why it has."""
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

    async def _granted_again(self, session: HostSession) -> Session:
        """What permits a session that a service before this one let in; the error says why it has to end.

        While the portal does not answer it stays for the grace, and not past its grant's end.
        """
        away_at = now() + self._grace.total_seconds()
        # Another grant may cover it.
        ends_at = (
            max(session.ends_at, datetime.now(UTC) + LOOKING) if session.ends_at else datetime.max.replace(tzinfo=UTC)
        )
        while True:
            try:
                # A portal that takes its time keeps nobody in either.
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
            processes.write_to_terminals(session.among(await self._processes.look()), message)
        except OSError as error:
            log.error("A session of %s could not be told: %s (%s)", session.person, message, error)


def _is_same(one: Wanted, other: Wanted) -> bool:
    """Whether they are the same person, device, protocol and source address."""
    return one._replace(reason=other.reason, wait=other.wait) == other


def _address(rhost: str) -> str:
    """The address that somebody comes from; "" for this host's console. A name is anybody's who owns its DNS zone."""
    try:
        return canonical_address(rhost)
    except ValueError:
        raise BadQuestion(
            "Where the connection comes from is known by a name alone, which proves nothing: set `UseDNS no` in "
            "sshd_config."
        ) from None


def _user(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return 0


def _name_of(name: str) -> str:
    """What the account is called that somebody logs in to: a directory may take other spellings of it (SSSD)."""
    try:
        return pwd.getpwnam(name).pw_name
    except KeyError:
        return name


def _is_system_account(name: str) -> bool:
    """Whether it is root, or the account of a service: these use `sudo` and `su`, too, and are no people."""
    try:
        return pwd.getpwnam(name).pw_uid < FIRST_PERSON
    except KeyError:
        return False
