"""Adds rows, finds them by their key, and changes them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Table, select, update

from store.database import insert_new
from store.tables import rdp_tokens, rejected_input


class Rows:
    """The rows of a table whose key is one column. Each method works within its caller's transaction."""

    def __init__(self, table: Table) -> None:
        self.table = table
        (self._key,) = table.primary_key

    def add(self, connection: Connection, row: Mapping[str, Any]) -> bool:
        """Add one; False if there is one with its key already."""
        return insert_new(connection, self.table, row) > 0

    def find(self, connection: Connection, key: str, lock: bool = False) -> Row[Any] | None:
        """The one with this key; with `lock`, nobody else changes it until the transaction ends."""
        query = select(self.table).where(self._key == key)
        return connection.execute(query.with_for_update() if lock else query).one_or_none()

    def change(self, connection: Connection, key: str, **values: Any) -> None:
        """Change these columns of one."""
        connection.execute(update(self.table).where(self._key == key).values(values))


# Callers need nothing else of these tables.
RDP_TOKENS, REJECTED_INPUT = Rows(rdp_tokens), Rows(rejected_input)
