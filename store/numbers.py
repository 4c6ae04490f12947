"""The numbers of requests: the newest that was given out, and where the next ones start."""

from datetime import datetime

from sqlalchemy import Connection, select, text

from store.database import StorePart, reads
from store.tables import requests


class Numbers(StorePart):
    """The counter that gives each request its number. Both methods may raise DatabaseUnavailable."""

    @reads
    def newest(self) -> tuple[int, datetime] | None:
        """The number of the newest request, and when it opened; None if there is none."""
        query = select(requests.c.approval_id, requests.c.opened_at).order_by(requests.c.approval_id.desc()).limit(1)
        with self.database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return (row.approval_id, row.opened_at) if row else None

    def start_above(self, number: int) -> bool:
        """Give out only numbers above this one from now on; returns whether that changes the next number."""
        with self.database.transaction() as connection:
            return (_raise_sqlite if self.database.is_sqlite else _raise_postgres)(connection, number)


def _raise_sqlite(connection: Connection, number: int) -> bool:
    raised = "UPDATE sqlite_sequence SET seq = :number WHERE name = 'requests' AND seq < :number"
    return connection.execute(text(raised), {"number": number}).rowcount == 1


def _raise_postgres(connection: Connection, number: int) -> bool:
    # The lock keeps numbers from being given out meanwhile: the sequence has none, and would be set back behind them.
    connection.execute(text("LOCK TABLE requests IN SHARE ROW EXCLUSIVE MODE"))
    now = text("SELECT last_value, is_called FROM requests_approval_id_seq")
    last, is_called = connection.execute(now).one()
    if number < last or (number == last and is_called):
        return False
    connection.execute(text("SELECT setval('requests_approval_id_seq', :number)"), {"number": number})
    return True
