"""What channels report of people: away, or unreachable."""

from datetime import UTC, datetime

from sqlalchemy import insert, select

from countersign.steps import Line
from store.database import Database
from store.events import append
from store.tables import signals


class Signals:
    """The signals, one row each."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, person: str, approval_id: int | None, signal: str, words: str) -> None:
        """Record a signal (`away` or `unreachable`), in the audit too; the same again changes nothing."""
        now = datetime.now(UTC)
        row = {"person": person, "approval_id": approval_id, "signal": signal, "words": words, "at": now}
        kind = "unreachable" if signal == "unreachable" else "away"
        same = select(signals.c.id).where(
            signals.c.person == person, signals.c.approval_id == approval_id, signals.c.signal == signal
        )
        with self.database.transaction() as connection:
            if connection.execute(same).first() is not None:
                return
            connection.execute(insert(signals).values(row))
            append(connection, approval_id, [Line(kind=kind, at=now, who=person, words=words)])
