"""Rows of the record about what people do on the portal."""

from datetime import datetime

from sqlalchemy import Connection

from countersign.models import GeneralEvent
from countersign.transitions import AuditEvent, Kind
from store.events import append

CHANNEL = "portal"


def portal_event(kind: Kind | GeneralEvent, who: str, detail: str, proof: dict[str, str], at: datetime) -> AuditEvent:
    """Such a row, before it is written."""
    return AuditEvent(kind=kind, at=at, who=who, channel=CHANNEL, detail=detail, proof=proof)


def record(connection: Connection, kind: Kind, who: str, detail: str, proof: dict[str, str], at: datetime) -> None:
    """Add such a row to the record. Call it last in a transaction, as `append`."""
    append(connection, None, [portal_event(kind, who, detail, proof, at)])
