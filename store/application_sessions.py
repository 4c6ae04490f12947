"""Browsers' sessions with web applications; the database holds only hashes of codes and cookies."""

import re
import secrets
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select, update

from store.database import insert_new
from store.rows import Rows
from store.tables import application_sessions, sessions
from store.tokens import ID_BYTES, SECRET_BYTES, hashed, with_secret

# What a code and a cookie hold: the same id, and then a secret, which differs.
FORM = re.compile(rf"(?P<id>a[0-9a-f]{{{2 * ID_BYTES}}})_(?P<secret>[0-9a-f]{{{2 * SECRET_BYTES}}})")
rows = Rows(application_sessions)


class ApplicationSession(NamedTuple):
    """One that lasts, at most as long as its person's session here."""

    host: str
    person: str
    ends_at: datetime


def add(connection: Connection, row: dict[str, Any]) -> str:
    """Add one that is not open yet, and return its code, which can be read only now."""
    one, secret = f"a{secrets.token_hex(ID_BYTES)}", secrets.token_hex(SECRET_BYTES)
    insert_new(connection, application_sessions, row | {"id": one, "code_hash": hashed(secret), "hash": ""})
    return f"{one}_{secret}"


def by_code(connection: Connection, code: str) -> Row[Any] | None:
    """The one with this code, used or not."""
    return _found(connection, code, "code_hash")


def open_once(connection: Connection, session_id: str) -> str:
    """The cookie of one that is not open yet, which can be read only now; empty if it was opened before."""
    secret = secrets.token_hex(SECRET_BYTES)
    unused = application_sessions.c.id == session_id, application_sessions.c.hash == ""
    opened = connection.execute(update(application_sessions).where(*unused).values(hash=hashed(secret))).rowcount
    return f"{session_id}_{secret}" if opened else ""


def lasting(connection: Connection, cookie: str, now: datetime) -> ApplicationSession | None:
    """The one with this cookie; None if there is none, if it is over, or if its person's session here is over."""
    row = _found(connection, cookie, "hash")
    if row is None or row.ends_at <= now:
        return None
    lasts = sessions.c.id == row.session_id, sessions.c.ended_at.is_(None), sessions.c.ends_at > now
    ends_at = connection.execute(select(sessions.c.ends_at).where(*lasts)).scalar_one_or_none()
    return ApplicationSession(row.host, row.person, min(row.ends_at, ends_at)) if ends_at else None


def _found(connection: Connection, text: str, column: str) -> Row[Any] | None:
    form = FORM.fullmatch(text)
    return with_secret(connection, application_sessions, form, column) if form else None
