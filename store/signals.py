"""What channels report of people: away, or unreachable."""

from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from countersign.transitions import AuditEvent
from store.database import Database
from store.events import append
from store.tables import answers, events, signals


class Signals:
    """The signals, one row each."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, person: str, approval_id: int | None, signal: str, words: str) -> None:
        """Record a signal (`away` or `unreachable`), in the audit too; the same again changes nothing.

        Who has answered the request, or written about it in vain, is there. Their mail shows its token to whom they
        copy it to, and whoever has that could forge a bounce or an absence and so choose who decides.
        """
        now = datetime.now(UTC)
        row = {"person": person, "approval_id": approval_id, "signal": signal, "words": words, "at": now}
        kind = "unreachable" if signal == "unreachable" else "away"
        same = select(signals.c.id).where(
            signals.c.person == person, signals.c.approval_id == approval_id, signals.c.signal == signal
        )
        with self.database.transaction() as connection:
            if connection.execute(same).first() is not None:
                return
            if _has_written(connection, person, approval_id):
                return
            connection.execute(insert(signals).values(row))
            append(connection, approval_id, [AuditEvent(kind=kind, at=now, who=person, words=words)])


def _has_written(connection: Connection, person: str, approval_id: int | None) -> bool:
    answered = select(answers.c.id).where(answers.c.approval_id == approval_id, answers.c.person == person)
    in_vain = select(events.c.version).where(
        events.c.approval_id == approval_id, events.c.who == person, events.c.kind == "answer_refused"
    )
    return any(connection.execute(query.limit(1)).first() is not None for query in (answered, in_vain))


def people_with(connection: Connection, approval_id: int, signal: str) -> set[str]:
    """The people of whom a channel reported this about this request."""
    of_request = (signals.c.approval_id == approval_id) & (signals.c.signal == signal)
    return set(connection.execute(select(signals.c.person).where(of_request)).scalars())
