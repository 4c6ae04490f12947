"""Signing in with a browser, by a link that is mailed, and the session that begins then.

A link works once, for a short time, and only in the browser that asked for it. Its secret is in no table: who makes the
link and who checks it derive it from the link's id and a key of the settings.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from countersign.directory import Policy, folded_address
from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed, NotFound
from countersign.models import GeneralEvent
from countersign.times import duration
from countersign.transitions import AuditEvent
from engine.general_notifications import write
from store import Store, sessions
from store.events import append
from store.repeats import append_or_count
from store.sessions import Session
from store.tokens import hashed

CHANNEL = "portal"
LINK_LASTS = timedelta(minutes=15)
SESSION_LASTS = timedelta(hours=12)
# How many links are sent within WINDOW to one person, and asked for from one address, behind which may be an office.
LINKS_AT_MOST = 5
LINKS_FROM_ONE_SOURCE = 50
WINDOW = timedelta(hours=1)
LINK_ID_BYTES = 16
BY_LINK = "link"
ANY_BROWSER = ""
ASK_AGAIN = "Ask for a new one."


class From(NamedTuple):
    """Where a call of a browser comes from: a secret that only this browser has, its name, and its address."""

    secret: str
    browser: str
    source_address: str


@dataclass(frozen=True)
class SignedIn:
    """A session that has begun: the cookie, which can be read only now, and the page to show."""

    cookie: str
    go_to: str


class SignIn:
    """Links and sessions. Each method is one transaction."""

    def __init__(self, store: Store) -> None:
        self.database = store.database
        self.policies = store.policies

    def send_link(self, address: str, caller: From, go_to: str, channel: str) -> None:
        """Write the notification with a link for the person who has this address, if any, by this channel.

        Whether there is one shows nowhere. With too many in an hour, for the person or from the address, none is sent.
        Raises Refused where no policy was ever applied.
        """
        now = datetime.now(UTC)
        link_id = secrets.token_hex(LINK_ID_BYTES)
        with self.database.transaction() as connection:
            _, policy = self.policies.in_force(connection)
            found = policy.by_address.get(folded_address(address), "")
            person = found if found and policy.enabled(found) else ""
            if sessions.asked_since(connection, "source_address", caller.source_address, now - WINDOW) >= (
                LINKS_FROM_ONE_SOURCE
            ):
                _refused(connection, now, caller, "too many links were asked for from this address")
                return
            has_enough = sessions.asked_since(connection, "person", person, now - WINDOW) >= LINKS_AT_MOST
            row = {
                "id": link_id,
                "person": person,
                "browser_hash": hashed(caller.secret),
                "source_address": caller.source_address,
                "go_to": go_to,
                "asked_at": now,
                "ends_at": now + LINK_LASTS,
            }
            sessions.add_link(connection, row)
            if not person:
                _refused(connection, now, caller, "a link was asked for by an address that nobody enabled has")
            elif has_enough:
                _refused(connection, now, caller, f"too many links were asked for {person}")
            else:
                fields = {
                    "link_id": link_id,
                    "lasts": duration(LINK_LASTS),
                    "browser": sessions.as_kept(caller.browser),
                    "source_address": caller.source_address,
                }
                write(connection, GeneralEvent.SIGN_IN, link_id, [person], [channel], fields)

    def make_link(self, person: str, who: str) -> str:
        """The id of a link for an enabled person that works in any browser, made by an operator; recorded.

        Raises NotFound for somebody who is disabled or not in the directory, Refused where there is no policy.
        """
        now = datetime.now(UTC)
        link_id = secrets.token_hex(LINK_ID_BYTES)
        with self.database.transaction() as connection:
            _, policy = self.policies.in_force(connection)
            if not policy.enabled(person):
                raise NotFound(f"{person} is disabled or not in the policy; add them, and apply it first.")
            row = {"id": link_id, "person": person, "browser_hash": ANY_BROWSER, "source_address": "", "go_to": "/"}
            sessions.add_link(connection, row | {"asked_at": now, "ends_at": now + LINK_LASTS})
            event = AuditEvent(kind=GeneralEvent.SIGN_IN, at=now, who=who, detail=f"a link for {person} was made")
            append(connection, None, [event])
        return link_id

    def by_link(self, link_id: str, caller: From) -> SignedIn:
        """Begin a session by a link whose secret was right. Raises NotAllowed, recorded, which says what to do."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            link = sessions.link(connection, link_id)
            _, policy = self.policies.in_force(connection)
            why = _why_not(policy, link, caller, now)
            if link is not None and not why and not sessions.use(connection, link_id, now):
                why = "It was used already."
            if link is None or why:
                _refused(connection, now, caller, why, link.person if link is not None else "")
            else:
                row = {
                    "person": link.person,
                    "signed_in_by": BY_LINK,
                    "browser": sessions.as_kept(caller.browser),
                    "source_address": caller.source_address,
                    "started_at": now,
                    "confirmed_at": now,
                    "ends_at": now + SESSION_LASTS,
                }
                cookie = sessions.start(connection, row)
                proof = {"session": cookie.partition("_")[0], "from": caller.source_address}
                _record(connection, "signed_in", link.person, BY_LINK, proof, now)
                return SignedIn(cookie, link.go_to)
        raise NotAllowed(f"This link doesn't sign you in. {why} {ASK_AGAIN}", ErrorCode.REFUSED)

    def end_session(self, session_id: str, who: str, may_end_all: bool) -> Session:
        """End a session of one's own, or, for who `may_end_all`, anybody's; again changes nothing. Raises NotFound."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            session = sessions.session_row(connection, session_id)
            if session is None or not (may_end_all or session.person == who):
                raise NotFound(f"There is no session {session_id} of yours.")
            if sessions.end(connection, session_id, now):
                _record(connection, "signed_out", who, f"session of {session.person}", {"session": session_id}, now)
        return session


def _why_not(policy: Policy, link: Row[Any] | None, caller: From, now: datetime) -> str:
    """Why this link begins no session; empty where it may, if it is unused."""
    if link is None:
        return "It is unknown."
    if link.browser_hash not in (ANY_BROWSER, hashed(caller.secret)):
        return "It works only in the browser where you asked for it."
    if link.ends_at <= now:
        return "It is too old."
    return "" if policy.enabled(link.person) else "Your account is disabled."


def _record(connection: Connection, kind: str, who: str, detail: str, proof: dict[str, str], now: datetime) -> None:
    event = AuditEvent.model_validate(
        {"kind": kind, "at": now, "who": who, "channel": CHANNEL, "detail": detail, "proof": proof}
    )
    append(connection, None, [event])


def _refused(connection: Connection, now: datetime, caller: From, why: str, person: str = "") -> None:
    proof = {"from": caller.source_address}
    event = AuditEvent(kind="sign_in_refused", at=now, who=person, channel=CHANNEL, detail=why, proof=proof)
    append_or_count(connection, None, event, caller.source_address)
