"""Searching the record: a page of its rows, found along an index, however long the record is.

By time, newest first; for a request or a device, newest request first, as the rows of the record know no device. If
further conditions may leave rows out, at most MOST_READ are read; such a page ends early, and says where to go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, func, literal, select, tuple_

from countersign.views import AuditEventView
from store.database import Database, reads
from store.events import view
from store.listing import MOST_READ, NO_NUMBER
from store.reading import RequestReader
from store.tables import events, requests

LONGEST_PAGE = 500
# The most requests for a device that are read for one page if further conditions may leave rows out: some 2,000 rows.
# It has to be more than one, as the next page begins with the last of them.
MOST_REQUESTS = 250
END_OF_TIME = datetime.max.replace(tzinfo=UTC)
KEY = events.c.at, events.c.version
OF_REQUEST = events.c.approval_id, events.c.version


@dataclass(frozen=True)
class WantedEvents:
    """Rows of the record: of what one person did, about one request or device, of one kind, within a time.

    `since` is the first moment of it, `until` the first one after it. `before` is the version of the row that comes
    before the page.
    """

    person: str = ""
    device: str = ""
    approval_id: int | None = None
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 50


class Found(NamedTuple):
    """A page of rows, and the `before` of the next one; None if there is none."""

    rows: Sequence[Row[Any]]
    goes_on: int | None


class Audit:
    """Searches the record."""

    def __init__(self, database: Database, reading: RequestReader) -> None:
        self.database = database
        self.reading = reading

    @reads
    def page(self, wanted: WantedEvents) -> tuple[list[AuditEventView], int | None]:
        """A page of rows, with the names of whoever caused them, and the `before` of the next page, or None."""
        with self.database.reading() as connection:
            start = _row(connection, wanted.before) if wanted.before else None
            by_request = wanted.device or wanted.approval_id
            found = (_by_request if by_request else _by_time)(connection, wanted, start)
            return self.reading.named_in(connection, [view(row) for row in found.rows]), found.goes_on


def _row(connection: Connection, version: int) -> Row[Any] | None:
    return connection.execute(select(events).where(events.c.version == version)).one_or_none()


# --- by time ----------------------------------------------------------------------------------------------------------


def _by_time(connection: Connection, wanted: WantedEvents, start: Row[Any] | None) -> Found:
    """Along the index of who did it, of the kind, or of the time alone."""
    sqlite = connection.dialect.name == "sqlite"
    if not (wanted.person and wanted.kind):
        rows = connection.execute(_along(wanted, start, sqlite).limit(wanted.limit)).all()
        return Found(rows, rows[-1].version if len(rows) == wanted.limit else None)
    some = _along(wanted, start, sqlite).limit(MOST_READ).subquery()
    page = select(some).where(some.c.kind == wanted.kind).order_by(some.c.at.desc(), some.c.version.desc())
    rows = connection.execute(page.limit(wanted.limit)).all()
    if len(rows) == wanted.limit:
        return Found(rows, rows[-1].version)
    last = _along(wanted, start, sqlite).with_only_columns(events.c.version).offset(MOST_READ - 1).limit(1)
    return Found(rows, connection.execute(last).scalar_one_or_none())


def _along(wanted: WantedEvents, start: Row[Any] | None, sqlite: bool) -> Select[Any]:
    """The rows of one index after the start, newest first."""
    upper = wanted.until or END_OF_TIME, 0
    if start is not None:
        upper = min(upper, (start.at, start.version))
    end = [literal(upper[0], events.c.at.type), literal(upper[1])]
    since = [literal(wanted.since, events.c.at.type)] if wanted.since else []
    column, value = (events.c.who, wanted.person) if wanted.person else (events.c.kind, wanted.kind)
    if not value:
        query = select(events).where(tuple_(*KEY) < tuple_(*end), *(events.c.at >= one for one in since))
    elif sqlite:
        own = column == value, tuple_(*KEY) < tuple_(*end)
        query = select(events).where(*own, *(events.c.at >= one for one in since))
    else:
        # A range of the index, and not an equality, for the reason given in `index_paths`.
        place = tuple_(column, *KEY) < tuple_(literal(value), *end)
        first: ColumnElement[bool] = column >= value
        if since:
            first = tuple_(column, events.c.at) >= tuple_(literal(value), *since)
        return select(events).where(place, first).order_by(column.desc(), *_newest_first(KEY))
    return query.order_by(*_newest_first(KEY))


def _newest_first(columns: Sequence[Column[Any]]) -> list[ColumnElement[Any]]:
    return [one.desc() for one in columns]


# --- by request -------------------------------------------------------------------------------------------------------


def _by_request(connection: Connection, wanted: WantedEvents, start: Row[Any] | None) -> Found:
    """The rows of one request, or of each request for a device."""
    left = _conditions(wanted)
    most = MOST_REQUESTS if left else wanted.limit
    numbers = _numbers(connection, wanted, start.approval_id if start is not None else NO_NUMBER, most)
    page = select(events).where(events.c.approval_id.in_(numbers), *left)
    if start is not None:
        page = page.where(tuple_(*OF_REQUEST) < tuple_(literal(start.approval_id), literal(start.version)))
    rows = connection.execute(page.order_by(*_newest_first(OF_REQUEST)).limit(wanted.limit)).all()
    if len(rows) == wanted.limit:
        return Found(rows, rows[-1].version)
    if wanted.approval_id or len(numbers) < most:
        return Found(rows, None)
    first = select(func.min(events.c.version)).where(events.c.approval_id == numbers[-1])
    return Found(rows, connection.execute(first).scalar_one())


def _conditions(wanted: WantedEvents) -> list[ColumnElement[bool]]:
    """The conditions left to check on each row of a request."""
    conditions = [
        events.c.who == wanted.person if wanted.person else None,
        events.c.kind == wanted.kind if wanted.kind else None,
        events.c.at >= wanted.since if wanted.since else None,
        events.c.at < wanted.until if wanted.until else None,
    ]
    return [one for one in conditions if one is not None]


def _numbers(connection: Connection, wanted: WantedEvents, at_most: int, limit: int) -> list[int]:
    """The newest requests that are looked at."""
    number = requests.c.approval_id
    if wanted.approval_id and not wanted.device:
        return [wanted.approval_id]
    query = select(number).where(requests.c.target == wanted.device, number <= at_most)
    if wanted.approval_id:
        query = query.where(number == wanted.approval_id)
    return list(connection.execute(query.order_by(number.desc()).limit(limit)).scalars())
