"""The rows of the record about devices."""

from datetime import datetime

from sqlalchemy import Connection

from countersign.transitions import AuditEvent, Kind
from store.events import append


def event_of(
    kind: Kind, who: str, device_id: str, detail: str, at: datetime, proof: dict[str, str], channel: str = ""
) -> AuditEvent:
    """A row of the record about a device."""
    return AuditEvent(kind=kind, at=at, who=who, detail=detail, channel=channel, proof={**proof, "device": device_id})


def record(
    connection: Connection,
    kind: Kind,
    who: str,
    device_id: str,
    detail: str,
    at: datetime,
    proof: dict[str, str] | None = None,
    channel: str = "",
) -> None:
    """Add such a row to the record."""
    append(connection, None, [event_of(kind, who, device_id, detail, at, proof or {}, channel)])
