"""What must hold of every round, whatever was killed. Each invariant yields what breaks it, by the request's number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from countersign.models import Event, GrantStatus, Status
from tests.workflows.kills.facts import Facts
from tests.workflows.kills.moments import SETTLED
from tests.workflows.kills.people import WHEN

Broken = Iterator[tuple[int, str]]
# A mail's time is by the mail server's clock, in whole seconds.
MAIL_CLOCK = timedelta(seconds=1.5)
QUORUM = {1: {1: 1}, 2: {1: 1, 2: 2}}


def every_request_ends_as_its_people_decided(facts: Facts) -> Broken:
    for number, plan in facts.plans.items():
        status = Status(facts.requests[number].status)
        expected = {Status.APPROVED}
        if plan.kind == "reject":
            expected = {Status.REJECTED}
        elif plan.kind == "opposed" and plan.levels == 2:
            expected = {Status.APPROVED, Status.REJECTED}
        elif plan.kind == "cancel" and plan.withdrawn:
            expected = {Status.CANCELLED}
        elif plan.kind in (*WHEN, "silence"):
            expected = {Status.APPROVED if _has_timely_quorum(facts, number) else Status.EXPIRED}
        if status not in expected:
            yield number, f"is {status}, not {' or '.join(expected)}"


def _has_timely_quorum(facts: Facts, number: int) -> bool:
    plan, deadline = facts.plans[number], facts.requests[number].deadline
    timely = {(row.level, row.person) for row in facts.answers if row.approval_id == number and row.at <= deadline}
    return all(len([one for one in timely if one[0] == level]) >= of for level, of in QUORUM[plan.levels].items())


def record_row_and_workflow_agree(facts: Facts) -> Broken:
    for number, row in facts.requests.items():
        settled = [one.kind for one in facts.events if one.approval_id == number and one.kind in SETTLED]
        if settled != [row.status.lower()]:
            yield number, f"is {row.status}, and the record says {settled}"
        outcome = facts.outcomes.get(number)
        if outcome and (outcome.status, outcome.message) != (row.status, row.message):
            yield number, f"is {row.status}: {row.message}; its workflow says {outcome.status}: {outcome.message}"


def every_answer_is_judged_as_its_person_was_told(facts: Facts) -> Broken:
    for one in facts.said:
        given = (one.number, one.person, one.level, one.channel)
        rows = [row for row in facts.answers if (row.approval_id, row.person, row.level, row.channel) == given]
        states = [row.state for row in rows]
        if one.heard == "mailed" and not rows:  # a mail about what has ended is not stored, but answered
            refused = [row for row in facts.events if (row.approval_id, row.who) == (one.number, one.person)]
            if not any(row.kind == "answer_refused" and row.channel == "email" for row in refused):
                yield one.number, f"{one.person}'s mail is lost"
        elif len(states) != 1 or states[0] not in ("accepted", "refused"):
            yield one.number, f"{one.person} heard {one.heard} by {one.channel}, and their answer is {states}"
        elif one.heard in ("accepted", "refused") and states != [one.heard]:
            yield one.number, f"{one.person} heard {one.heard}, and their answer was {states[0]}"


def no_good_answer_is_refused(facts: Facts) -> Broken:
    for row in facts.answers:
        if row.state != "refused":
            continue
        request, code = facts.requests[row.approval_id], row.details.get("code")
        others = [one for one in facts.decided(row.approval_id) if (one.person, one.level) == (row.person, row.level)]
        late = row.at > request.deadline
        right = {
            "already-settled": request.status != Status.EXPIRED or late,
            "too-late": late,
            "counted-already": bool(others),
            "other-level": row.details.get("at_level", 0) > row.level,
        }
        if not right.get(code, False):
            yield row.approval_id, f"{row.person}'s answer of level {row.level} was refused: {row.message}"


def the_clock_decides_what_is_in_time(facts: Facts) -> Broken:
    """Also by the answerer's clock: what was acknowledged before the deadline counts, what was sent after it never."""
    for row in facts.answers:
        deadline = facts.requests[row.approval_id].deadline
        if row.state == "accepted" and row.at > deadline:
            yield row.approval_id, f"{row.person} answered {row.at - deadline} after the deadline, and it counted"
    for one in facts.said:
        request = facts.requests[one.number]
        slack = MAIL_CLOCK if one.channel == "email" else timedelta(0)
        counted = [row for row in facts.decided(one.number) if (row.person, row.level) == (one.person, one.level)]
        if request.status == Status.EXPIRED and not counted and one.heard_at + slack <= request.deadline:
            yield one.number, f"{one.person} answered {request.deadline - one.heard_at} before the deadline; it expired"
        if counted and one.sent_at - slack > request.deadline:
            yield one.number, f"{one.person} answered {one.sent_at - request.deadline} after the deadline; it counted"


def an_approval_has_each_level_s_quorum(facts: Facts) -> Broken:
    for number, row in facts.requests.items():
        decided = facts.decided(number)
        people = Counter((one.level, one.person) for one in decided if one.verdict == "approve")
        if twice := [one for one, times in people.items() if times > 1]:
            yield number, f"counted twice: {twice}"
        levels, quorum = Counter(level for level, _ in people), QUORUM[facts.plans[number].levels]
        # If Temporal is killed, it may forget an approval that is on record, and wait for one more.
        fits = levels >= Counter(quorum) if _temporal_was_killed(facts, row) else levels == quorum
        if row.status == Status.APPROVED and not fits:
            yield number, f"was approved by {dict(levels)}"
        if any(one.person not in facts.asked(number) for one in decided):
            yield number, f"was decided by somebody who was not asked: {[one.person for one in decided]}"


def _temporal_was_killed(facts: Facts, request: Row[Any]) -> bool:
    kills = (kill for kill in facts.kills if "temporal" in kill.targets and kill.how == "killed")
    return any(request.opened_at <= kill.at <= request.settled_at for kill in kills)


def there_is_a_grant_exactly_where_approved(facts: Facts) -> Broken:
    for number, row in facts.requests.items():
        grant, plan = facts.grants.get(number), facts.plans[number]
        if (grant is not None) != (row.status == Status.APPROVED):
            yield number, f"is {row.status}, and its grant is {grant}"
        if grant is not None:
            if number not in facts.lasting:
                yield number, "has a grant that nothing will end"
            if (grant.status == GrantStatus.REVOKED) != plan.revoked:
                yield number, f"was{'' if plan.revoked else ' not'} revoked, and its grant is {grant.status}"


def the_record_has_no_gap_and_nothing_twice(facts: Facts) -> Broken:
    if facts.versions != list(range(1, len(facts.versions) + 1)):
        yield 0, "the versions of the record have a gap"
    for number, row in facts.requests.items():
        kinds, grant = facts.kinds(number), facts.grants.get(number)
        expected = {"opened": 1, "level_started": row.level, "answered": len(facts.decided(number))}
        expected |= {"granted": 1 if grant else 0, "grant_revoked": 1 if facts.plans[number].revoked else 0}
        if wrong := {kind: kinds[kind] for kind, times in expected.items() if kinds[kind] != times}:
            yield number, f"the record has {wrong} and should have { ({kind: expected[kind] for kind in wrong}) }"
    same = Counter(
        (row.approval_id, row.kind, row.who, str(row.proof))
        for row in facts.events
        if row.proof and row.kind != "asked_again"
    )
    for (number, *what), times in same.items():
        if times > 1:
            yield number, f"{times} times on record: {what}"


def each_is_told_once(facts: Facts) -> Broken:
    told = Counter((row.approval_id, row.event, row.person, row.level) for row in facts.notifications)
    for number, row in facts.requests.items():
        concerned = {row.requester, *facts.asked(number)}
        must = [(number, Event.SETTLED, one, row.level) for one in concerned]
        must += [(number, Event.ASKED, one.person, one.level) for one in facts.approvers if one.approval_id == number]
        if facts.plans[number].revoked:
            must += [(number, Event.GRANT_ENDED, one, row.level) for one in concerned]
        for one in must:
            if told[one] != 1:
                yield number, f"{one[2]} is told {told[one]} times: {one[1]}, level {one[3]}"
    for row in facts.notifications:
        unconfirmed = row.state == "unreachable" and row.unconfirmed  # what may have got through twice
        if row.state not in ("sent", "moot") and not unconfirmed:
            yield row.approval_id, f"the notification {row.id} is {row.state}"
        if row.state == "moot" and row.event in (Event.SETTLED, Event.GRANT_ENDED):
            yield row.approval_id, f"{row.person} was never told: {row.event}"


def each_mail_comes_once_save_a_copy_for_a_kill(facts: Facts) -> Broken:
    """Once more for each kill while it was being sent; test_killed_sending.py checks how few these copies are."""
    for row in (row for row in facts.notifications if row.state == "sent" and row.channel == "email"):
        came = facts.inboxes[row.person][row.reference]
        may = 1 + sum(row.id in kill.being_sent for kill in facts.kills)
        if not 1 <= came <= may:
            yield row.approval_id, f"the mail {row.id} came {came} times, and may have come {may} times"


def nobody_who_acts_late_is_left_without_word(facts: Facts) -> Broken:
    """Everybody whose mail was refused hears why."""
    for row in facts.answers:
        if row.state == "refused" and row.channel == "email":
            told = [
                one
                for one in facts.notifications
                if one.event == Event.ANSWER_REFUSED and one.id.split(".")[-2] == row.id
            ]
            if len(told) != 1:
                yield row.approval_id, f"{row.person} was told {len(told)} times why their mail did not count"


INVARIANTS: list[Callable[[Facts], Broken]] = [
    every_request_ends_as_its_people_decided,
    record_row_and_workflow_agree,
    every_answer_is_judged_as_its_person_was_told,
    no_good_answer_is_refused,
    the_clock_decides_what_is_in_time,
    an_approval_has_each_level_s_quorum,
    there_is_a_grant_exactly_where_approved,
    the_record_has_no_gap_and_nothing_twice,
    each_is_told_once,
    each_mail_comes_once_save_a_copy_for_a_kill,
    nobody_who_acts_late_is_left_without_word,
]
