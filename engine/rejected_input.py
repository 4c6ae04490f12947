"""Input that decides nothing: recorded once, and its sender notified."""

import hashlib
import json
import uuid
from datetime import UTC, datetime

from sqlalchemy import Connection

from countersign.models import Event
from countersign.notifications import RejectedInput
from engine.notifications.answering import HELP_AT_MOST, write_reply, written_lately
from engine.part import EnginePart
from engine.record import append_or_count, event
from store import answers, requests
from store.rows import REJECTED_INPUT


class RejectedInputs(EnginePart):
    """Records input that decides nothing."""

    def record(self, refused: RejectedInput) -> None:
        """Record input that decides nothing, and notify its sender, though not more often than HELP_AT_MOST.

        The same input again, known by its source's id, changes nothing.
        """
        now = datetime.now(UTC)
        proof = {"source": refused.source_id, **refused.proof}
        audit_event = event("answer_refused", refused.who, refused.reason, proof, now, refused.channel)
        with self.database.transaction() as connection:
            if not _is_new(connection, refused, now):
                return
            if refused.event and refused.person and refused.approval_id:
                _tell(connection, refused, refused.event, refused.person.id, refused.approval_id, now)
            # Strangers may call themselves anything, so they are counted together.
            whose = refused.person.id if refused.person else "stranger"
            append_or_count(connection, refused.approval_id, audit_event, "turned down", whose)


def _is_new(connection: Connection, refused: RejectedInput, now: datetime) -> bool:
    if refused.answer_id and answers.from_source(connection, refused.channel, refused.answer_id) is not None:
        return False
    return not refused.source_id or REJECTED_INPUT.add(connection, {"digest": _digest(refused), "at": now})


def _digest(refused: RejectedInput) -> str:
    """Identifies the input: an id that its sender chose must not hide other people's input with the same id."""
    of = [refused.channel, refused.source_id, refused.who, refused.approval_id, refused.reason]
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()


def _tell(
    connection: Connection, refused: RejectedInput, kind: Event, person: str, approval_id: int, now: datetime
) -> None:
    request = requests.known(connection, approval_id)
    if request is None or written_lately(connection, person, kind, now) >= HELP_AT_MOST:
        return
    about, source = (approval_id, request.level, person, refused.channel), refused.source_id
    write_reply(connection, kind, uuid.uuid4().hex, *about, message=refused.reason, in_reply_to=source, now=now)
