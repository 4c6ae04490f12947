"""Asking again while a request waits or its grant lasts (rule 10)."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from countersign.durations import whole_minutes
from countersign.grant_reuse import being_decided, on_record
from countersign.kinds import question_from
from countersign.models import Asked, Question, Route, Status
from countersign.transitions import WHILE_OPEN, AskAgain, AuditEvent, Settled
from engine.granting import Granting
from engine.part import EnginePart
from engine.record import append_or_count
from engine.recovery import settled
from store import Store, transition_keys
from store.events import append
from store.requests import request_row

# Temporal allows 2000 updates of one workflow: half of them are left for answers.
MOST_REPEATS = 1000


class Asking(EnginePart):
    """Answers questions that need no workflow, and records repeated ones. Each method records once."""

    def __init__(self, store: Store, granting: Granting) -> None:
        super().__init__(store)
        self.granting = granting
        self.requests = store.requests

    def ask_again(self, again: AskAgain) -> Settled | None:
        """Record, once, that somebody asked again while the request was open.

        Returns how it ended, if it has on record.
        """
        with self.database.transaction() as connection:
            row = request_row(connection, again.approval_id, again.run)
            if transition_keys.add(connection, again.approval_id, again.key, 0):
                append(connection, again.approval_id, [again.event])
            return None if row.status == Status.WAITING else settled(connection, row)

    def answer_on_record(self, question: Question, who: str) -> Asked | None:
        """Answer a question by a grant that lasts, or by a waiting request that was asked for MOST_REPEATS times.

        None if the workflow has to answer. Raises Refused, which is recorded, if the grant doesn't cover the question.
        """
        return self.granting.ask(question, who) or self._join_often_asked(question, who)

    def _join_often_asked(self, question: Question, who: str) -> Asked | None:
        row = self.requests.asked_often(question, MOST_REPEATS)
        if row is None:
            return None
        now = datetime.now(UTC)
        event = AuditEvent(kind="asked_again", at=now, who=who, detail=WHILE_OPEN, proof=on_record(question))
        with self.database.transaction() as connection:
            append_or_count(connection, row.approval_id, event, who, row.approval_id)
        return _joined(row, question)


def _joined(row: Row[Any], again: Question) -> Asked:
    question, lasts = question_from(row.question), Route.model_validate(row.route).grant_lasts
    return Asked(
        approval_id=row.approval_id,
        status=Status.WAITING,
        joined=True,
        message=being_decided(row.approval_id, question, lasts, again),
        reason=question.reason,
        ticket=question.ticket,
        minutes=whole_minutes(lasts),
        source_address=question.source_address,
    )
