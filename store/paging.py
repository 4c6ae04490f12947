"""Pages of rows whose ids don't tell their age: newest first, each continuing after the last row that was shown."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, FromClause, Row, select, tuple_


def newest_first(
    connection: Connection,
    at: Column[Any],
    before: str,
    limit: int,
    *which: ColumnElement[bool],
    few: Sequence[ColumnElement[bool]] = (),
) -> list[Row[Any]]:
    """Rows of the table of the column `at` that follow the one with the id `before`; none if there is no such row.

    If only a few rows fulfil `few`, these are read first, by their own index: by that of `at`, all rows might be read.
    """
    table: FromClause = at.table
    rows = select(table).where(*few).offset(0).subquery("few") if few else table
    order = rows.c[at.key], rows.c.id
    query = select(rows).where(*which).order_by(*(one.desc() for one in order)).limit(limit)
    if before:
        last = connection.execute(select(at, table.c.id).where(table.c.id == before)).one_or_none()
        if last is None:
            return []
        query = query.where(tuple_(*order) < tuple_(last[0], last[1]))
    return list(connection.execute(query))
