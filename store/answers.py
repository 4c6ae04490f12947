"""Answers: stored before anything else, judged by their request, never lost and never counted twice."""

import hashlib
import json
import uuid
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from countersign.ballot import OWN_APPROVAL
from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import NotFound, Refused, counted_at, no_request, other_level
from countersign.models import Answer, Decision, Event, Route, Status, Verdict
from countersign.notifications import RejectedInput, SubmittedAnswer
from countersign.transitions import ANSWERING_STEP, AuditEvent, DeadlineCheck, TimelyAnswers
from store.database import Database, reads
from store.notifications import FIRST_RETRY
from store.policies import Policies
from store.repeats import append_or_count
from store.requests import request_row
from store.tables import answers, as_written, mailboxes, notifications, one_of, rejected_input, requests

# By how much the clock of a mail server may be off, and its seconds be cut.
CLOCKS_DIFFER = timedelta(minutes=1)
# How long the expiry of a request waits for a mailbox that can't be read up to its deadline, while it is looked at...
LONGEST_READING = timedelta(seconds=60)
# ... and at most, where workers are there, but none of them looks at the mailbox for long.
LONGEST_WAIT = timedelta(minutes=10)
# A person gets so many notices of one kind about mails that decide nothing, in so long a time; the record has them all.
HELP_AT_MOST = 5
HELP_WITHIN = timedelta(hours=1)
# And of answers that were refused so many: a person who answers by hand is told of each.
REFUSALS_TOLD_AT_MOST = 20
COUNTED = "It counted."
ANSWERING = (Event.HELP, Event.ANSWER_REFUSED)


class Answers:
    """Stored answers and what became of them."""

    def __init__(self, database: Database, policies: Policies) -> None:
        self.database = database
        self.policies = policies
        self._insert = (sqlite if database.is_sqlite else postgresql).insert

    def store(self, given: SubmittedAnswer, tell: bool = False) -> Answer:
        """Store an answer; one that was stored before comes back as it is.

        Raises NotFound for an unknown request; Refused, recorded, where it could never count: `tell` then writes its
        sender a notice on the channel it came by, unless they are disabled or unknown.
        """
        with self.database.transaction() as connection:
            stored, refused = self._store(connection, given, tell)
        if refused is not None:
            raise refused
        assert stored is not None
        return stored

    def _store(
        self, connection: Connection, given: SubmittedAnswer, tell: bool
    ) -> tuple[Answer | None, Refused | NotFound | None]:
        same = (answers.c.channel == given.channel) & (answers.c.source_id == given.source_id)
        known = connection.execute(select(answers).where(same)).one_or_none()
        if known is not None:
            return view(known), None
        _, policy = self.policies.in_force(connection)
        now = datetime.now(UTC)
        row = given.model_dump(exclude={"signed_in"}) | {
            "id": uuid.uuid4().hex,
            "state": "open",
            "words": "",
            "at": min(given.at, now),
        }
        exists = connection.execute(select(requests).where(requests.c.approval_id == given.approval_id)).one_or_none()
        refused: Refused | NotFound | None = None
        if exists is None:
            refused = no_request(given.approval_id)
        else:
            refused = _too_old(exists, given) or _objection(policy, Route.model_validate(exists.route), given)
            refused = refused or _passed(connection, exists, given)
        if refused is not None:
            row |= {"state": "refused", "words": str(refused), "details": refused.details}
        # Two processes may get the same delivery at once; who comes second finds the first one's row.
        new = self._insert(answers).values(row).on_conflict_do_nothing(index_elements=["channel", "source_id"])
        stored = connection.execute(new.returning(answers)).one_or_none()
        if stored is None:
            return view(connection.execute(select(answers).where(same)).one()), None
        if refused is not None:
            if tell and exists and policy.enabled(given.person) and _may_tell(connection, stored, now):
                connection.execute(insert(notifications).values(_notice(stored, str(refused))))
            number = given.approval_id if exists else None
            append_or_count(connection, number, _refusal(stored, str(refused)), given.person, number)
        return view(stored), refused

    def refuse(self, answer_id: str, refusal: Refused, tell: bool) -> None:
        """Record why an answer didn't count, and with `tell` write its sender a notice on the channel it came by."""
        open_one = (answers.c.id == answer_id) & (answers.c.state == "open")
        words = str(refusal)
        with self.database.transaction() as connection:
            change = update(answers).where(open_one).values(state="refused", words=words, details=refusal.details)
            row = connection.execute(change.returning(answers)).one_or_none()
            if row is None:
                return
            if tell and _may_tell(connection, row, datetime.now(UTC)):
                connection.execute(insert(notifications).values(_notice(row, words)))
            append_or_count(connection, row.approval_id, _refusal(row, words), row.person, row.approval_id)

    def record_rejected(self, refused: RejectedInput) -> None:
        """Record what came in and decides nothing; its sender is told, though not more often than HELP_AT_MOST.

        The same again, by its source's id, changes nothing.
        """
        now = datetime.now(UTC)
        line = AuditEvent(
            kind="answer_refused",
            at=now,
            who=refused.who,
            channel=refused.channel,
            words=refused.words,
            proof={"source": refused.source_id, **refused.proof},
        )
        with self.database.transaction() as connection:
            if not self._is_new(connection, refused, now):
                return
            if refused.event and refused.person and refused.approval_id:
                _tell(connection, refused, now)
            # Whom the directory doesn't know may call themselves anything: they are counted together.
            whose = refused.person.id if refused.person else "stranger"
            append_or_count(connection, refused.approval_id, line, "turned down", whose)

    def _is_new(self, connection: Connection, refused: RejectedInput, now: datetime) -> bool:
        if refused.answer_id:
            same = (answers.c.channel == refused.channel) & (answers.c.source_id == refused.answer_id)
            if connection.execute(select(answers.c.id).where(same)).first() is not None:
                return False
        if not refused.source_id:
            return True
        row = {"digest": _digest(refused), "at": now}
        return connection.execute(self._insert(rejected_input).values(row).on_conflict_do_nothing()).rowcount > 0

    @reads
    def waiting(self, before: datetime, limit: int = 100) -> list[Answer]:
        """Answers stored before a moment that were never judged: the oldest to each request, then the second ones..."""
        # So that a request that can't answer, and has many, does not fill the list.
        # The sum keeps SQLite from reading all answers there ever were in the order of that index.
        turn = func.row_number().over(partition_by=answers.c.approval_id + 0, order_by=answers.c.at)
        open_ones = answers.c.state == as_written("open"), answers.c.at < before
        left = select(answers).where(*open_ones).order_by(turn, answers.c.at).limit(limit)
        with self.database.reading() as connection:
            return [view(row) for row in connection.execute(left)]

    @reads
    def counted(self, now: datetime) -> list[Answer]:
        """Answers that counted, oldest first, of the requests whose deadline lies ahead, settled or not."""
        # A requester's own approval is the workflow's own, and came in by no channel.
        lasting = select(requests.c.approval_id).where(requests.c.deadline > now)
        counted = answers.c.state == "accepted", answers.c.channel != OWN_APPROVAL
        query = select(answers).where(answers.c.approval_id.in_(lasting), *counted)
        with self.database.reading() as connection:
            return [view(row) for row in connection.execute(query.order_by(answers.c.at))]

    @reads
    def counted_of(self, approval_id: int) -> list[Answer]:
        """The answers of a request that counted and came in by a channel, in the order of its levels."""
        own = answers.c.channel == OWN_APPROVAL
        counted = answers.c.approval_id == approval_id, answers.c.state == "accepted", ~own
        query = select(answers).where(*counted).order_by(answers.c.level, answers.c.at)
        with self.database.reading() as connection:
            return [view(row) for row in connection.execute(query)]

    @reads
    def last(self, closing: DeadlineCheck) -> TimelyAnswers:
        """What came before the deadline and was not refused, and whether the mailboxes were read up to it.

        What counted is among it: after a crash the request's workflow may know of it no more. Raises NotFound where
        the request is not on record.
        """
        came = (
            select(answers)
            .where(
                answers.c.approval_id == closing.approval_id,
                answers.c.state.in_(("open", "accepted")),
                answers.c.channel != OWN_APPROVAL,
                answers.c.at <= closing.deadline,
            )
            .order_by(answers.c.level, answers.c.at)
        )
        behind = select(mailboxes).where(mailboxes.c.read_through < closing.deadline)
        with self.database.reading() as connection:
            level = request_row(connection, closing.approval_id, closing.run).level
            unread = connection.execute(behind).all()
            in_time = [view(row) for row in connection.execute(came)]
        complete = closing.waited >= LONGEST_WAIT or all(_looked_at_for_long(one, closing) for one in unread)
        return TimelyAnswers(answers=in_time, complete=complete, level=level)

    @reads
    def outcome(self, answer_id: str) -> tuple[str, str]:
        """The state of a stored answer (open, accepted, refused) and its words."""
        with self.database.reading() as connection:
            row = connection.execute(select(answers).where(answers.c.id == answer_id)).one()
        return row.state, row.words

    @reads
    def details(self, answer_id: str) -> dict[str, Any]:
        """What tells programs why a stored answer was refused; empty where it was not, or before that was kept."""
        with self.database.reading() as connection:
            return connection.execute(select(answers.c.details).where(answers.c.id == answer_id)).scalar_one() or {}


def _objection(policy: Policy, route: Route, given: SubmittedAnswer) -> Refused | None:
    """Why an answer could never count, whatever became of its request; None when it could."""
    if not policy.enabled(given.person):
        words = "Your account is disabled or unknown, so your answer can't count."
        return Refused(words, ErrorCode.DISABLED_PERSON)
    if not given.signed_in and route.channels.get(given.channel) != "decide":
        words = f"#{given.approval_id} can't be decided by {given.channel}; its policy wants another channel."
        return Refused(words, ErrorCode.CHANNEL_NOT_ALLOWED, channel=given.channel)
    if given.verdict is Verdict.REJECT and route.rejection_needs_reason and not given.comment.strip():
        words = f"A rejection of #{given.approval_id} needs a reason; say why, and answer again."
        return Refused(words, ErrorCode.REASON_NEEDED)
    return None


def _too_old(request: Row[Any], given: SubmittedAnswer) -> Refused | None:
    """Whether an answer came before its request, and so was to another one that had its number, before a restore."""
    if given.at >= request.opened_at - CLOCKS_DIFFER:
        return None
    words = f"That answer came before #{given.approval_id} was asked; answer the newest message about it."
    return Refused(words, ErrorCode.OTHER_REQUEST, approval_id=given.approval_id)


def _looked_at_for_long(mailbox: Row[Any], closing: DeadlineCheck) -> bool:
    """Whether watchers have looked at a mailbox in vain for long enough since the deadline.

    Only the time counts in which somebody looked: what came in time must not be missed because no worker was there.
    """
    if mailbox.looked_at is None:
        return False
    began = max(mailbox.looking_since, closing.deadline, closing.looked_at)
    return bool(mailbox.looked_at - began >= LONGEST_READING)


def _passed(connection: Connection, request: Row[Any], given: SubmittedAnswer) -> Refused | None:
    """Why an answer to a level that was passed can't count; None when it may take an approval back (rule 2).

    The record is asked, as a workflow may have forgotten in a crash that its request has come to a later level.
    """
    if given.level >= request.level or request.status != Status.WAITING:
        return None
    own = select(answers.c.state).where(
        answers.c.approval_id == given.approval_id,
        answers.c.level == given.level,
        answers.c.person == given.person,
        answers.c.state != "refused",
    )
    states = set(connection.execute(own).scalars())
    if given.verdict is Verdict.REJECT and states:
        return None
    say = counted_at if "accepted" in states else other_level
    return say(given.approval_id, given.level, request.level)


def view(row: Row[Any]) -> Answer:
    """A stored answer as its request judges it."""
    return Answer.model_validate({name: getattr(row, name) for name in Answer.model_fields})


def _refusal(row: Row[Any], words: str) -> AuditEvent:
    proof = {"answer": row.id, "verdict": row.verdict, **row.proof}
    return AuditEvent(
        kind="answer_refused", at=datetime.now(UTC), who=row.person, channel=row.channel, words=words, proof=proof
    )


def _digest(refused: RejectedInput) -> str:
    """What tells it from all else: an id that its sender chose must not hide what comes from others under that id."""
    of = [refused.channel, refused.source_id, refused.who, refused.approval_id, refused.words]
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()


def _tell(connection: Connection, refused: RejectedInput, now: datetime) -> None:
    assert refused.person is not None
    assert refused.event is not None
    row = connection.execute(select(requests.c.level).where(requests.c.approval_id == refused.approval_id))
    level = row.scalar_one_or_none()
    if level is None or _told_lately(connection, refused.person.id, refused.event, now) >= HELP_AT_MOST:
        return
    connection.execute(
        insert(notifications).values(
            id=f"{refused.approval_id}.{ANSWERING_STEP}.{refused.event}.{uuid.uuid4().hex}.{refused.channel}",
            approval_id=refused.approval_id,
            event=refused.event,
            level=level,
            person=refused.person.id,
            channel=refused.channel,
            words=refused.words,
            in_reply_to=refused.source_id,
            state="waiting",
            reference="",
            written_at=now,
            tries=0,
            retry_at=now + FIRST_RETRY,
        )
    )


def _may_tell(connection: Connection, answer: Row[Any], now: datetime) -> bool:
    """Whether the sender of a refused answer is told: who answers again and again gets no mail for each."""
    return _told_lately(connection, answer.person, Event.ANSWER_REFUSED, now) < REFUSALS_TOLD_AT_MOST


def _told_lately(connection: Connection, person: str, event: Event, now: datetime) -> int:
    recent = select(func.count()).where(
        one_of(notifications.c.event, ANSWERING),
        notifications.c.person == person,
        notifications.c.event == event,
        notifications.c.written_at > now - HELP_WITHIN,
    )
    return connection.execute(recent).scalar_one()


def _notice(row: Row[Any], words: str) -> dict[str, Any]:
    return {
        "id": f"{row.approval_id}.{ANSWERING_STEP}.{Event.ANSWER_REFUSED}.{row.id}.{row.channel}",
        "approval_id": row.approval_id,
        "event": Event.ANSWER_REFUSED,
        "level": row.level,
        "person": row.person,
        "channel": row.channel,
        "words": words,
        "in_reply_to": row.proof.get("message_id", ""),
        "state": "waiting",
        "reference": "",
        "written_at": datetime.now(UTC),
        "tries": 0,
        "retry_at": datetime.now(UTC) + FIRST_RETRY,
    }


def count(connection: Connection, decision: Decision) -> bool:
    """Mark the stored answer that a decision stands for as one that counted; False where none is stored."""
    stored = update(answers).where(answers.c.id == decision.answer_id).values(state="accepted", words=COUNTED)
    return connection.execute(stored).rowcount > 0


def add_counted(connection: Connection, approval_id: int, decision: Decision) -> None:
    """Store an answer that came by no channel and has counted."""
    own_id = uuid.uuid4().hex
    row = decision.model_dump(exclude={"answer_id", "lapsed"}) | {
        "id": own_id,
        "approval_id": approval_id,
        "source_id": own_id,
        "proof": {},
        "state": "accepted",
        "words": COUNTED,
    }
    connection.execute(insert(answers).values(row))


def lapse(connection: Connection, answer_ids: Sequence[str], words: str) -> None:
    """Mark answers that counted as ones that do so no longer, in these words."""
    connection.execute(update(answers).where(answers.c.id.in_(answer_ids)).values(state="lapsed", words=words))


def approvals_of(connection: Connection, numbers: Collection[int], but_by: str) -> Sequence[Row[int, str]]:
    """Number and person of each approval of these requests that counted, in their order, but for those of a channel."""
    query = (
        select(answers.c.approval_id, answers.c.person)
        .where(answers.c.approval_id.in_(numbers), answers.c.state == "accepted")
        .where(answers.c.verdict == Verdict.APPROVE, answers.c.channel != but_by)
        .order_by(answers.c.at)
    )
    return connection.execute(query).all()
