"""The logins of this host that PAM asks about: who may come in.

For a login (sshd, login, xrdp) the portal is asked about the account's name and the address that the login comes from.
For `sudo` and `su` it is asked about the caller or, within a session here, about the person of the session, whichever
account they have become since.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from countersign.durations import duration_parser
from countersign.errors import BadQuestion, NotAllowed
from countersign.gates.access import Access, GateSession, Tell, Wanted
from countersign.gates.accounts import Accounts, account_named
from countersign.gates.limits import source_of
from countersign.gates.login_sessions import LoginSessions
from countersign.gates.pam import CALLERS
from countersign.gates.protocol import Message
from countersign.models import NO_BOOL, Id, Model, canonical_address
from countersign.question import read_as

# Each wait holds a process, and with sshd a connection that is not logged in yet (MaxStartups of sshd_config(5)).
MOST_WAITS_OF_ONE = 3
# For this long after the yes a session may begin with the grant that is known here: a portal that many ask at once may
# take longer to find it again than a login waits.
BEGINNING_SECONDS = 60.0
# Accounts of people begin here (UID_MIN of login.defs(5)).
ROOT, FIRST_PERSON = 0, 1000
PROTOCOLS = {"xrdp-sesman": "rdp"}
PAM, SSH = "pam", "ssh"
LONGEST_WAIT = timedelta(days=1)
LONGEST_NAME = 256

Item = Annotated[str, Field(max_length=LONGEST_NAME)]


class PamSection(Model):
    """The section `[pam]` of gate.toml: what this host is called, how long a login waits, who is not asked about."""

    device: Id
    wait: Annotated[timedelta, BeforeValidator(duration_parser("seconds", LONGEST_WAIT))] = timedelta(hours=1)
    exempt: list[Item] = []
    most_waits: Annotated[int, NO_BOOL, Field(ge=0)] = 256


class PamQuestion(Model):
    """What `countersign-gate pam` reports of a login. `pid` is the process that asks PAM, and leads the session later.

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


class HostLogin(NamedTuple):
    """What the portal is asked; `within` is the session here that the login is part of, whose grant is for the same."""

    wanted: Wanted
    within: GateSession | None = None


class HostLogins:
    """All logins of this host."""

    def __init__(self, access: Access, section: PamSection, grace: timedelta, folder: Path, accounts: Accounts) -> None:
        """`grace` and `folder` are for the sessions that logins become; see LoginSessions."""
        self._access, self._section, self._accounts = access, section, accounts
        self.sessions = LoginSessions(access, grace, folder, accounts)
        self._waits: Counter[str] = Counter()
        # Those whom PAM was told to let in, and who may begin their session next.
        self._let_in: set[GateSession] = set()

    def read(self, first: Message, uid: int) -> PamQuestion:
        """What PAM asks, through a program of account `uid`; raises BadQuestion, and NotAllowed for all but root."""
        if uid != ROOT:
            raise NotAllowed("Only root asks as PAM does.")
        return read_as(PamQuestion, first)

    async def admit(self, asked: PamQuestion, login: HostLogin, tell: Tell) -> GateSession:
        """Let somebody in, or begin their session. Raises CountersignError."""
        if asked.type == "open_session":
            return await self._begin(asked, login)
        if login.within and login.within.lasts:
            session = login.within.another(tell)
            # Closed at once: only the login's own session is followed, which PAM asks about next.
            session.close()
            return session
        with self._waiting(login.wanted) as may_wait:
            return await self._ask(login.wanted._replace(wait=may_wait), tell)

    async def _ask(self, wanted: Wanted, tell: Tell) -> GateSession:
        """Ask; a yes that comes at once is not shown, as `sudo` would mix it with what its command prints."""
        loop = asyncio.get_running_loop()
        shown: list[asyncio.Handle] = []

        def tell_soon(message: str) -> None:
            shown.append(loop.call_soon(tell, message))

        try:
            async with asyncio.timeout(self._section.wait.total_seconds() if wanted.wait else None):
                session = await self._access.ask(wanted, tell_soon)
        except TimeoutError:
            # Now ask without waiting: the request stays open, and the person is told so.
            session = await self._access.ask(wanted._replace(wait=False), tell_soon)
        if len(shown) == 1:
            shown[0].cancel()
        self._let_in.add(session)
        loop.call_later(BEGINNING_SECONDS, self._forget, session)
        return session

    async def _begin(self, asked: PamQuestion, login: HostLogin) -> GateSession:
        """Begin the session of somebody who was let in."""
        let_in = next((one for one in self._let_in if one.lasts and _is_same(one.wanted, login.wanted)), None)
        within = login.within or let_in
        begun = await self.sessions.begin(asked.pid, asked.user, asked.service, login.wanted, within)
        if within in self._let_in:
            self._forget(within)
        return begun

    def _forget(self, session: GateSession) -> None:
        """Forget somebody who was let in: they have begun their session, or took too long."""
        self._let_in.discard(session)
        session.close()

    # --- who it is ---------------------------------------------------------------------------------------------------

    async def identify(self, asked: PamQuestion) -> HostLogin | None:
        """What to ask the portal; None for somebody not asked about. Raises BadQuestion, Unavailable, OSError."""
        caller = asked.service in CALLERS
        around = await self.sessions.around(asked.pid) if caller else None
        person = around.person if around else asked.ruser if caller else asked.user
        if around is None and await self._is_let_in(person, caller):
            return None
        if not caller:
            # A directory may take other spellings of an account's name (SSSD).
            known = await self._accounts(partial(account_named, person))
            person = known.pw_name if known else person
        source_address = around.source_address if around else "" if caller else _address(asked.rhost)
        wanted = Wanted(person, self._section.device, PROTOCOLS.get(asked.service, SSH), source_address)
        granted = self.sessions.granted(around) if around else None
        within = granted if granted and _is_same(granted.wanted, wanted) and granted.lasts else None
        reason = f"{asked.service} on {self._section.device}"
        return HostLogin(wanted._replace(reason=reason, wait=asked.wait), within)

    async def _is_let_in(self, person: str, caller: bool) -> bool:
        """Whether they get in unchecked. Accounts are looked up only if needed, as their directory may hang."""
        if person in self._section.exempt or (caller and person == "root"):
            return True
        # Accounts of services use `sudo` and `su`, too, and aren't people.
        known = await self._accounts(partial(account_named, person)) if caller else None
        return known is not None and known.pw_uid < FIRST_PERSON

    @contextmanager
    def _waiting(self, wanted: Wanted) -> Iterator[bool]:
        """Count one more person who waits; yields whether they may wait."""
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


def _is_same(one: Wanted, other: Wanted) -> bool:
    """Whether they are the same person, device, protocol and source address."""
    return one._replace(reason=other.reason, wait=other.wait) == other


def _address(rhost: str) -> str:
    """The address somebody comes from; "" for the console. Names are refused: a DNS zone's owner can forge them."""
    try:
        return canonical_address(rhost)
    except ValueError:
        raise BadQuestion(
            "The source of the connection is known only by name, which proves nothing: set `UseDNS no` in sshd_config."
        ) from None
