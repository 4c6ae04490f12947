"""The rows of routing tokens of RDP. Each function works within its caller's transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from store.tables import rdp_tokens


def add(connection: Connection, row: Mapping[str, Any]) -> None:
    """Add one."""
    connection.execute(insert(rdp_tokens).values(row))


def locked(connection: Connection, secret_hash: str) -> Row[Any] | None:
    """The one with this hash; nobody else changes it until the transaction ends."""
    return connection.execute(
        select(rdp_tokens).where(rdp_tokens.c.hash == secret_hash).with_for_update()
    ).one_or_none()


def use(connection: Connection, secret_hash: str, now: datetime) -> None:
    """Note that it was used."""
    connection.execute(update(rdp_tokens).where(rdp_tokens.c.hash == secret_hash).values(used_at=now))
