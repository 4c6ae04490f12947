"""Answers: stored before anything else, judged by their request, never lost and never counted twice."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import NotFound, Refused, no_request
from countersign.models import Answer, Event, Route, Status
from countersign.notifications import SubmittedAnswer
from countersign.permissions import principal, why_never, why_not_at_passed_level
from countersign.transitions import AuditEvent
from engine.notifications.answering import REFUSALS_AT_MOST, write_reply, written_lately
from engine.part import EnginePart
from engine.record import append_or_count, event
from store import answers, requests
from store.database import Recorded

# The clock of a mail server may be off by this much, or have no fractions of seconds.
CLOCKS_DIFFER = timedelta(minutes=1)


class Answers(EnginePart):
    """Storing answers and refusing them. Each method is one transaction."""

    def store(self, submitted: SubmittedAnswer, notifies_sender: bool = False) -> Answer:
        """Store an answer; one that was stored before is returned as it is.

        Raises NotFound for an unknown request, and Refused, which is recorded, if the answer could never count. With
        `notifies_sender`, its sender is then notified on the channel it came by, unless they are disabled or unknown.
        """
        with self.database.transaction() as connection:
            known = answers.from_source(connection, submitted.channel, submitted.source_id)
            if known is not None:
                return answers.view(known)
            _, policy = self.policies.in_force(connection)
            request = requests.known(connection, submitted.approval_id)
            refused = _refused(connection, policy, request, submitted)
            # Two processes may get the same delivery at once; the second finds the first one's row.
            stored = answers.add(connection, _row(submitted, refused))
            if stored is None:
                return _stored(connection, submitted)
            if refused is None:
                return answers.view(stored)
            if request is None:
                append_or_count(connection, None, _refusal(stored, str(refused)), submitted.person, None)
            else:
                _record_refusal(connection, stored, str(refused), notifies_sender and policy.enabled(submitted.person))
            raise Recorded from refused

    def refuse(self, answer_id: str, refusal: Refused, notifies_sender: bool) -> None:
        """Record why an answer didn't count, and with `notifies_sender` notify its sender on the channel it came by."""
        with self.database.transaction() as connection:
            row = answers.refuse(connection, answer_id, str(refusal), refusal.details)
            if row is not None:
                _record_refusal(connection, row, str(refusal), notifies_sender)


def _stored(connection: Connection, submitted: SubmittedAnswer) -> Answer:
    row = answers.from_source(connection, submitted.channel, submitted.source_id)
    assert row is not None
    return answers.view(row)


def _row(submitted: SubmittedAnswer, refused: Refused | NotFound | None) -> dict[str, Any]:
    row = submitted.model_dump(exclude={"signed_in", "confirmed"}) | {
        "id": uuid.uuid4().hex,
        "state": "open",
        "message": "",
        "at": min(submitted.at, datetime.now(UTC)),
    }
    if refused is not None:
        row |= {"state": "refused", "message": str(refused), "details": refused.details}
    return row


def _refused(
    connection: Connection, policy: Policy, request: Row[Any] | None, submitted: SubmittedAnswer
) -> Refused | NotFound | None:
    """Why an answer can't count, as far as that is known before its request judges it; None when it may."""
    if request is None:
        return no_request(submitted.approval_id)
    who, route = principal(policy, submitted.person), Route.model_validate(request.route)
    never = _too_old(request, submitted) or why_never(who, submitted.approval_id, route, submitted)
    return never or _passed(connection, request, submitted)


def _too_old(request: Row[Any], submitted: SubmittedAnswer) -> Refused | None:
    """Refuses an answer from before its request was opened: it was for one with the same number, before a restore."""
    if submitted.at >= request.opened_at - CLOCKS_DIFFER:
        return None
    message = f"That answer came before #{submitted.approval_id} was asked; answer the newest message about it."
    return Refused(message, ErrorCode.OTHER_REQUEST, approval_id=submitted.approval_id)


def _passed(connection: Connection, request: Row[Any], submitted: SubmittedAnswer) -> Refused | None:
    """Why an answer can't count, as its level was passed; None if it may, for example to take an approval back.

    The record decides this: after a crash, a workflow may not know that its request is at a later level.
    """
    if submitted.level >= request.level or request.status != Status.WAITING:
        return None
    states = answers.states_of(connection, submitted.approval_id, submitted.level, submitted.person)
    return why_not_at_passed_level(submitted.approval_id, request.level, submitted, states)


def _record_refusal(connection: Connection, answer: Row[Any], message: str, notifies_sender: bool) -> None:
    """Record that an answer was refused, and notify its sender, unless they were notified too often lately."""
    now = datetime.now(UTC)
    if notifies_sender and written_lately(connection, answer.person, Event.ANSWER_REFUSED, now) < REFUSALS_AT_MOST:
        in_reply_to = answer.proof.get("message_id", "")
        about = answer.approval_id, answer.level, answer.person, answer.channel
        write_reply(
            connection, Event.ANSWER_REFUSED, answer.id, *about, message=message, in_reply_to=in_reply_to, now=now
        )
    append_or_count(connection, answer.approval_id, _refusal(answer, message), answer.person, answer.approval_id)


def _refusal(row: Row[Any], detail: str) -> AuditEvent:
    proof = {"answer": row.id, "verdict": row.verdict, **row.proof}
    return event("answer_refused", row.person, detail, proof, datetime.now(UTC), row.channel)
