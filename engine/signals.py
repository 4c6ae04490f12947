"""What channels report about people: away, or unreachable."""

from datetime import UTC, datetime

from sqlalchemy import Connection

from countersign.transitions import AuditEvent
from engine.part import EnginePart
from store import answers, events, signals
from store.events import append


class Signals(EnginePart):
    """Records what is reported."""

    def add(self, person: str, approval_id: int | None, signal: str, detail: str) -> None:
        """Record a signal (`away` or `unreachable`), also as an audit event; the same again changes nothing.

        Reports about a person who has written about the request, even in vain, are ignored: everybody to whom their
        mail was copied sees its token, and could forge a bounce or an absence to choose who decides.
        """
        now = datetime.now(UTC)
        kind = "unreachable" if signal == "unreachable" else "away"
        with self.database.transaction() as connection:
            if signals.is_known(connection, person, approval_id, signal):
                return
            if _has_written(connection, person, approval_id):
                return
            signals.add(connection, person, approval_id, signal, detail, now)
            append(connection, approval_id, [AuditEvent(kind=kind, at=now, who=person, detail=detail)])


def _has_written(connection: Connection, person: str, approval_id: int | None) -> bool:
    if answers.has_answered(connection, approval_id, person):
        return True
    return any(events.is_known(connection, approval_id, kind, person) for kind in ("answer_refused", "inquired"))
