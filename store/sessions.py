"""Sessions of browsers, and the links that people sign in by; the database holds only hashes of their secrets."""

import re
import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from countersign.models import Model
from store.database import StorePart, from_row, insert_new, reads
from store.paging import newest_first
from store.rows import Rows
from store.tables import sessions, sign_ins
from store.tokens import ID_BYTES, SECRET_BYTES, hashed, with_secret

# What a session's cookie holds: the session's id, which begins with an s, as no token's does, and then its secret.
FORM = re.compile(rf"(?P<id>s[0-9a-f]{{{2 * ID_BYTES}}})_(?P<secret>[0-9a-f]{{{2 * SECRET_BYTES}}})")
# The beginning of the ids of those links that are the `state` of a sign-in by a provider.
STATE_PREFIX = "oidc-"
rows, links = Rows(sessions), Rows(sign_ins)


class Session(Model):
    """A session as its owner and admins see it. `signed_in_by` is how: `link` or `oidc`.

    `confirmed_at`: when its person last proved who they are.
    """

    id: str
    person: str
    signed_in_by: str
    browser: str
    source_address: str
    started_at: datetime
    confirmed_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None


class Sessions(StorePart):
    """Finds sessions."""

    @reads
    def find(self, cookie: str, now: datetime) -> Session | None:
        """The session of this cookie; None if there is none, or it is over."""
        form = FORM.fullmatch(cookie)
        if form is None:
            return None
        with self.database.reading() as connection:
            row = with_secret(connection, sessions, form)
        lasts = row is not None and row.ended_at is None and row.ends_at > now
        return from_row(Session, row) if row is not None and lasts else None

    @reads
    def lasting(self, now: datetime, person: str = "", before: str = "", limit: int = 50) -> list[Session]:
        """A page of the sessions that last, newest first, of one person or of everybody; `before` is a session's id."""
        lasts = sessions.c.ended_at.is_(None), sessions.c.ends_at > now
        own = [sessions.c.person == person] if person else []
        with self.database.reading() as connection:
            return [
                from_row(Session, row)
                for row in newest_first(connection, sessions.c.started_at, before, limit, few=[*lasts, *own])
            ]


def start(connection: Connection, row: dict[str, Any]) -> str:
    """Add a session, and return the cookie, which can be read only now."""
    session_id, secret = f"s{secrets.token_hex(ID_BYTES)}", secrets.token_hex(SECRET_BYTES)
    insert_new(connection, sessions, row | {"id": session_id, "hash": hashed(secret)})
    return f"{session_id}_{secret}"


def end(connection: Connection, session_id: str, now: datetime) -> bool:
    """End a session; returns whether it lasted until now."""
    lasts = sessions.c.id == session_id, sessions.c.ended_at.is_(None), sessions.c.ends_at > now
    return connection.execute(update(sessions).where(*lasts).values(ended_at=now)).rowcount > 0


def session_row(connection: Connection, session_id: str) -> Session | None:
    """A session by its id, whether it lasts or not."""
    row = rows.find(connection, session_id)
    return from_row(Session, row) if row else None


def asked_since(connection: Connection, column: str, value: str, since: datetime, of_provider: bool = False) -> int:
    """How many links, or sign-ins by a provider, were begun since then, for a `person` or from a `source_address`."""
    kind = sign_ins.c.id.startswith(STATE_PREFIX) == of_provider
    query = select(func.count()).where(sign_ins.c[column] == value, sign_ins.c.asked_at > since, kind)
    return connection.execute(query).scalar_one()


def use(connection: Connection, link_id: str, now: datetime) -> bool:
    """Use up a link; False if it was used before."""
    unused = sign_ins.c.id == link_id, sign_ins.c.used_at.is_(None)
    return connection.execute(update(sign_ins).where(*unused).values(used_at=now)).rowcount > 0
