"""Web applications behind a proxy that asks here: a browser whose person has a grant gets a code, and for it a cookie.

The code takes the browser back to the application's host, where it is exchanged once for a cookie of that host. It
works only in the browser that came from there: otherwise somebody could make others use an application in their name.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed, Refused
from countersign.grant_reuse import is_for, must_be_for
from countersign.models import GrantView, Question
from engine.granting import lasting_for
from engine.part import EnginePart
from engine.record import PORTAL, append_or_count, event
from store import application_sessions
from store.database import reads
from store.events import append
from store.tokens import hashed

CODE_LASTS = timedelta(seconds=60)
NO_GRANT = "There is no access for this; ask for it."
WRONG_CODE = "You came here by an address that works once, within a minute, in one browser."


class AtApplication(NamedTuple):
    """A browser at a web application: the host, with its port where there is one, and what only this browser has."""

    host: str
    browser_secret: str
    source_address: str


class Permitted(NamedTuple):
    """Who may use an application, by which grant, and until when; after that it must be checked again."""

    person: str
    name: str
    email: str
    approval_id: int
    ends_at: datetime


class ApplicationSessions(EnginePart):
    """Each method is one transaction."""

    @reads
    def granted(self, question: Question) -> GrantView | None:
        """The grant that permits this now. Raises Refused if the only ones are for another source address."""
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            grant = _grant(connection, policy, question, datetime.now(UTC))
        must_be_for(grant, question.source_address)
        return grant

    def offer(self, question: Question, host: str, browser_hash: str, session_id: str, lasts: timedelta) -> str:
        """A code for a browser whose person has a session here and a grant. Raises Refused."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            _, policy = self.policies.in_force(connection)
            grant = _grant(connection, policy, question, now)
            if grant is None:
                raise Refused(NO_GRANT)
            must_be_for(grant, question.source_address)
            row = {
                "code_ends_at": now + CODE_LASTS,
                "browser_hash": browser_hash,
                "host": host,
                "session_id": session_id,
                "person": question.requester,
                "approval_id": grant.approval_id,
                "ends_at": now + lasts,
            }
            return application_sessions.add(connection, row)

    def begin(self, code: str, at: AtApplication) -> tuple[str, datetime]:
        """The cookie for a code, and until when it is valid. Raises NotAllowed, recorded."""
        now = datetime.now(UTC)
        proof = {"from": at.source_address, "host": at.host}
        with self.database.transaction() as connection:
            row = application_sessions.by_code(connection, code)
            why = _why_not(row, at, now)
            cookie = "" if row is None or why else application_sessions.open_once(connection, row.id)
            if row is not None and cookie:
                proof |= {"session": row.session_id}
                opened = event("application_opened", row.person, at.host, proof, now, PORTAL)
                append(connection, row.approval_id, [opened])
                return cookie, row.ends_at
            if row is not None:
                # The code is ended, as somebody else may have seen it.
                application_sessions.rows.change(connection, row.id, code_ends_at=now)
            person, why = row.person if row else "", why or "the code was used"
            refused = event("application_refused", person, why, proof, now, PORTAL)
            append_or_count(connection, None, refused, at.source_address)
        raise NotAllowed(WRONG_CODE, ErrorCode.REFUSED)

    @reads
    def permitted(
        self, cookie: str, host: str, source_address: str, question: Callable[[str], Question]
    ) -> Permitted | None:
        """Whom this cookie of an application's host lets in; None for nobody. `question` is what a person asks for."""
        now = datetime.now(UTC)
        with self.database.reading() as connection:
            session = application_sessions.lasting(connection, cookie, now)
            _, policy = self.policies.in_force(connection)
            if session is None or session.host != host or not policy.enabled(session.person):
                return None
            grant = _grant(connection, policy, question(session.person), now)
        if grant is None or not is_for(grant, source_address):
            return None
        user = policy.users[session.person]
        ends_at = min(session.ends_at, grant.ends_at)
        return Permitted(session.person, user.name, user.email, grant.approval_id, ends_at)


def _grant(connection: Connection, policy: Policy, question: Question, now: datetime) -> GrantView | None:
    """The grant that ends last among those that cover the question; if none does, another that lasts."""
    if not policy.enabled(question.requester):
        return None
    lasting = [grant for grant, _ in lasting_for(connection, policy, question, now)]
    covering = [grant for grant in lasting if is_for(grant, question.source_address)]
    return next(iter(covering or lasting), None)


def _why_not(row: Row[Any] | None, at: AtApplication, now: datetime) -> str:
    """Why a code opens nothing here, for the record; empty if it may, provided that it is unused."""
    if row is None:
        return "the code is unknown"
    if row.host != at.host:
        return f"the code is for {row.host}"
    if row.browser_hash != hashed(at.browser_secret):
        return "the code is for another browser"
    return "the code is too old" if row.code_ends_at <= now else ""
