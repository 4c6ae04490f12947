"""The rules of approval, by number, as far as the ballot decides them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from countersign.ballot import Ballot
from countersign.models import OWN_APPROVAL, Answer, Approver, LevelPeople, LevelRule, NamedUser, Status, Verdict

START = datetime(2025, 1, 1, 12, tzinfo=UTC)
DEADLINE = START + timedelta(minutes=60)


def level_rule(quorum: int = 1, themselves: bool = False) -> LevelRule:
    return LevelRule(approvers=[NamedUser(user="x")], quorum=quorum, members_may_approve_themselves=themselves)


def a_ballot(*levels: LevelRule, own: bool = False) -> Ballot:
    return Ballot(
        approval_id=1042,
        requester="alice",
        levels=list(levels) or [level_rule()],
        own_approval_counts=own,
        deadline=DEADLINE,
    )


def people(*ids: str, fallback: tuple[str, ...] = (), managers: tuple[str, ...] = ()) -> LevelPeople:
    return LevelPeople(
        approvers=[Approver(person=one, because="chosen", as_manager=one in managers) for one in ids],
        fallback=[Approver(person=one, because="fallback approver") for one in fallback],
    )


def answer(person: str, verdict: Verdict = Verdict.APPROVE, **fields: Any) -> Answer:
    said = {"id": f"{person}-{verdict}", "approval_id": 1042, "level": 1, "channel": "email", "at": START}
    return Answer.model_validate(said | {"person": person, "verdict": verdict} | fields)


def started(*ids: str, quorum: int = 1, **fields: Any) -> Ballot:
    """A ballot whose only level has begun."""
    ballot = a_ballot(level_rule(quorum))
    ballot.start_level(people(*ids, **fields), START)
    return ballot


def who(asked: list[Approver]) -> list[str]:
    return [one.person for one in asked]


def refused(ballot: Ballot, given: Answer) -> str:
    """The words of the refusal; a refused answer leaves everything as it was."""
    before = ballot.model_dump()
    refusal = ballot.judge(given)
    assert refusal is not None
    with pytest.raises(ValueError) as error:
        ballot.count(given)
    assert str(error.value) == str(refusal)
    assert ballot.model_dump() == before
    return str(refusal)


# --- rule 1c --------------------------------------------------------------------------------------------------------


def test_rule_1c_nobody_requires_it_approved_at_once() -> None:
    ballot = Ballot(approval_id=1, requester="alice", levels=[], own_approval_counts=False, deadline=DEADLINE)
    ballot.approve_at_once("Nobody requires approval.")
    assert (ballot.status, ballot.message) == (Status.APPROVED, "Nobody requires approval.")


def test_rule_1c_is_not_for_a_request_that_somebody_has_to_agree_to() -> None:
    ballot = a_ballot()
    with pytest.raises(ValueError, match="somebody has to agree"):
        ballot.approve_at_once("no")
    assert ballot.status is Status.WAITING


# --- rule 2 ---------------------------------------------------------------------------------------------------------


def test_rule_2_the_quorum_is_a_number_of_distinct_people() -> None:
    ballot = started("grace", "heidi", "ivan", quorum=2)
    ballot.count(answer("grace"))
    assert ballot.status is Status.WAITING
    assert "counted already" in refused(ballot, answer("grace", id="again", channel="slack"))
    ballot.count(answer("ivan"))
    assert (ballot.status, ballot.message) == (Status.APPROVED, "Approved by grace, ivan.")


def test_rule_2_levels_are_passed_one_after_another() -> None:
    ballot = a_ballot(level_rule(), level_rule(quorum=2))
    assert who(ballot.start_level(people("grace"), START)) == ["grace"]
    ballot.count(answer("grace"))
    assert (ballot.level_passed, ballot.settled) == (True, False)
    assert who(ballot.start_level(people("heidi", "grace"), START)) == ["heidi", "grace"]
    ballot.count(answer("heidi", level=2))
    assert "not for" not in refused(ballot, answer("heidi", level=1))
    ballot.count(answer("grace", level=2))
    assert ballot.status is Status.APPROVED


def test_rule_2_a_level_is_not_left_before_it_is_passed() -> None:
    ballot = a_ballot(level_rule(), level_rule())
    ballot.start_level(people("grace"), START)
    with pytest.raises(ValueError):
        ballot.start_level(people("heidi"), START)
    assert ballot.level == 1
    assert ballot.judge(answer("grace")) is None


def test_rule_2_there_is_no_level_after_the_last() -> None:
    ballot = Ballot(approval_id=1, requester="alice", levels=[], own_approval_counts=False, deadline=DEADLINE)
    with pytest.raises(ValueError):
        ballot.start_level(people("grace"), START)


def test_rule_2_an_answer_for_another_level_is_refused() -> None:
    ballot = a_ballot(level_rule(), level_rule())
    ballot.start_level(people("grace", "heidi"), START)
    assert "was for level 2; #1042 is at level 1" in refused(ballot, answer("grace", level=2))
    ballot.count(answer("grace"))
    ballot.start_level(people("heidi"), START)
    assert "was for level 1; #1042 is at level 2" in refused(ballot, answer("heidi", level=1))


def test_rule_2_one_rejection_ends_the_request() -> None:
    ballot = started("grace", "heidi", quorum=2)
    ballot.count(answer("grace"))
    ballot.count(answer("heidi", Verdict.REJECT, comment="not today"))
    assert (ballot.status, ballot.message) == (Status.REJECTED, "Rejected by heidi: not today")


def test_rule_2_who_approved_may_still_reject_while_it_waits() -> None:
    ballot = started("grace", "heidi", quorum=2)
    ballot.count(answer("grace"))
    ballot.count(answer("grace", Verdict.REJECT))
    assert (ballot.status, ballot.message) == (Status.REJECTED, "Rejected by grace.")


def test_rule_2_who_approved_an_earlier_level_may_still_reject_and_only_they() -> None:
    ballot = a_ballot(level_rule(), level_rule())
    ballot.start_level(people("grace", "heidi"), START)
    ballot.count(answer("grace"))
    ballot.start_level(people("ivan"), START)
    assert "was for level 1" in refused(ballot, answer("heidi", Verdict.REJECT))
    message = "Your approval of level 1 has been counted already; #1042 is at level 2."
    assert refused(ballot, answer("grace")) == message
    ballot.count(answer("grace", Verdict.REJECT))
    assert ballot.status is Status.REJECTED


@pytest.mark.parametrize("person", ["mallory", "zoe"])
def test_rule_2_somebody_who_is_not_asked_decides_nothing(person: str) -> None:
    assert "You are not asked about #1042" in refused(started("grace"), answer(person))


def test_an_answer_to_another_request_decides_nothing() -> None:
    assert "was for #1041" in refused(started("grace"), answer("grace", approval_id=1041))


def test_an_answer_before_the_first_level_decides_nothing() -> None:
    ballot = a_ballot()
    for level in (0, 1):
        refused(ballot, answer("grace", level=level))


# --- rule 3 ---------------------------------------------------------------------------------------------------------


def test_rule_3_a_manager_s_own_approval_is_counted_and_said() -> None:
    ballot = a_ballot(own=True)
    assert ballot.start_level(people("alice", "grace", managers=("alice",)), START) == []
    assert ballot.status is Status.APPROVED
    [decision] = ballot.decisions
    assert (decision.person, decision.channel, decision.verdict) == ("alice", OWN_APPROVAL, Verdict.APPROVE)
    assert decision.comment == "The requester is chosen."


def test_rule_3_the_own_approval_is_one_person_towards_the_quorum() -> None:
    ballot = a_ballot(level_rule(quorum=2), own=True)
    assert who(ballot.start_level(people("alice", "grace", managers=("alice",)), START)) == ["grace"]
    assert ballot.status is Status.WAITING
    ballot.count(answer("grace"))
    assert ballot.message == "Approved by alice, grace."


@pytest.mark.parametrize(
    ("own", "themselves", "manager", "counts"),
    [
        (True, False, True, True),
        (True, True, False, True),
        (True, False, False, False),
        (False, False, True, False),
        (False, True, True, False),
    ],
)
def test_rule_3_when_the_own_approval_counts(own: bool, themselves: bool, manager: bool, counts: bool) -> None:
    ballot = a_ballot(level_rule(themselves=themselves), own=own)
    ballot.start_level(people("alice", "grace", managers=("alice",) if manager else ()), START)
    assert (ballot.status is Status.APPROVED) is counts


@pytest.mark.parametrize("verdict", list(Verdict))
def test_rule_3_the_requester_never_answers_their_own_request(verdict: Verdict) -> None:
    ballot = started("alice", "grace", fallback=("alice",))
    assert "alice" not in ballot.asked
    assert "own request" in refused(ballot, answer("alice", verdict))


def test_rule_3_nor_after_their_own_approval_was_counted() -> None:
    ballot = a_ballot(level_rule(quorum=2), own=True)
    ballot.start_level(people("alice", "grace", managers=("alice",)), START)
    assert "own request" in refused(ballot, answer("alice"))


def test_rule_3_the_requester_is_no_fallback_approver_of_their_own() -> None:
    ballot = a_ballot()
    ballot.start_level(people(fallback=("alice",)), START)
    assert ballot.status is Status.REJECTED


def test_rule_3_no_own_approval_after_the_deadline() -> None:
    ballot = a_ballot(own=True)
    ballot.start_level(people("alice", "grace", managers=("alice",)), DEADLINE + timedelta(seconds=1))
    assert ballot.decisions == []
    assert ballot.status is not Status.APPROVED


# --- rule 4 ---------------------------------------------------------------------------------------------------------


def test_rule_4_too_few_people_and_the_fallback_approvers_are_asked_too() -> None:
    ballot = a_ballot(level_rule(quorum=2))
    assert who(ballot.start_level(people("grace", fallback=("heidi", "ivan")), START)) == ["grace", "heidi", "ivan"]
    ballot.count(answer("grace"))
    ballot.count(answer("ivan"))
    assert ballot.status is Status.APPROVED


def test_rule_4_enough_people_and_the_fallback_approvers_are_left_alone() -> None:
    ballot = a_ballot()
    assert who(ballot.start_level(people("grace", fallback=("heidi",)), START)) == ["grace"]
    assert "not asked" in refused(ballot, answer("heidi"))


def test_rule_4_too_few_even_so_and_it_is_rejected_at_once() -> None:
    ballot = a_ballot(level_rule(quorum=3))
    assert ballot.start_level(people("grace", fallback=("heidi",)), START) == []
    assert ballot.status is Status.REJECTED
    assert ballot.message.startswith("There is nobody to ask: level 1 needs 3")


@pytest.mark.parametrize("why", ["disabled", "unreachable"])
def test_rule_4_is_looked_at_again_when_somebody_is_gone(why: Any) -> None:
    ballot = started("grace", fallback=("heidi",))
    assert who(ballot.leave_out("grace", why)) == ["heidi"]
    assert ballot.leave_out("grace", why) == []
    assert ballot.leave_out("heidi", why) == []
    assert ballot.status is Status.REJECTED


def test_rule_4_who_approved_before_going_still_counts() -> None:
    ballot = started("grace", "heidi", quorum=2, fallback=("ivan",))
    ballot.count(answer("grace"))
    assert ballot.leave_out("grace", "unreachable") == []
    ballot.count(answer("heidi"))
    assert ballot.status is Status.APPROVED


def test_rule_4_somebody_disabled_is_not_asked_as_a_fallback() -> None:
    ballot = started("grace", fallback=("heidi", "ivan"))
    assert ballot.leave_out("heidi", "disabled") == []
    assert who(ballot.leave_out("grace", "unreachable")) == ["ivan"]


def test_rule_4_somebody_disabled_while_the_next_level_was_looked_up_is_not_asked() -> None:
    ballot = a_ballot(level_rule(), level_rule())
    ballot.start_level(people("grace"), START)
    ballot.count(answer("grace"))
    ballot.leave_out("heidi", "disabled")
    assert who(ballot.start_level(people("heidi", fallback=("ivan",)), START)) == ["ivan"]


def test_rule_4_somebody_unreachable_by_one_way_may_still_answer_by_another() -> None:
    ballot = started("grace", fallback=("heidi",))
    ballot.leave_out("grace", "unreachable")
    ballot.count(answer("grace", channel="slack"))
    assert ballot.status is Status.APPROVED


# --- rule 5 ---------------------------------------------------------------------------------------------------------


def test_rule_5_waiting_becomes_expired() -> None:
    ballot = started("grace")
    ballot.expire()
    assert ballot.status is Status.EXPIRED
    assert ballot.message == "Nobody decided by Wed 1 Jan 2025, 13:00 UTC."


@pytest.mark.parametrize("verdict", list(Verdict))
def test_rule_5_a_late_answer_changes_nothing_though_nobody_was_awake_at_the_deadline(verdict: Verdict) -> None:
    late = DEADLINE + timedelta(microseconds=1)
    assert "had to be answered by Wed 1 Jan 2025, 13:00 UTC" in refused(
        started("grace"), answer("grace", verdict, at=late)
    )


def test_rule_5_an_answer_at_the_deadline_counts() -> None:
    ballot = started("grace")
    ballot.count(answer("grace", at=DEADLINE))
    assert ballot.status is Status.APPROVED


def test_rule_5_a_late_sender_is_told_the_outcome() -> None:
    ballot = started("grace")
    ballot.expire()
    assert refused(ballot, answer("grace")) == "#1042 is already Expired: Nobody decided by Wed 1 Jan 2025, 13:00 UTC."


# --- rule 6 and final statuses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", list(Verdict))
def test_rule_6_somebody_disabled_since_may_not_decide(verdict: Verdict) -> None:
    ballot = started("grace", "heidi")
    ballot.leave_out("grace", "unreachable")
    ballot.leave_out("grace", "disabled")
    ballot.leave_out("grace", "unreachable")
    assert "account is disabled" in refused(ballot, answer("grace", verdict))


def test_rule_6_the_people_of_a_level_are_fixed_when_it_starts() -> None:
    ballot = a_ballot(level_rule(), level_rule())
    ballot.start_level(people("grace"), START)
    ballot.count(answer("grace"))
    ballot.start_level(people("heidi"), START)
    assert list(ballot.asked) == ["heidi"]


def test_rule_7_a_cancelled_request_says_why() -> None:
    ballot = started("grace")
    ballot.cancel("alice cancelled it.")
    assert (ballot.status, ballot.message) == (Status.CANCELLED, "alice cancelled it.")


@pytest.mark.parametrize("end", ["approve", "reject", "expire", "cancel"])
def test_nothing_leaves_a_final_status(end: str) -> None:
    ballot = a_ballot(level_rule(), level_rule())
    ballot.start_level(people("grace", "heidi"), START)
    if end == "approve":
        ballot.count(answer("grace"))
        ballot.start_level(people("ivan"), START)
        ballot.count(answer("ivan", level=2))
    elif end == "reject":
        ballot.count(answer("grace", Verdict.REJECT))
    elif end == "expire":
        ballot.expire()
    else:
        ballot.cancel("no longer needed")
    before = ballot.model_dump()
    for given in (answer("heidi"), answer("heidi", Verdict.REJECT), answer("ivan", Verdict.REJECT, level=2)):
        refused(ballot, given)
    for change in (
        ballot.expire,
        lambda: ballot.cancel("again"),
        lambda: ballot.approve_at_once("no"),
        lambda: ballot.start_level(people("grace"), START),
    ):
        with pytest.raises(ValueError, match="#1042 is already"):
            change()
    assert ballot.leave_out("heidi", "disabled") == []
    assert ballot.model_dump() == before


def test_a_ballot_survives_being_stored() -> None:
    ballot = started("grace", "heidi", quorum=2, fallback=("ivan",))
    ballot.count(answer("grace"))
    assert Ballot.model_validate_json(ballot.model_dump_json()) == ballot


def test_who_is_out_of_office_brings_the_fallback_where_those_present_are_too_few() -> None:
    ballot = started("grace", "heidi", quorum=2, fallback=("ivan",))
    assert [one.person for one in ballot.note_away("grace")] == ["ivan"]
    assert ballot.note_away("grace") == []
    assert ballot.note_away("nobody") == []
    ballot.count(answer("grace"))
    ballot.count(answer("ivan"))
    assert ballot.status is Status.APPROVED


def test_who_is_out_of_office_changes_nothing_where_enough_are_present() -> None:
    ballot = started("grace", "heidi", fallback=("ivan",))
    assert ballot.note_away("grace") == []
    assert "ivan" not in ballot.asked
    assert ballot.status is Status.WAITING
