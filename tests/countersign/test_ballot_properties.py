"""What holds in any order of events: the quorum is distinct people, and a final status is final (rules 2 to 6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from countersign.ballot import Ballot
from countersign.models import (
    OWN_APPROVAL,
    Answer,
    Approver,
    Decision,
    LevelPeople,
    LevelRule,
    NamedUser,
    Status,
    Verdict,
)

START = datetime(2025, 1, 1, tzinfo=UTC)
DEADLINE = START + timedelta(minutes=60)
THIS, EARLIER = 1042, 1041
REQUESTER = "rita"
PEOPLE = ("ann", "ben", "cleo", "dan", "eve")
EVERYBODY = (*PEOPLE, REQUESTER, "stranger")

# The requester is among them half the time, else their own approval would hardly ever be tried.
people_lists = st.builds(
    lambda people, requester: [*people, *requester],
    st.lists(st.sampled_from(PEOPLE), max_size=4, unique=True),
    st.sampled_from([[], [REQUESTER]]),
)
# A slow machine isn't a failure.
calmly = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
somebody_asking = st.sampled_from([*PEOPLE, REQUESTER])
# Who is found to be disabled when a change is written: mostly nobody.
late_news: st.SearchStrategy[list[set[str]]] = st.just([]) | st.lists(
    st.sets(somebody_asking, min_size=1, max_size=3), max_size=2
)
moments = st.integers(0, 90).map(lambda minutes: START + timedelta(minutes=minutes))


@st.composite
def level_rules(draw: st.DrawFn) -> LevelRule:
    # Whom the rule names matters to the policy only; the ballot is handed the people.
    named = [NamedUser(user="somebody")]
    return LevelRule(
        approvers=named, quorum=draw(st.integers(1, 3)), members_may_approve_themselves=draw(st.booleans())
    )


@st.composite
def levels_people(draw: st.DrawFn) -> LevelPeople:
    def some(because: str) -> list[Approver]:
        return [Approver(person=one, because=because, as_manager=draw(st.booleans())) for one in draw(people_lists)]

    return LevelPeople(approvers=some("approver"), fallback=some("fallback approver"))


class AnyOrder(RuleBasedStateMachine):
    """Levels start, answers come, people leave, time runs out, in any order; a plain model says what is allowed."""

    answers = Bundle("answers")

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.people: dict[int, LevelPeople] = {}
        self.started_at: dict[int, datetime] = {}
        self.cannot_act: set[str] = set()
        self.disabled: set[str] = set()
        self.counted: list[Answer] = []
        self.lapsed: set[str] = set()
        self.on_record = 0  # how many levels are passed on record
        self.final: dict[str, Any] | None = None
        self.late_news: list[set[str]] = []
        self.lost_level = 0

    @initialize(levels=st.lists(level_rules(), min_size=1, max_size=3), own=st.booleans())
    def open(self, levels: list[LevelRule], own: bool) -> None:
        self.ballot = Ballot(
            approval_id=THIS, requester=REQUESTER, levels=levels, own_approval_counts=own, deadline=DEADLINE
        )

    # --- what happens ------------------------------------------------------------------------------------------------

    @precondition(lambda self: not self.ballot.settled and self.ballot.level_passed)
    @rule(people=levels_people(), at=moments)
    def next_level(self, people: LevelPeople, at: datetime) -> None:
        asked = self.ballot.start_level(people, at)
        self.people[self.ballot.level] = people
        self.started_at[self.ballot.level] = at
        named = {one.person for one in people.approvers} - {REQUESTER}
        if len(named - self.cannot_act) + self.own_approval() >= self.ballot.quorum:
            assert {one.person for one in asked} <= named, "fallback approvers are asked only where they are needed"
        self.expect_only_askable(asked)
        self.on_record = self.ballot.passed

    @precondition(lambda self: not self.ballot.settled and not self.ballot.level_passed)
    @rule(people=levels_people())
    def no_level_is_skipped(self, people: LevelPeople) -> None:
        with pytest.raises(ValueError):
            self.ballot.start_level(people, START)

    @rule(
        target=answers,
        person=st.sampled_from(EVERYBODY),
        verdict=st.sampled_from([Verdict.APPROVE] * 5 + [Verdict.REJECT]),
        level=st.integers(0, 4),
        approval_id=st.sampled_from([THIS] * 7 + [EARLIER]),
        at=moments,
    )
    def somebody_answers(self, **said: Any) -> Any:
        return self.hear(said)

    # Few random answers count. This rule gives one that does, as hardly a run would get anywhere otherwise.
    @precondition(lambda self: bool(self.ballot.asked))
    @rule(target=answers, data=st.data(), at=st.just(START), late=late_news)
    def somebody_who_is_asked_approves(self, data: st.DataObject, at: datetime, late: list[set[str]]) -> Any:
        self.late_news = late
        person = data.draw(st.sampled_from(sorted(self.ballot.asked)))
        said = {"person": person, "verdict": Verdict.APPROVE, "level": self.ballot.level, "approval_id": THIS, "at": at}
        return self.hear(said)

    @rule(answer=answers)
    def an_answer_comes_again(self, answer: Answer) -> None:
        self.judge(answer)

    @rule(person=st.sampled_from(EVERYBODY), why=st.sampled_from(["disabled", "unreachable"]))
    def somebody_goes(self, person: str, why: Any) -> None:
        was_settled, was_passed = self.ballot.settled, self.ballot.level_passed
        asked = self.ballot.leave_out(person, why)
        if not was_settled:
            self.cannot_act.add(person)
            self.disabled |= {person} if why == "disabled" else set()
            if why == "disabled" and not was_passed:
                self.lapse(person)
        self.expect_only_askable(asked)

    def lapse(self, person: str) -> None:
        level = self.ballot.level
        approvals = [one for one in self.counted if one.verdict is Verdict.APPROVE]
        self.lapsed |= {one.id for one in approvals if (one.person, one.level) == (person, level)}

    @precondition(lambda self: len(self.counted) > 1)
    @rule(end=st.sampled_from(["expire", "cancel"]))
    def it_ends(self, end: str) -> None:
        change = self.ballot.expire if end == "expire" else lambda: self.ballot.cancel("withdrawn")
        if self.ballot.settled:
            with pytest.raises(ValueError, match="already"):
                change()
        else:
            change()

    @precondition(lambda self: not self.ballot.settled and self.ballot.level < len(self.ballot.levels))
    @precondition(lambda self: len(self.counted) > 1)
    @rule(data=st.data())
    def a_level_to_come_loses_its_people(self, data: st.DataObject) -> None:
        self.lost_level = data.draw(st.integers(self.ballot.level + 1, len(self.ballot.levels)))
        self.ballot.give_up(self.lost_level)

    @rule()
    def it_is_stored_and_read_again(self) -> None:
        self.ballot = Ballot.model_validate_json(self.ballot.model_dump_json())

    # --- how an answer is judged -------------------------------------------------------------------------------------

    def hear(self, said: dict[str, Any]) -> Any:
        self.count += 1
        answer = Answer.model_validate(said | {"id": f"answer-{self.count}", "channel": "email"})
        self.judge(answer)
        return multiple(answer)

    def judge(self, answer: Answer) -> None:
        before, due = self.ballot.model_dump(), self.should_count(answer)
        refusal = self.ballot.judge(answer)
        assert (refusal is None) is due, refusal
        assert self.ballot.model_dump() == before
        if due:
            assert self.ballot.count(answer).answer_id == answer.id
            self.counted.append(answer)
            self.write(answer)
        else:
            with pytest.raises(ValueError):
                self.ballot.count(answer)
            assert self.ballot.model_dump() == before

    def write(self, answer: Answer) -> None:
        """Write an answer; people it relies on may turn out to be disabled by then, more than once."""
        while self.late_news and (self.ballot.settled or self.ballot.passed > self.on_record):
            news = self.late_news.pop()
            passed_now = self.ballot.passed > self.on_record
            relied_on = {answer.person} | (self.ballot.approved_by | {REQUESTER} if passed_now else set())
            disabled = sorted(relied_on & news - self.disabled)
            if not disabled:
                continue
            decision = next((one for one in self.ballot.decisions if one.answer_id == answer.id), None)
            asked = self.ballot.recount(disabled, decision, self.on_record)
            self.cannot_act |= set(disabled)
            self.disabled |= set(disabled)
            if answer.person in disabled:
                self.counted.remove(answer)
            for person in disabled if self.ballot.level > self.on_record else []:
                self.lapse(person)
            if REQUESTER in disabled:
                assert self.ballot.status is Status.CANCELLED
            self.expect_only_askable(asked)
            if answer.person in disabled:
                break
        self.on_record = self.ballot.passed

    def should_count(self, answer: Answer) -> bool:
        """The rules again, in plain words: from the answers that were given, not from the ballot's own decisions."""
        if self.ballot.settled or answer.approval_id != THIS or answer.at > DEADLINE:
            return False
        if answer.person == REQUESTER or answer.person in self.disabled:
            return False
        approved = {(one.person, one.level) for one in self.counted}
        if answer.level == self.ballot.level:
            repeated = answer.verdict is Verdict.APPROVE and (answer.person, answer.level) in approved
            return answer.person in self.ballot.asked and not repeated
        return answer.verdict is Verdict.REJECT and (answer.person, answer.level) in approved

    def expect_only_askable(self, asked: list[Approver]) -> None:
        named = [one.person for one in asked]
        assert len(named) == len(set(named))
        assert not {REQUESTER, *self.disabled} & set(named)
        assert not (asked and self.ballot.settled)

    # --- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def a_final_status_is_final(self) -> None:
        if self.final is not None:
            assert self.ballot.model_dump() == self.final
        elif self.ballot.settled:
            self.final = self.ballot.model_dump()
            assert self.ballot.message

    @invariant()
    def every_decision_is_an_answer_that_counted_once_or_a_due_own_approval(self) -> None:
        given_ids = [one.answer_id for one in self.ballot.decisions if one.channel != OWN_APPROVAL]
        assert given_ids == [answer.id for answer in self.counted]
        assert all(answer.approval_id == THIS and answer.person != REQUESTER for answer in self.counted)
        for own in (one for one in self.ballot.decisions if one.channel == OWN_APPROVAL):
            level = self.ballot.levels[own.level - 1]
            [approver] = [one for one in self.people[own.level].approvers if one.person == REQUESTER]
            assert own.person == REQUESTER
            assert self.ballot.own_approval_counts
            assert approver.as_manager or level.members_may_approve_themselves
            assert self.started_at[own.level] <= DEADLINE

    @invariant()
    def approved_means_that_enough_different_people_approved_each_level_in_time(self) -> None:
        for number in range(
            1, len(self.ballot.levels) + 1 if self.ballot.status is Status.APPROVED else self.ballot.level
        ):
            approvals = [
                d for d in self.ballot.decisions if d.level == number and d.verdict is Verdict.APPROVE and not d.lapsed
            ]
            people = {d.person for d in approvals}
            named = {one.person for one in self.people[number].approvers + self.people[number].fallback}
            assert len(people) == len(approvals) >= self.ballot.levels[number - 1].quorum
            assert people <= named
            assert all(d.at <= DEADLINE for d in approvals)

    @invariant()
    def an_approval_lapses_with_its_approver_and_only_at_a_level_that_is_open(self) -> None:
        for decision in self.ballot.decisions:
            if decision.channel == OWN_APPROVAL:
                assert not decision.lapsed or REQUESTER in self.disabled
            else:
                assert decision.lapsed is (decision.answer_id in self.lapsed)
        if self.ballot.status is not Status.CANCELLED and not self.ballot.level_passed:
            assert not self.ballot.approved_by & self.disabled

    @invariant()
    def rejected_means_that_somebody_did_or_that_nobody_is_left_to_ask(self) -> None:
        rejections = [d for d in self.ballot.decisions if d.verdict is Verdict.REJECT]
        if rejections:
            assert self.ballot.status is Status.REJECTED
            assert rejections == self.ballot.decisions[-1:]
        elif self.ballot.status is Status.REJECTED:
            assert "nobody to ask" in self.ballot.message
            assert self.lost_level or self.could_still_approve() < self.ballot.quorum

    @invariant()
    def while_it_waits_there_are_enough_to_ask(self) -> None:
        if not self.ballot.settled and not self.ballot.level_passed:
            assert self.could_still_approve() >= self.ballot.quorum
            asked = {d.person for d in self.ballot.decisions if d.level == self.ballot.level} | set(self.ballot.asked)
            assert len(asked - {REQUESTER}) + self.own_approval() >= self.ballot.quorum

    def could_still_approve(self) -> int:
        """How many have approved the level or could yet, of all the people it was given."""
        given_people = self.people[self.ballot.level]
        named = {one.person for one in given_people.approvers + given_people.fallback}
        at_level = [one for one in self.counted if one.level == self.ballot.level and one.id not in self.lapsed]
        approved = {answer.person for answer in at_level}
        return len((named - self.cannot_act - {REQUESTER}) | approved) + self.own_approval()

    def own_approval(self) -> int:
        own = [d for d in self.ballot.decisions if d.channel == OWN_APPROVAL and not d.lapsed]
        return sum(d.level == self.ballot.level for d in own)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(calmly, max_examples=150, stateful_step_count=30)


def one_level(quorum: int, people: list[str]) -> Ballot:
    rule = LevelRule(approvers=[NamedUser(user="somebody")], quorum=quorum)
    ballot = Ballot(approval_id=THIS, requester=REQUESTER, levels=[rule], own_approval_counts=False, deadline=DEADLINE)
    ballot.start_level(LevelPeople(approvers=[Approver(person=one, because="approver") for one in people]), START)
    return ballot


approvals = st.builds(
    Answer,
    id=st.uuids().map(str),
    approval_id=st.sampled_from([THIS] * 3 + [EARLIER]),
    level=st.sampled_from([1, 1, 1, 2]),
    person=st.sampled_from(EVERYBODY),
    verdict=st.just(Verdict.APPROVE),
    channel=st.sampled_from(["email", "slack"]),
    at=moments,
)


@calmly
@given(quorum=st.integers(1, 5), said=st.lists(approvals, max_size=12), data=st.data())
def test_no_order_of_approvals_and_no_repeat_changes_the_outcome(
    quorum: int, said: list[Answer], data: st.DataObject
) -> None:
    shuffled = data.draw(
        st.permutations(said + data.draw(st.lists(st.sampled_from(said), max_size=5) if said else st.just([])))
    )
    ballot = one_level(quorum, list(PEOPLE))
    for answer in shuffled:
        if ballot.judge(answer) is None:
            ballot.count(answer)
    distinct = {
        one.person
        for one in said
        if one.approval_id == THIS and one.level == 1 and one.at <= DEADLINE and one.person in PEOPLE
    }
    assert (ballot.status is Status.APPROVED) is (len(distinct) >= quorum)
    assert len({d.person for d in ballot.decisions}) == len(ballot.decisions) == min(len(distinct), quorum)


@calmly
@given(said=st.lists(approvals, max_size=8), where=st.integers(0, 8), rejecter=st.sampled_from(PEOPLE))
def test_one_rejection_ends_it_wherever_it_stands_among_too_few_approvals(
    said: list[Answer], where: int, rejecter: str
) -> None:
    ballot = one_level(len(PEOPLE), list(PEOPLE))
    # Five people are needed and one of them only rejects, so that approvals alone never settle it.
    said = [one for one in said if one.person != rejecter]
    rejection = Answer(
        id="no", approval_id=THIS, level=1, person=rejecter, verdict=Verdict.REJECT, channel="email", at=START
    )
    for answer in [*said[:where], rejection, *said[where:]]:
        if ballot.judge(answer) is None:
            ballot.count(answer)
    assert ballot.status is Status.REJECTED
    assert ballot.decisions[-1].answer_id == "no"


@calmly
@given(
    quorums=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    said=st.lists(
        st.tuples(
            st.sampled_from(PEOPLE), st.sampled_from([Verdict.APPROVE] * 6 + [Verdict.REJECT]), st.sets(somebody_asking)
        ),
        max_size=12,
    ),
)
def test_no_level_is_passed_and_no_answer_counts_by_whoever_is_disabled_when_it_is_written(
    quorums: list[int], said: list[tuple[str, Verdict, set[str]]]
) -> None:
    rules = [LevelRule(approvers=[NamedUser(user="somebody")], quorum=quorum) for quorum in quorums]
    ballot = Ballot(approval_id=THIS, requester=REQUESTER, levels=rules, own_approval_counts=False, deadline=DEADLINE)
    everybody = LevelPeople(approvers=[Approver(person=one, because="approver") for one in PEOPLE])
    disabled: set[str] = set()
    on_record = 0
    for number, (person, verdict, news) in enumerate(said):
        if not ballot.settled and ballot.level_passed:
            ballot.start_level(everybody, START)
        level = max(ballot.level, 1)
        fields = {"level": level, "person": person, "verdict": verdict, "channel": "email", "at": START}
        answer = Answer.model_validate({"id": f"{number}", "approval_id": THIS, **fields})
        if ballot.judge(answer) is not None:
            continue
        decision: Decision | None = ballot.count(answer)
        disabled |= news
        while not_written := sorted(relied_on(ballot, answer, on_record) & disabled - ballot.cannot_act.keys()):
            ballot.recount(not_written, decision, on_record)
            decision = decision if ballot.counted(answer) else None
        if ballot.passed > on_record:
            approvals = [d for d in ballot.decisions if d.level == ballot.level and not d.lapsed]
            assert len({d.person for d in approvals} - disabled) >= quorums[ballot.level - 1]
        if ballot.counted(answer):
            assert person not in disabled
        if ballot.status is Status.APPROVED or REQUESTER in disabled & ballot.cannot_act.keys():
            assert (ballot.status is Status.CANCELLED) is (REQUESTER in disabled)
        on_record = ballot.passed
        assert on_record >= ballot.level - 1, "a level that was passed stays passed"


def relied_on(ballot: Ballot, answer: Answer, on_record: int) -> set[str]:
    """The people who must be enabled when the ballot's new state is written."""
    passed_now = ballot.passed > on_record or ballot.status is Status.APPROVED
    people = ballot.approved_by | {REQUESTER} if passed_now else set()
    return people | ({answer.person} if ballot.counted(answer) else set())
