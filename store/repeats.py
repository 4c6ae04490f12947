"""How often the same thing was refused, since when. Each function works within its caller's transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from store.database import insert_new
from store.rows import Rows
from store.tables import repeats

rows = Rows(repeats)


def begin(connection: Connection, row: Mapping[str, Any]) -> None:
    """Begin to count, in place of the count before."""
    connection.execute(delete(repeats).where(repeats.c.what == row["what"]))
    insert_new(connection, repeats, row)


def are_any(connection: Connection, begun_until: datetime) -> bool:
    """Whether any count was begun at a moment or before."""
    old = select(repeats.c.what).where(repeats.c.begun_at <= begun_until)
    return connection.execute(old.limit(1)).first() is not None


def take(connection: Connection, begun_until: datetime, limit: int) -> Sequence[Row[Any]]:
    """End some of the counts that were begun at a moment or before, and return them."""
    old = repeats.c.begun_at <= begun_until
    taken = connection.execute(select(repeats).where(old).limit(limit).with_for_update()).all()
    connection.execute(delete(repeats).where(old, repeats.c.what.in_([row.what for row in taken])))
    return taken
