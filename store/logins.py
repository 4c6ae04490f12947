"""The rows of logins of command lines. Each function works within its caller's transaction."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from store.rows import Rows
from store.tables import logins

rows = Rows(logins)


def begun_since(connection: Connection, source_address: str, since: datetime) -> int:
    """How many were begun from an address since a moment."""
    begun = select(func.count()).where(logins.c.source_address == source_address, logins.c.asked_at > since)
    return connection.execute(begun).scalar_one()


def waiting(connection: Connection, user_code: str, now: datetime) -> Row[Any] | None:
    """The one with this code, if it lasts and was not answered; nobody else changes it until the transaction ends."""
    waits = logins.c.user_code == user_code, logins.c.state == "waiting", logins.c.ends_at > now
    return connection.execute(select(logins).where(*waits).with_for_update()).one_or_none()
