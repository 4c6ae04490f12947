"""Stores answers, finds them, and records the outcome of each."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from countersign.models import OWN_APPROVAL, Answer, Decision, Verdict
from countersign.notifications import AnswerOutcome
from store.database import StorePart, reads
from store.many_rows import by_request, many_rows
from store.tables import answers, as_written, one_of

# The columns of an answer that its request judges.
SHOWN = list(Answer.model_fields)
IS_OF_ID = answers.c.id == bindparam("answer")
OF_ID = select(answers).where(IS_OF_ID)
FROM_SOURCE = select(answers).where(answers.c.channel == bindparam("by"), answers.c.source_id == bindparam("source"))
ADD = {
    name: dialect.insert(answers).on_conflict_do_nothing(index_elements=["channel", "source_id"]).returning(answers)
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
COUNT = update(answers).where(IS_OF_ID).values(state="accepted", message=bindparam("said"))
# The columns of an answer that a decision shows.
_DECIDES = ("id", "approval_id", "level", "person", "verdict", "comment", "channel", "at", "state")
COUNTED_OF = (
    select(*(answers.c[name] for name in _DECIDES))
    .where(
        answers.c.approval_id.in_(bindparam("numbers", expanding=True, literal_execute=True)),
        one_of(answers.c.state, ("accepted", "lapsed")),
    )
    .order_by(answers.c.approval_id, answers.c.at)
)


class Answers(StorePart):
    """Reads stored answers and their outcomes."""

    @reads
    def waiting(self, before: datetime, limit: int = 100) -> list[Answer]:
        """Answers stored before a moment and never judged: the oldest of each request, then the second ones..."""
        # In this order, a request with many answers whose workflow hangs does not fill the list.
        # The `+ 0` keeps SQLite from reading all answers in the order of the index `answers_by_request`.
        turn = func.row_number().over(partition_by=answers.c.approval_id + 0, order_by=answers.c.at)
        open_ones = answers.c.state == as_written("open"), answers.c.at < as_written(before)
        left = select(answers).where(*open_ones).order_by(turn, answers.c.at).limit(as_written(limit))
        with self.database.reading() as connection:
            return [view(row) for row in connection.execute(left)]

    @reads
    def counted_of(self, *approval_ids: int) -> list[Answer]:
        """The answers to these requests that counted and came in by a channel, by level and time."""
        # A requester's own approval is made by the workflow, and came in by no channel.
        counted = answers.c.state == "accepted", answers.c.channel != OWN_APPROVAL
        query = select(answers).where(answers.c.approval_id.in_(approval_ids), *counted)
        with self.database.reading() as connection:
            return [view(row) for row in connection.execute(query.order_by(answers.c.level, answers.c.at))]

    @reads
    def counted_before(self, answer: Answer) -> bool:
        """Whether another answer of the same person to the same level counted."""
        with self.database.reading() as connection:
            return "accepted" in states_of(connection, answer.approval_id, answer.level, answer.person)

    @reads
    def outcome(self, answer_id: str) -> AnswerOutcome:
        """The outcome of a stored answer."""
        with self.database.reading() as connection:
            row = connection.execute(OF_ID, {"answer": answer_id}).one()
        return AnswerOutcome(row.state, row.message, row.details or {})


def view(row: Row[Any]) -> Answer:
    """A stored answer as its request judges it."""
    return Answer.model_validate({name: getattr(row, name) for name in SHOWN})


def from_source(connection: Connection, channel: str, source_id: str) -> Row[Any] | None:
    """The answer that was stored for what a channel received under this id; None if there is none."""
    return connection.execute(FROM_SOURCE, {"by": channel, "source": source_id}).one_or_none()


def add(connection: Connection, row: Mapping[str, Any]) -> Row[Any] | None:
    """Store an answer; None if one of the same channel and source is stored already."""
    return connection.execute(ADD[connection.dialect.name], row).one_or_none()


def refuse(connection: Connection, answer_id: str, message: str, details: Mapping[str, Any]) -> Row[Any] | None:
    """Mark an open answer as refused; None if it is not open any more."""
    open_one = (answers.c.id == answer_id) & (answers.c.state == "open")
    change = update(answers).where(open_one).values(state="refused", message=message, details=details)
    return connection.execute(change.returning(answers)).one_or_none()


def states_of(connection: Connection, approval_id: int, level: int, person: str) -> set[str]:
    """The states of somebody's answers at a level of a request, except `refused`."""
    own = select(answers.c.state).where(
        answers.c.approval_id == approval_id,
        answers.c.level == level,
        answers.c.person == person,
        answers.c.state != "refused",
    )
    return set(connection.execute(own).scalars())


def in_time(connection: Connection, approval_id: int, deadline: datetime) -> list[Answer]:
    """The answers that came by a channel before the deadline of a request and were not refused, by level and time."""
    came = (
        select(answers)
        .where(
            answers.c.approval_id == approval_id,
            answers.c.state.in_(("open", "accepted")),
            answers.c.channel != OWN_APPROVAL,
            answers.c.at <= deadline,
        )
        .order_by(answers.c.level, answers.c.at)
    )
    return [view(row) for row in connection.execute(came)]


def count(connection: Connection, decision: Decision, message: str) -> bool:
    """Mark the stored answer that a decision stands for as one that counted; False if none is stored."""
    return connection.execute(COUNT, {"answer": decision.answer_id, "said": message}).rowcount > 0


def add_counted(connection: Connection, approval_id: int, decision: Decision, message: str) -> None:
    """Store an answer that came by no channel and has counted."""
    own_id = uuid.uuid4().hex
    row = decision.model_dump(exclude={"answer_id", "lapsed"}) | {
        "id": own_id,
        "approval_id": approval_id,
        "source_id": own_id,
        "proof": {},
        "state": "accepted",
        "message": message,
    }
    connection.execute(insert(answers).values(row))


def lapse(connection: Connection, answer_ids: Sequence[str], message: str) -> None:
    """Mark answers that counted as lapsed; `message` says why."""
    connection.execute(update(answers).where(answers.c.id.in_(answer_ids)).values(state="lapsed", message=message))


def approvals_of(connection: Connection, numbers: Collection[int], but_by: str) -> Sequence[Row[int, str]]:
    """Number and person of each approval of these requests that counted, in order, except those by one channel."""
    query = (
        select(answers.c.approval_id, answers.c.person)
        .where(answers.c.approval_id.in_(numbers), answers.c.state == "accepted")
        .where(answers.c.verdict == Verdict.APPROVE, answers.c.channel != but_by)
        .order_by(answers.c.at)
    )
    return connection.execute(query).all()


def decisions_of(connection: Connection, approval_id: int) -> list[Decision]:
    """The answers that counted, in the order they came in."""
    return decisions_by_request(connection, [approval_id]).get(approval_id, [])


def decisions_by_request(connection: Connection, approval_ids: Sequence[int]) -> dict[int, list[Decision]]:
    """The same of several requests, by their numbers."""
    rows = by_request(many_rows(connection, COUNTED_OF, {"numbers": approval_ids}))
    return {number: [_decision(row) for row in its] for number, its in rows.items()}


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        answer_id=row.id,
        level=row.level,
        person=row.person,
        verdict=Verdict(row.verdict),
        comment=row.comment,
        channel=row.channel,
        at=row.at,
        lapsed=row.state == "lapsed",
    )


def has_answered(connection: Connection, approval_id: int | None, person: str) -> bool:
    """Whether an answer of somebody to this request is stored."""
    answered = select(answers.c.id).where(answers.c.approval_id == approval_id, answers.c.person == person)
    return connection.execute(answered.limit(1)).first() is not None
