"""The rows of signals: what channels reported of people, away or unreachable."""

from datetime import datetime

from sqlalchemy import Connection, insert, select

from store.tables import signals


def is_known(connection: Connection, person: str, approval_id: int | None, signal: str) -> bool:
    """Whether this was reported about this request before."""
    same = select(signals.c.id).where(
        signals.c.person == person, signals.c.approval_id == approval_id, signals.c.signal == signal
    )
    return connection.execute(same).first() is not None


def add(connection: Connection, person: str, approval_id: int | None, signal: str, detail: str, now: datetime) -> None:
    """Add a signal."""
    row = {"person": person, "approval_id": approval_id, "signal": signal, "detail": detail, "at": now}
    connection.execute(insert(signals).values(row))


def people_with(connection: Connection, approval_id: int, signal: str) -> set[str]:
    """The people for whom a channel reported this signal about this request."""
    of_request = (signals.c.approval_id == approval_id) & (signals.c.signal == signal)
    return set(connection.execute(select(signals.c.person).where(of_request)).scalars())
