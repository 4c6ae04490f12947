"""Pages of rows whose ids say nothing of their age: newest first, and on from the last that was shown."""

from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, select, tuple_


def newest_first(
    connection: Connection, at: Column[Any], before: str, limit: int, *which: ColumnElement[bool]
) -> list[Row[Any]]:
    """Rows of the table of this column, those behind the one with the id `before`; none where there is no such row."""
    table = at.table
    query = select(table).where(*which).order_by(at.desc(), table.c.id.desc()).limit(limit)
    if before:
        last = connection.execute(select(at, table.c.id).where(table.c.id == before)).one_or_none()
        if last is None:
            return []
        query = query.where(tuple_(at, table.c.id) < tuple_(last[0], last[1]))
    return list(connection.execute(query))
