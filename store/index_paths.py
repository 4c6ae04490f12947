"""Reading the numbers of requests along an index, newest first, and no further than a page needs."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    ScalarSelect,
    Select,
    TableValuedAlias,
    cast,
    exists,
    false,
    func,
    literal,
    select,
    true,
    tuple_,
)

from store.tables import requests

NUMBER = requests.c.approval_id


class Part(NamedTuple):
    """Which part of an index is read: numbers below `before`, at most the newest `most` with each value."""

    before: int
    most: int
    sqlite: bool


class Path(NamedTuple):
    """Numbers of requests along an index, newest first: for each of the `values` in its `column`, if it has one.

    The index's first columns fulfil `prefix`; `but` are further conditions on its rows.
    """

    number: Column[Any] = NUMBER
    column: Column[Any] | None = None
    values: Sequence[str] = ()
    prefix: Sequence[ColumnElement[bool]] = ()
    but: Sequence[ColumnElement[bool]] = ()

    def read(self, part: Part, down_to: int, conditions: Sequence[ColumnElement[bool]], limit: int) -> Select[Any]:
        """The newest numbers, not below `down_to`, of requests that fulfil all conditions."""
        if len(self.values) < 2:
            return self._read_one(None, part, down_to, conditions, limit)
        each = _each(self.values, part.sqlite)
        page = self._read_one(each, part, down_to, conditions, limit)
        if part.sqlite:
            found: Any = requests.alias("found")
            pages = each.join(found, found.c.approval_id.in_(page))
        else:
            found = page.lateral("found")
            pages = each.join(found, true())
        query = select(found.c.approval_id).select_from(pages)
        return query.order_by(found.c.approval_id.desc()).limit(limit)

    def end(self, part: Part) -> ScalarSelect[Any]:
        """The number down to which the part has all rows; NULL for 0."""
        if len(self.values) < 2:
            return self._last(None, part)
        each = _each(self.values, part.sqlite)
        return select(func.max(self._last(each, part))).select_from(each).scalar_subquery()

    def _last(self, each: TableValuedAlias | None, part: Part) -> ScalarSelect[Any]:
        return self._rows(each, part).offset(part.most - 1).limit(1).scalar_subquery()

    def _read_one(
        self,
        each: TableValuedAlias | None,
        part: Part,
        down_to: int,
        conditions: Sequence[ColumnElement[bool]],
        limit: int,
    ) -> Select[Any]:
        rows = self._rows(each, part)
        if part.sqlite or not conditions:
            return rows.where(self.number >= down_to, *self.but, *self._fulfil(conditions)).limit(limit)
        # PostgreSQL reads a range of two columns beyond its lower end, to the last row with that value, unless it is
        # told how many rows to read.
        columns = [self.column.label("value")] if self.column is not None else []
        some = rows.where(*self.but).add_columns(*columns).limit(part.most).subquery()
        fits = exists().where(some.c.approval_id == NUMBER, *conditions)
        query = select(some.c.approval_id).where(some.c.approval_id >= down_to, fits).limit(limit)
        return query.order_by(*(some.c[one.name].desc() for one in columns), some.c.approval_id.desc())

    def _rows(self, each: TableValuedAlias | None, part: Part) -> Select[Any]:
        """The numbers below `before` in all rows with a value: the only one of `values`, or that of a row of `each`."""
        query = select(self.number).where(*self.prefix)
        if self.column is None:
            return query.where(self.number < part.before).order_by(self.number.desc())
        value: ColumnElement[Any] = literal(self.values[0])
        if each is not None:
            query, value = query.correlate(each), each.c.value
        if part.sqlite:
            query = query.where(self.number < part.before, self.column == value)
            return query.order_by(self.number.desc())
        # A range of the index, not an equality: otherwise PostgreSQL, if it expects many such rows, would read all
        # requests backwards until it has enough; if those rows are old, it would read all there are. SQLite, which
        # keeps no statistics unless it is told to, doesn't do this, and finds the start by an equality only.
        place = tuple_(self.column, self.number) < tuple_(value, literal(part.before))
        return query.where(place, self.column >= value).order_by(self.column.desc(), self.number.desc())

    def _fulfil(self, conditions: Sequence[ColumnElement[bool]]) -> Sequence[ColumnElement[bool]]:
        if self.number is NUMBER or not conditions:
            return conditions
        return [exists().where(self.number == NUMBER, *conditions)]


NOTHING = Path(prefix=[false()])


def _each(values: Sequence[str], sqlite: bool) -> TableValuedAlias:
    """The values as rows with a `value`."""
    written = json.dumps(sorted({*values}))
    if sqlite:
        return func.json_each(written).table_valued("value", name="each")
    return func.json_array_elements_text(cast(literal(written), JSON)).table_valued("value", name="each")
