"""Copies of requests, made by the database itself: a million of them in some minutes."""

from typing import Any

from sqlalchemy import JSON, Column, Connection, String, select, text

from store import tables as t
from store.tables import Instant

# The tables with rows of a request, and the column that identifies the request.
OF_A_REQUEST = {
    t.requests: "approval_id",
    t.transition_keys: "approval_id",
    t.approvers: "approval_id",
    t.answers: "approval_id",
    t.notifications: "approval_id",
    t.grants: "approval_id",
    t.events: "approval_id",
    t.signals: "approval_id",
    t.mails: "uid",
}
NUMBERED = {"approval_id", "uid"}
# Each request is a minute older than the next.
SQLITE_LATER = "strftime('%Y-%m-%d %H:%M:%f', {column}, '+' || ({shift}) || ' minutes') || '000'"
POSTGRES_LATER = "{column} + ({shift}) * interval '1 minute'"


def copy_rows(connection: Connection, first: int, count: int, copies: range, versions: int) -> None:
    """Copy the `count` requests from number `first` on; copy n has numbers that are n x `count` higher.

    Together they have this many `versions` in the record. A copy's times are as many minutes later as its numbers are
    higher.
    """
    for table, number in OF_A_REQUEST.items():
        columns = {column.name: _copied(connection, column, number, first) for column in table.columns}
        new = {name: value.format(shift=f"n * {count}", versions=f"n * {versions}") for name, value in columns.items()}
        connection.execute(
            text(
                f"INSERT INTO {table.name} ({', '.join(new)}) "
                f"WITH RECURSIVE copies(n) AS (SELECT {copies[0]} UNION ALL SELECT n + 1 FROM copies "
                f"WHERE n < {copies[-1]}) "
                f"SELECT {', '.join(new.values())} FROM copies CROSS JOIN {table.name} AS old "
                f"WHERE old.{number} >= {first} AND old.{number} < {first + count} ORDER BY n, old.{number}"
            )
        )


def _copied(connection: Connection, of: Column[Any], number: str, first: int) -> str:
    """How a column of a copy is made from the original's."""
    column, kind = f"old.{of.name}", of.type
    is_sqlite = connection.dialect.name == "sqlite"
    if of.name in NUMBERED or of is t.signals.c.id:
        return f"{column} + {{shift}}"
    if of is t.events.c.version:
        return f"{column} + {{versions}}"
    if isinstance(kind, Instant):
        return (SQLITE_LATER if is_sqlite else POSTGRES_LATER).replace("{column}", column)
    if isinstance(kind, String | JSON) and _names_it(connection, of, number, first):
        old, new = f"CAST(old.{number} AS TEXT)", f"CAST(old.{number} + {{shift}} AS TEXT)"
        replaced = f"replace(CAST({column} AS TEXT), {old}, {new})"
        return f"CAST({replaced} AS JSON)" if isinstance(kind, JSON) and not is_sqlite else replaced
    return column


def _names_it(connection: Connection, of: Column[Any], number: str, first: int) -> bool:
    """Whether the number of the request stands in this column, as it does in ids and devices."""
    query = select(of).where(of.table.c[number] == first).limit(1)
    value = connection.execute(query).scalar_one_or_none()
    return value is not None and str(first) in str(value)
