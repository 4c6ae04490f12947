"""Records what changes nothing: exports of the record, and attempts to do what somebody may not."""

from collections.abc import Mapping
from datetime import UTC, datetime

from countersign.permissions import Principal, must_be_admin
from engine.part import EnginePart
from engine.record import PORTAL, append_or_count, event
from store.events import append


class Audit(EnginePart):
    """Each method is one transaction."""

    def record_export(self, who: Principal, detail: str, proof: Mapping[str, str]) -> int:
        """Record that an admin exports the record, before they have it; returns the version of that row."""
        must_be_admin(who)
        exported = event("audit_exported", who.name, detail, proof, datetime.now(UTC), PORTAL)
        with self.database.transaction() as connection:
            return append(connection, None, [exported])

    def record_attempt(self, who: str, detail: str, proof: Mapping[str, str]) -> None:
        """Record that somebody tried to decide what they may not; repeated tries are counted."""
        refused = event("answer_refused", who, detail, proof, datetime.now(UTC), PORTAL)
        with self.database.transaction() as connection:
            append_or_count(connection, None, refused, who)
