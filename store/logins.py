"""The rows of logins of command lines. Each function works within its caller's transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from store.database import insert_new
from store.tables import logins


def begun_since(connection: Connection, source_address: str, since: datetime) -> int:
    """How many were begun from an address since a moment."""
    begun = select(func.count()).where(logins.c.source_address == source_address, logins.c.asked_at > since)
    return connection.execute(begun).scalar_one()


def add(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Add one; False where another has its user code."""
    return insert_new(connection, logins, row) > 0


def waiting(connection: Connection, user_code: str, now: datetime) -> Row[Any] | None:
    """The one with this code, if it lasts and was not answered; nobody else changes it until the transaction ends."""
    waits = logins.c.user_code == user_code, logins.c.state == "waiting", logins.c.ends_at > now
    return connection.execute(select(logins).where(*waits).with_for_update()).one_or_none()


def locked(connection: Connection, device_hash: str) -> Row[Any] | None:
    """The one that is polled with this secret; nobody else changes it until the transaction ends."""
    return connection.execute(select(logins).where(logins.c.device_hash == device_hash).with_for_update()).one_or_none()


def change(connection: Connection, device_hash: str, **values: Any) -> None:
    """Change these columns of a login."""
    connection.execute(update(logins).where(logins.c.device_hash == device_hash).values(values))
