"""Rows of the record."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from countersign.models import GeneralEvent
from countersign.transitions import AuditEvent, Kind
from store.events import append

# The channel of what people do on the portal.
PORTAL = "portal"


def event(
    kind: Kind | GeneralEvent, who: str, detail: str, proof: Mapping[str, str], at: datetime, channel: str = ""
) -> AuditEvent:
    """A row before it is written."""
    return AuditEvent(kind=kind, at=at, who=who, detail=detail, channel=channel, proof=dict(proof))


def record(
    connection: Connection,
    kind: Kind | GeneralEvent,
    who: str,
    detail: str,
    proof: Mapping[str, str],
    at: datetime,
    channel: str = "",
) -> None:
    """Add a row that is about no request. Call it last in a transaction, as `append`."""
    append(connection, None, [event(kind, who, detail, proof, at, channel)])
