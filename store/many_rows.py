"""Reads hundreds of rows at once."""

from collections import defaultdict, namedtuple
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import JSON, Connection, Select, literal_column, select

from store.tables import Instant

T = TypeVar("T", bound=Any)


def many_rows(connection: Connection, query: Select[Any], values: Mapping[str, Any] | None = None) -> Sequence[Any]:
    """All rows of a query, in its order. Its columns must have different names, and hold no bytes.

    PostgreSQL's driver is written in Python: it takes several times as long for some hundred rows as for one text that
    holds them all.
    """
    if connection.dialect.name == "sqlite":
        return connection.execute(query, values).all()
    columns = query.selected_columns
    row = _row(tuple(columns.keys()))
    rows = connection.execute(_as_json(query, tuple(column.name for column in columns)), values).scalar_one() or []
    for n, column in enumerate(columns):
        if isinstance(column.type, Instant):
            for one in rows:
                if one[n] is not None:
                    one[n] = datetime.fromisoformat(one[n]).astimezone(UTC)
    return [row._make(one) for one in rows]


def by_request(rows: Iterable[T]) -> defaultdict[int, list[T]]:
    """The rows of each request, by its number, in their order."""
    found = defaultdict[int, list[T]](list)
    for row in rows:
        found[row.approval_id].append(row)
    return found


def _as_json(query: Select[Any], names: tuple[str, ...]) -> Select[Any]:
    """One row with one list of lists."""
    return select(_list_of(names)).select_from(query.subquery("found"))


@cache
def _list_of(names: tuple[str, ...]) -> Any:
    values = ", ".join(f"found.{name}" for name in names)
    return literal_column(f"json_agg(json_build_array({values}))", JSON)


@cache
def _row(names: tuple[str, ...]) -> Any:
    return namedtuple("Row", names)
