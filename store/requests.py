"""Requests: opened, changed step by step as their workflow says, and read."""

import math
import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from countersign import policy as rules
from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import CountersignError, Refused, TooMany, no_request
from countersign.grant_reuse import being_decided, on_record
from countersign.models import (
    Asked,
    Decision,
    Event,
    GrantStatus,
    LevelPeople,
    Outcome,
    Question,
    Route,
    Status,
    Verdict,
)
from countersign.times import moment
from countersign.transitions import (
    AskAgain,
    AuditEvent,
    Availability,
    GrantTerms,
    LevelStart,
    Opened,
    Opening,
    OpenReply,
    Recheck,
    Recipient,
    RecordedTransition,
    Settled,
    Transition,
    gone,
)
from store.database import Database, reads
from store.events import append
from store.grants import Grants
from store.notifications import Notifications, lost_of
from store.policies import Policies
from store.repeats import append_or_count
from store.tables import STANDINGS, answers, approvers, events, grants, requests, signals, steps

# Temporal takes 2000 updates of one workflow and no more: half of them are left for answers.
MOST_REPEATS = 1000
FIRST_STEP = 1
LAPSED = "It counted, and does so no longer: its approver was disabled while the level was open."
AN_HOUR = timedelta(hours=1)


class Requests:
    """The writing side: what a request's workflow asks for.

    `minute` is how long one of the policy's minutes lasts; `most_an_hour` how many requests may be opened for one
    person within an hour, 0 for any number.
    """

    def __init__(
        self,
        database: Database,
        policies: Policies,
        held: Grants,
        told: Notifications,
        minute: timedelta = timedelta(minutes=1),
        most_an_hour: int = 0,
    ) -> None:
        self.database = database
        self.policies = policies
        self.grants = held
        self.notifications = told
        self.minute = minute
        self.most_an_hour = most_an_hour
        self._insert = (sqlite if database.is_sqlite else postgresql).insert

    def open(self, opening: Opening) -> OpenReply:
        """Give a question its number, its route and the people of its first level.

        A run that was opened before gets the same reply. Raises Refused, recorded, where the rules refuse the question.
        """
        with self.database.transaction() as connection:
            reply, refused = self._open(connection, opening)
        if refused:
            raise refused
        return reply

    def _open(self, connection: Connection, opening: Opening) -> tuple[OpenReply, CountersignError | None]:
        question = opening.question
        version, policy = self.policies.in_force(connection)
        known = connection.execute(select(requests).where(requests.c.run_id == opening.run_id)).one_or_none()
        if known is not None:
            return OpenReply(opened=_opened(known, policy, self.minute)), None
        self._settle_older(connection, opening)
        held, refused = self.grants.answer_in(connection, question, _who_asks(opening))
        if held is not None:
            outcome = Outcome(approval_id=held.approval_id, status=Status.APPROVED, words=held.words, grant=held.grant)
            return OpenReply(outcome=outcome), None
        if refused:
            return OpenReply(), refused
        try:
            route = rules.route(policy, question).model_copy(update={"policy_version": version})
            self._must_have_room(connection, question.requester)
        except (Refused, TooMany) as error:
            _record_refusal(connection, policy, question, _who_asks(opening), str(error))
            return OpenReply(), error
        row = _insert(connection, opening, route, self.minute)
        return OpenReply(opened=_opened(row, policy, self.minute)), None

    def _must_have_room(self, connection: Connection, requester: str) -> None:
        """Raise TooMany where as many requests were opened for this person within an hour as may be.

        Each asks people, by mail and otherwise: so this bounds what they are sent, too.
        """
        if not self.most_an_hour:
            return
        own = requests.c.requester == requester
        newest = select(requests.c.opened_at).where(own).order_by(requests.c.approval_id.desc())
        first = connection.execute(newest.offset(self.most_an_hour - 1).limit(1)).scalar_one_or_none()
        left = first + AN_HOUR - datetime.now(UTC) if first else timedelta(0)
        if left > timedelta(0):
            minutes = math.ceil(left / timedelta(minutes=1))
            raise TooMany(
                f"{self.most_an_hour} requests were opened for {requester} within an hour, and more are not; ask again "
                f"in {minutes} {'minute' if minutes == 1 else 'minutes'}.",
                ErrorCode.TOO_MANY_REQUESTS,
                limit=self.most_an_hour,
                retry_after=math.ceil(left.total_seconds()),
            )

    @reads
    def people(self, start: LevelStart) -> LevelPeople:
        """The people of a level, as the directory has them now."""
        with self.database.reading() as connection:
            row = request_row(connection, start.approval_id, start.run)
            _, policy = self.policies.in_force(connection)
            return rules.people(policy, Route.model_validate(row.route), start.level, row.requester)

    def write(self, step: Transition) -> RecordedTransition:
        """Write one step: status, people, decision, grant, notices and record, in one transaction, once.

        A request that has ended on record stays as it ended, and what relies on somebody disabled is not written.
        """
        try:
            with self.database.transaction() as connection:
                return self._write_once(connection, step)
        except _ReliesOnDisabled as error:
            return RecordedTransition(disabled=error.people)

    def _write_once(self, connection: Connection, step: Transition) -> RecordedTransition:
        row = request_row(connection, step.approval_id, step.run, lock=True)
        number = row.step + 1
        if row.status != Status.WAITING or not self._is_new(connection, step, number):
            return _written_before(connection, step, row)
        self.policies.in_force(connection)  # a new version takes long to read, and the feed's lock is not held yet
        self._write(connection, step, row, number)
        lines, grant = _open_grant(connection, step, row, self.minute) if step.opens_grant else ([], None)
        append(connection, step.approval_id, [*step.lines, *lines])
        # Every policy is put in force under the feed's lock, which is ours now: what is in force stays so.
        _, policy = self.policies.in_force(connection)
        if disabled := [one for one in step.relies_on if not policy.enabled(one)]:
            raise _ReliesOnDisabled(disabled)
        return RecordedTransition(number=number, grant=grant)

    def _settle_older(self, connection: Connection, opening: Opening) -> None:
        """Settle what waits on record for the same question: of one id Temporal runs one workflow, and that is ours.

        Unless ours was ended past us, and a newer one has opened its request before this was carried out.
        """
        question = opening.question
        older = select(requests).where(
            requests.c.requester == question.requester,
            requests.c.status == Status.WAITING,
            requests.c.workflow_id == opening.workflow_id,
        )
        for row in connection.execute(older).all():
            if _is_newer(row, opening):
                raise Refused(f"#{row.approval_id} has been opened since for the same question.")
            self._write_once(connection, gone(row.approval_id, row.run_id, row.level, question.requester))

    def _is_new(self, connection: Connection, step: Transition, number: int) -> bool:
        row = {"approval_id": step.approval_id, "key": step.key, "number": number}
        return connection.execute(self._insert(steps).values(row).on_conflict_do_nothing()).rowcount > 0

    def _write(self, connection: Connection, step: Transition, row: Row[Any], number: int) -> None:
        # A workflow that has forgotten in a crash what its request came to doesn't take the record back to that.
        level = max(row.level, step.level)
        change = {"step": number, "status": step.status, "words": step.words, "level": level}
        if step.status is not Status.WAITING:
            change["settled_at"] = step.at
        connection.execute(update(requests).where(requests.c.approval_id == step.approval_id).values(change))
        self._seat(connection, step, number)
        if step.decision is not None:
            _decide(connection, step.approval_id, step.decision)
        if step.lapsed:
            lapsed = update(answers).where(answers.c.id.in_(step.lapsed))
            connection.execute(lapsed.values(state="lapsed", words=LAPSED))
        tell = step.tell
        if number == FIRST_STEP and step.status is Status.WAITING:
            tell = [Recipient(event=Event.OPENED, person=row.requester), *tell]
        if step.status is not Status.WAITING:
            tell = [*tell, *_also_asked(connection, step)]
        self.notifications.write(connection, row, step.level, number, step.at, tell)

    def _seat(self, connection: Connection, step: Transition, number: int) -> None:
        """Seat who is asked now, as they stood at the levels before, and note who stands worse than that."""
        of_request = approvers.c.approval_id == step.approval_id
        if step.seated:
            standing = _stood(connection, step.approval_id) if number > FIRST_STEP else {}
            rows = [
                {
                    "approval_id": step.approval_id,
                    "level": step.level,
                    "person": one.person,
                    "because": one.because,
                    "standing": standing.get(one.person, ""),
                }
                for one in step.seated
            ]
            # After a crash somebody may be asked by another change than the one that is on record.
            connection.execute(self._insert(approvers).values(rows).on_conflict_do_nothing())
        for person, why in step.standing.items():
            seat = of_request & (approvers.c.person == person) & (approvers.c.level == step.level)
            better = approvers.c.standing.in_(STANDINGS[: STANDINGS.index(why)])
            connection.execute(update(approvers).where(seat, better).values(standing=why))

    def ask_again(self, again: AskAgain) -> None:
        """Record that somebody asked while the request was open, once."""
        row = {"approval_id": again.approval_id, "key": again.key, "number": 0}
        with self.database.transaction() as connection:
            request_row(connection, again.approval_id, again.run)
            if connection.execute(self._insert(steps).values(row).on_conflict_do_nothing()).rowcount:
                append(connection, again.approval_id, [again.line])

    def answer_on_record(self, question: Question, who: str, request_id: str) -> Asked | None:
        """Answer a question by a grant that lasts, or by the request that waits and was asked for MOST_REPEATS times.

        None where its workflow has to be asked. Raises Refused, recorded, when the grant doesn't cover the question.
        """
        return self.grants.ask(question, who) or self._join_often_asked(question, who, request_id)

    def _join_often_asked(self, question: Question, who: str, request_id: str) -> Asked | None:
        often = (
            select(requests)
            .join(events, events.c.approval_id == requests.c.approval_id)
            .where(
                requests.c.requester == question.requester,
                requests.c.device == question.device,
                requests.c.protocol == question.protocol,
                requests.c.status == Status.WAITING,
                events.c.kind == "asked_again",
            )
            .offset(MOST_REPEATS - 1)
            .limit(1)
        )
        with self.database.reading() as connection:
            row = connection.execute(often).one_or_none()
        if row is None:
            return None
        now, words = datetime.now(UTC), "while it was open"
        line = AuditEvent(kind="asked_again", at=now, who=who, words=words, proof=on_record(question))
        with self.database.transaction() as connection:
            append_or_count(connection, row.approval_id, line, who, row.approval_id)
        return _joined(row, question)

    @reads
    def waiting_for(self, question: Question) -> int | None:
        """The number of the request that waits for a decision on this question; None where it has none yet."""
        waiting = select(requests.c.approval_id).where(
            requests.c.requester == question.requester,
            requests.c.device == question.device,
            requests.c.protocol == question.protocol,
            requests.c.status == Status.WAITING,
        )
        with self.database.reading() as connection:
            return connection.execute(waiting.limit(1)).scalar_one_or_none()

    @reads
    def standing(self, look: Recheck) -> Availability:
        """Who of these people may no longer act, or can't be reached on any channel."""
        with self.database.reading() as connection:
            row = request_row(connection, look.approval_id, look.run)
            version, policy = self.policies.in_force(connection)
            lost = _unreachable(connection, look.approval_id)
            away = _signalled(connection, look.approval_id, "away")
        nobody_at = 0
        if look.level is not None:
            route = Route.model_validate(row.route)
            nobody_at = rules.level_without_people(policy, route, row.requester, look.level + 1, lost)
        return Availability(
            requester_disabled=not policy.enabled(row.requester),
            why_disabled=rules.why_gone(policy, version, row.requester),
            disabled=[one for one in look.people if not policy.enabled(one)],
            unreachable=[one for one in look.people if one in lost],
            away=[one for one in look.people if one in away],
            nobody_at=nobody_at,
        )


class _ReliesOnDisabled(Exception):
    """Rolls back a step that relies on people who are disabled."""

    def __init__(self, people: list[str]) -> None:
        super().__init__()
        self.people = people


def _insert(connection: Connection, opening: Opening, route: Route, minute: timedelta) -> Row[Any]:
    question, now = opening.question, datetime.now(UTC)
    row = connection.execute(
        insert(requests)
        .values(
            workflow_id=opening.workflow_id,
            run_id=opening.run_id,
            token_run=opening.run_id,
            started_at=opening.started_at,
            question=question.model_dump(mode="json"),
            asked_by=opening.asked_by,
            route=route.model_dump(mode="json"),
            requester=question.requester,
            device=question.device,
            protocol=question.protocol,
            status=Status.WAITING,
            words="",
            level=0,
            opened_at=now,
            deadline=now + route.expire_minutes * minute,
            step=0,
        )
        .returning(requests)
    ).one()
    who = _who_asks(opening)
    words = route.because if who == question.requester else f"for {question.requester}: {route.because}"
    append(connection, row.approval_id, [AuditEvent(kind="opened", at=now, who=who, words=words)])
    return row


def _is_newer(row: Row[Any], opening: Opening) -> bool:
    """Whether a request's workflow was started later than the one that opens now; both by Temporal's clock."""
    known = row.started_at is not None and opening.started_at is not None
    return known and row.started_at > opening.started_at


def _who_asks(opening: Opening) -> str:
    return opening.asked_by or opening.question.requester


def _joined(row: Row[Any], again: Question) -> Asked:
    question, minutes = Question.model_validate(row.question), Route.model_validate(row.route).grant_minutes
    return Asked(
        approval_id=row.approval_id,
        status=Status.WAITING,
        joined=True,
        words=being_decided(row.approval_id, question, minutes, again),
        reason=question.reason,
        ticket=question.ticket,
        minutes=minutes,
        source_address=question.source_address,
    )


def _opened(row: Row[Any], policy: Policy, minute: timedelta) -> Opened:
    route = Route.model_validate(row.route)
    people = rules.people(policy, route, 1, row.requester) if route.levels else None
    return Opened(
        approval_id=row.approval_id,
        run=row.run_id,
        route=route,
        opened_at=row.opened_at,
        deadline=row.deadline,
        minute=minute,
        people=people,
        nobody_at=rules.level_without_people(policy, route, row.requester),
        in_turn=True,
    )


def _record_refusal(connection: Connection, policy: Policy, question: Question, who: str, words: str) -> None:
    asked = {"requester": question.requester, "device": question.device, "protocol": question.protocol}
    proof = asked | on_record(question)
    line = AuditEvent(kind="refused", at=datetime.now(UTC), who=who, words=words, proof=proof)
    requester = question.requester if question.requester in policy.users else "unknown"
    append_or_count(connection, None, line, who, requester)


def request_row(connection: Connection, approval_id: int, run: str = "", lock: bool = False) -> Row[Any]:
    """A request's row; NotFound where there is none, or where its number is another run's.

    `lock` holds it until the transaction ends.
    """
    query = select(requests).where(requests.c.approval_id == approval_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None or run not in ("", row.run_id):
        raise no_request(approval_id)
    return row


def _also_asked(connection: Connection, step: Transition) -> list[Recipient]:
    """Who was asked, as the record says, and is not among those whom the step of a settled request tells (rule 9)."""
    told = {one.person for one in step.tell if one.event is Event.SETTLED}
    of_request = approvers.c.approval_id == step.approval_id
    asked = select(approvers.c.person).where(of_request).distinct().order_by(approvers.c.person)
    return [
        Recipient(event=Event.SETTLED, person=one) for one in connection.execute(asked).scalars() if one not in told
    ]


def _written_before(connection: Connection, step: Transition, row: Row[Any]) -> RecordedTransition:
    """What the step brought when it was written before; or, where it came too late, how the request had ended."""
    same = (steps.c.approval_id == step.approval_id) & (steps.c.key == step.key)
    number = connection.execute(select(steps.c.number).where(same)).scalar_one_or_none() or 0
    grant = _grant(connection, step.approval_id)
    # Two people's wishes to cancel make one step, and more may have followed on a step than its workflow remembers.
    as_on_record = number and (row.status == Status.WAITING or (row.status, row.words) == (step.status, step.words))
    return RecordedTransition(number=number, instead=None if as_on_record else _settled(connection, row), grant=grant)


def _stood(connection: Connection, approval_id: int) -> dict[str, str]:
    """How those who were asked before stood at last."""
    asked = select(approvers.c.person, approvers.c.standing).where(approvers.c.approval_id == approval_id)
    stood = sorted(connection.execute(asked), key=lambda row: STANDINGS.index(row.standing))
    return {row.person: row.standing for row in stood}


def _grant(connection: Connection, approval_id: int) -> GrantTerms | None:
    query = select(grants, requests.c.token_run).join(requests, requests.c.approval_id == grants.c.approval_id)
    row = connection.execute(query.where(grants.c.approval_id == approval_id)).one_or_none()
    if row is None:
        return None
    return GrantTerms(approval_id=approval_id, starts_at=row.starts_at, ends_at=row.ends_at, run=row.token_run)


def _settled(connection: Connection, row: Row[Any]) -> Settled:
    return Settled(status=Status(row.status), words=row.words, decisions=decisions_of(connection, row.approval_id))


def _decide(connection: Connection, approval_id: int, decision: Decision) -> None:
    """Mark the stored answer as one that counted; the requester's own approval was not stored before, and is now."""
    stored = update(answers).where(answers.c.id == decision.answer_id).values(state="accepted", words="It counted.")
    if connection.execute(stored).rowcount:
        return
    own_id = uuid.uuid4().hex
    row = decision.model_dump(exclude={"answer_id", "lapsed"}) | {
        "id": own_id,
        "approval_id": approval_id,
        "source_id": own_id,
        "proof": {},
        "state": "accepted",
        "words": "It counted.",
    }
    connection.execute(insert(answers).values(row))


def _open_grant(
    connection: Connection, step: Transition, row: Row[Any], minute: timedelta
) -> tuple[list[AuditEvent], GrantTerms]:
    """Rule 8: the grant's clock starts at approval."""
    question = Question.model_validate(row.question)
    ends_at = step.at + Route.model_validate(row.route).grant_minutes * minute
    connection.execute(
        insert(grants).values(
            approval_id=step.approval_id,
            requester=question.requester,
            device=question.device,
            protocol=question.protocol,
            source_address=question.source_address,
            status=GrantStatus.ACTIVE,
            starts_at=step.at,
            ends_at=ends_at,
            words="",
        )
    )
    line = AuditEvent(kind="granted", at=step.at, who=question.requester, words=f"until {moment(ends_at)}")
    terms = GrantTerms(approval_id=step.approval_id, starts_at=step.at, ends_at=ends_at, run=row.token_run)
    return [line], terms


def _unreachable(connection: Connection, approval_id: int) -> set[str]:
    """People to whom no notice of this request got through, or whose mail bounced."""
    return lost_of(connection, approval_id) | _signalled(connection, approval_id, "unreachable")


def _signalled(connection: Connection, approval_id: int, signal: str) -> set[str]:
    """The people of whom a channel reported this about this request."""
    of_request = (signals.c.approval_id == approval_id) & (signals.c.signal == signal)
    return set(connection.execute(select(signals.c.person).where(of_request)).scalars())


def decisions_of(connection: Connection, approval_id: int) -> list[Decision]:
    """The answers that counted, in the order they came in."""
    return decisions_by_request(connection, [approval_id]).get(approval_id, [])


def decisions_by_request(connection: Connection, approval_ids: Sequence[int]) -> dict[int, list[Decision]]:
    """The same of several requests, by their numbers."""
    counted = (
        select(answers)
        .where(answers.c.approval_id.in_(approval_ids), answers.c.state.in_(("accepted", "lapsed")))
        .order_by(answers.c.approval_id, answers.c.at)
    )
    found: dict[int, list[Decision]] = defaultdict(list)
    for row in connection.execute(counted):
        found[row.approval_id].append(_decision(row))
    return found


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
