"""Signing in with a browser, by a link that is mailed or by a provider, and the session that begins then.

A link works once, for a short time, and only in the browser that asked for it. Its secret is in no table: the callers
that make and check a link derive it from the link's id and a key of the settings. The same holds for the `state` with
which a provider sends a browser back; what the provider said about the person is checked by the caller.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import NOT_IN_POLICY, NotAllowed, NotFound, TooMany
from countersign.models import GeneralEvent
from countersign.permissions import Principal, may_end
from countersign.times import duration
from engine.credentials.browser_names import browser_name
from engine.notifications.general import write
from engine.part import EnginePart
from engine.record import PORTAL, append_or_count, event, record
from store import sessions
from store.sessions import Session
from store.tokens import hashed

LINK_LASTS = timedelta(minutes=15)
SESSION_LASTS = timedelta(hours=12)
# How many links are sent within WINDOW to one person, and asked for from one address, which may be that of an office.
LINKS_AT_MOST = 5
LINKS_FROM_ONE_SOURCE = 50
# The same for sign-ins by a provider, which send no mail.
STATES_FROM_ONE_SOURCE = 1000
WINDOW = timedelta(hours=1)
LINK_ID_BYTES = 16
BY_LINK = "link"
BY_PROVIDER = "oidc"
ANY_BROWSER = ""
USED = "It was used already."


class From(NamedTuple):
    """The browser that a call comes from: a secret that only it has, its header `User-Agent`, and its address."""

    secret: str
    browser: str
    source_address: str


@dataclass(frozen=True)
class SignedIn:
    """A session that has begun: the cookie, which can be read only now, and the page to show."""

    cookie: str
    go_to: str


class SignIn(EnginePart):
    """Links, sign-ins by a provider, and sessions. Each method is one transaction."""

    def send_link(self, address: str, caller: From, go_to: str, channels: Sequence[str]) -> None:
        """Write the notification with a link for the person who has this address, if any, by these channels.

        The caller can't see whether there is one. With too many in an hour, for the person or from the caller's
        address, none is sent. Raises Refused if no policy was ever applied.
        """
        now = datetime.now(UTC)
        link_id = secrets.token_hex(LINK_ID_BYTES)
        with self.database.transaction() as connection:
            _, policy = self.policies.in_force(connection)
            found = policy.person_at(address)
            person = found if found and policy.enabled(found) else ""
            if sessions.asked_since(connection, "source_address", caller.source_address, now - WINDOW) >= (
                LINKS_FROM_ONE_SOURCE
            ):
                _refused(connection, now, caller, "too many links were asked for from this address")
                return
            has_enough = sessions.asked_since(connection, "person", person, now - WINDOW) >= LINKS_AT_MOST
            sessions.links.add(connection, _row(link_id, caller, go_to, now, person))
            if not person:
                _refused(connection, now, caller, "a link was asked for by an address that nobody enabled has")
            elif has_enough:
                _refused(connection, now, caller, f"too many links were asked for {person}")
            else:
                fields = {
                    "link_id": link_id,
                    "lasts": duration(LINK_LASTS),
                    "browser": browser_name(caller.browser),
                    "source_address": caller.source_address,
                }
                write(connection, GeneralEvent.SIGN_IN, link_id, [person], channels, fields)

    def make_link(self, person: str, who: str) -> str:
        """The id of a link for an enabled person that works in any browser, made by an operator; recorded.

        Raises NotFound for somebody who is disabled or not in the directory, Refused if there is no policy.
        """
        now = datetime.now(UTC)
        link_id = secrets.token_hex(LINK_ID_BYTES)
        with self.database.transaction() as connection:
            _, policy = self.policies.in_force(connection)
            if not policy.enabled(person):
                raise NotFound(NOT_IN_POLICY.format(person))
            row = {"id": link_id, "person": person, "browser_hash": ANY_BROWSER, "source_address": "", "go_to": "/"}
            sessions.links.add(connection, row | {"asked_at": now, "ends_at": now + LINK_LASTS})
            record(connection, GeneralEvent.SIGN_IN, who, f"a link for {person} was made", {}, now)
        return link_id

    def by_link(self, link_id: str, caller: From) -> SignedIn:
        """Begin a session by a link whose secret was right. Raises NotAllowed, recorded, which says what to do."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            link = sessions.links.find(connection, link_id)
            _, policy = self.policies.in_force(connection)
            why = _why_not(link, caller, now) or _why_not_person(policy, link.person if link else "")
            if link is not None and not why and not sessions.use(connection, link_id, now):
                why = USED
            if link is None or why:
                _refused(connection, now, caller, why, link.person if link is not None else "")
            else:
                return SignedIn(_begun(connection, link.person, BY_LINK, caller, now), link.go_to)
        raise NotAllowed(f"This link doesn't sign you in. {why} Ask for a new one.", ErrorCode.REFUSED)

    def begin_with_provider(self, caller: From, go_to: str) -> str:
        """The `state` with which a provider sends this browser back. Raises TooMany for an address with too many."""
        now = datetime.now(UTC)
        state = f"{sessions.STATE_PREFIX}{secrets.token_hex(LINK_ID_BYTES)}"
        with self.database.transaction() as connection:
            begun = sessions.asked_since(
                connection, "source_address", caller.source_address, now - WINDOW, of_provider=True
            )
            if begun < STATES_FROM_ONE_SOURCE:
                sessions.links.add(connection, _row(state, caller, go_to, now))
                return state
            _refused(connection, now, caller, "too many sign-ins were begun from this address")
        message = "Too many sign-ins were begun from your network within an hour; try again later."
        raise TooMany(message, limit=STATES_FROM_ONE_SOURCE, retry_after=int(WINDOW.total_seconds()))

    def returned_from_provider(self, state: str, caller: From) -> str:
        """Use a `state` up, and return the page to show then. Raises NotAllowed, recorded."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            known = sessions.links.find(connection, state) if state.startswith(sessions.STATE_PREFIX) else None
            why = _why_not(known, caller, now)
            if known is not None and not why and sessions.use(connection, state, now):
                go_to: str = known.go_to
                return go_to
            why = why or USED
            _refused(connection, now, caller, why)
        raise NotAllowed(f"This doesn't sign you in. {why} Sign in once more.", ErrorCode.REFUSED)

    def by_provider(self, address: str, issuer: str, caller: From, proven_at: datetime) -> str:
        """The cookie of a new session for whoever has this address, which a provider has verified.

        `proven_at`: when they last proved there who they are.

        Raises NotAllowed, recorded, if nobody enabled has it.
        """
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            _, policy = self.policies.in_force(connection)
            person = policy.person_at(address)
            why = _why_not_person(policy, person)
            if not why:
                proof = {"issuer": issuer}
                return _begun(connection, person, BY_PROVIDER, caller, now, proof, proven_at)
            _refused(connection, now, caller, f"{issuer} knows an address that nobody enabled has", person)
        raise NotAllowed(f"You are not signed in. {why} Ask an administrator.", ErrorCode.REFUSED)

    def refuse(self, why: str, caller: From) -> None:
        """Record that a sign-in by a provider failed."""
        with self.database.transaction() as connection:
            _refused(connection, datetime.now(UTC), caller, why)

    def end_session(self, session_id: str, who: Principal) -> Session:
        """End a session of one's own, or, as an admin, anybody's; again changes nothing. Raises NotFound."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            session = sessions.session_row(connection, session_id)
            if session is None or not may_end(who, session.person):
                raise NotFound(f"There is no session {session_id} of yours.")
            if sessions.end(connection, session_id, now):
                proof = {"session": session_id}
                record(connection, "signed_out", who.name, f"session of {session.person}", proof, now, PORTAL)
                session = session.model_copy(update={"ended_at": now})
        return session


def _row(link_id: str, caller: From, go_to: str, now: datetime, person: str = "") -> dict[str, Any]:
    """The row of a link or a `state` that works in this browser."""
    return {
        "id": link_id,
        "person": person,
        "browser_hash": hashed(caller.secret),
        "source_address": caller.source_address,
        "go_to": go_to,
        "asked_at": now,
        "ends_at": now + LINK_LASTS,
    }


def _why_not(link: Row[Any] | None, caller: From, now: datetime) -> str:
    """Why this link can't begin a session; empty if it can, provided that it is unused and its person enabled."""
    if link is None:
        return "It is unknown."
    if link.browser_hash not in (ANY_BROWSER, hashed(caller.secret)):
        return "It works only in the browser where you asked for it."
    return "It is too old." if link.ends_at <= now else ""


def _why_not_person(policy: Policy, person: str) -> str:
    """Why this person can't sign in; empty if they can."""
    if not person:
        return "Your mail address is not in the directory."
    return "" if policy.enabled(person) else "Your account is disabled."


def _begun(
    connection: Connection,
    person: str,
    by: str,
    caller: From,
    now: datetime,
    proof: Mapping[str, str] | None = None,
    confirmed_at: datetime | None = None,
) -> str:
    """Begin a session, on record; returns its cookie."""
    row = {
        "person": person,
        "signed_in_by": by,
        "browser": browser_name(caller.browser),
        "source_address": caller.source_address,
        "started_at": now,
        "confirmed_at": confirmed_at or now,
        "ends_at": now + SESSION_LASTS,
    }
    cookie = sessions.start(connection, row)
    shown = {"session": cookie.partition("_")[0], "from": caller.source_address, **(proof or {})}
    record(connection, "signed_in", person, by, shown, now, PORTAL)
    return cookie


def _refused(connection: Connection, now: datetime, caller: From, why: str, person: str = "") -> None:
    refused = event("sign_in_refused", person, why, {"from": caller.source_address}, now, PORTAL)
    append_or_count(connection, None, refused, caller.source_address)
