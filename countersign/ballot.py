"""The ballot of one request: levels, quorum, decisions, the deadline. A pure state machine, run inside the workflow.

Rules 2 to 6 of approval live here. Every answer is judged (`judge`, which changes nothing) and then counted (`count`)
with no wait between, so that no two answers can both complete a quorum.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from countersign.error_codes import ErrorCode
from countersign.errors import (
    DISABLED,
    Refused,
    already_settled,
    counted_already,
    counted_at,
    not_asked,
    other_level,
    own_request,
)
from countersign.models import (
    OWN_APPROVAL,
    Answer,
    Approver,
    Decision,
    Id,
    LevelPeople,
    LevelRule,
    Model,
    SentAsWords,
    Status,
    Verdict,
    sentence,
)
from countersign.times import moment

REQUESTER_DISABLED = "The requester was disabled."

SEE_WHY = "the request's record says why, and countersign doctor which channels work."
MOST_NAMES = 5

CannotAct = Literal["disabled", "unreachable"]


class Ballot(Model):
    """Who is asked, who answered, and what follows from it. `level` counts from 1; 0 is before the first.

    `passed` is how many levels have reached their quorum: a level that was passed stays passed.
    """

    approval_id: int
    requester: Id
    levels: list[LevelRule]
    own_approval_counts: bool
    deadline: datetime
    status: Status = Status.WAITING
    message: SentAsWords = ""
    level: int = 0
    passed: int = 0
    # Those asked at the current level.
    asked: Annotated[dict[str, Approver], Field(alias="seats")] = {}
    fallback: list[Approver] = []
    cannot_act: Annotated[dict[str, CannotAct], Field(alias="gone")] = {}
    away: list[str] = []
    decisions: list[Decision] = []
    names: dict[str, str] = {}

    # --- reading it --------------------------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Whether the request has reached a final status."""
        return self.status is not Status.WAITING

    @property
    def quorum(self) -> int:
        """How many distinct people the current level needs."""
        return self.levels[self.level - 1].quorum if self.level else 0

    @property
    def approved_by(self) -> set[str]:
        """The people whose approval counts at the current level."""
        return {d.person for d in self.decisions if self._approves(d) and not d.lapsed}

    @property
    def awaited(self) -> list[str]:
        """The people whom the current level waits for."""
        others = self.approved_by | self.cannot_act.keys()
        return [one for one in self.asked if one not in others]

    @property
    def level_passed(self) -> bool:
        """Whether the current level has reached its quorum (true before the first level)."""
        return self.passed >= self.level

    @property
    def can_be_met(self) -> bool:
        """Whether those who approved, and those who still can, are enough for the quorum (rule 4)."""
        return len(self.approved_by | (self.asked.keys() - self.cannot_act.keys())) >= self.quorum

    def counted(self, answer: Answer) -> bool:
        """Whether this very answer is among the decisions."""
        return any(one.answer_id == answer.id for one in self.decisions)

    def judge(self, answer: Answer) -> Refused | None:
        """Say why this answer can't count, or None when it can."""
        refusals = (
            (answer.approval_id != self.approval_id, self._other_request(answer)),
            (self.settled, self.ended()),
            (answer.at > self.deadline, self._late()),
            (answer.person == self.requester, own_request()),
            (self.cannot_act.get(answer.person) == "disabled", Refused(DISABLED, ErrorCode.DISABLED_PERSON)),
            (not self._may_answer(answer), self._not_asked(answer)),
            (self._approved_before(answer), counted_already(answer.level)),
        )
        return next((error for refused, error in refusals if refused), None)

    def ended(self) -> Refused:
        """The refusal of whatever comes after the request has ended; it says how it ended."""
        return already_settled(self.approval_id, self.status, self.message)

    def never_counts(self, answer: Answer) -> bool:
        """Whether an answer can't count, whatever happens to the request from now on."""
        return (
            answer.approval_id != self.approval_id
            or answer.at > self.deadline
            or answer.person == self.requester
            or answer.level > len(self.levels)
        )

    def is_ahead(self, answer: Answer) -> bool:
        """Whether an answer is to a level that has not started yet."""
        return not self.settled and answer.level > self.level

    # --- changing it -------------------------------------------------------------------------------------------------

    def start_level(self, people: LevelPeople, at: datetime) -> list[Approver]:
        """Start the next level with its people; returns those to ask now.

        The requester is not asked: their own approval is counted according to rule 3, or they are left out. Raises
        ValueError if the current level is not passed yet or is the last one.
        """
        self._must_wait()
        if not self.level_passed or self.level == len(self.levels):
            raise ValueError(f"#{self.approval_id} can't go on from level {self.level} of {len(self.levels)}")
        self.level += 1
        self.asked = {}
        self.fallback = people.fallback
        self.names |= {one.person: one.name for one in [*people.approvers, *people.fallback] if one.name}
        for approver in people.approvers:
            if approver.person == self.requester:
                self._count_own_approval(approver, at)
        added = self._ask(people.approvers)
        if self._settle_if_passed():
            return []
        asked = added + self._call_fallback()
        return [] if self.settled else asked

    def count(self, answer: Answer) -> Decision:
        """Count an answer; ValueError with the message of `judge` when it can't."""
        if refusal := self.judge(answer):
            raise ValueError(str(refusal))
        decision = Decision(answer_id=answer.id, **answer.model_dump(exclude={"id", "approval_id"}))
        self.decisions.append(decision)
        if answer.verdict is Verdict.REJECT:
            self._settle_by(decision)
        else:
            self._settle_if_passed()
        return decision

    def leave_out(self, person: str, why: CannotAct, lapse: bool = True) -> list[Approver]:
        """Leave out somebody who was disabled or can't be reached, and check the quorum again (rule 4).

        `lapse`: whether the approval of a disabled person no longer counts at a level that is still open (rule 2).
        Returns whom to ask now.
        """
        if self.settled or self.cannot_act.get(person) in {why, "disabled"}:
            return []
        self.cannot_act[person] = why
        if self.level_passed:
            return []
        if why == "disabled" and lapse:
            self._lapse(person)
        return self._call_fallback()

    def recount(self, disabled: Sequence[str], decision: Decision | None, passed: int) -> list[Approver]:
        """Count again after `decision` could not be written, because these people were disabled meanwhile.

        `passed` is how many levels are passed on record. At a later level the approvals of these people no longer
        count. `decision` no longer counts if it is theirs. If the requester is one of them, the request is cancelled.
        Returns whom to ask now.
        """
        self.status, self.message, self.passed = Status.WAITING, "", passed
        if decision is not None and decision.person in disabled:
            self.decisions.remove(decision)
            decision = None
        for person in disabled:
            self.cannot_act[person] = "disabled"
            if not self.level_passed:
                self._lapse(person)
        if self.requester in disabled:
            self.cancel(REQUESTER_DISABLED)
        elif decision is not None and decision.verdict is Verdict.REJECT:
            self._settle_by(decision)
        elif not self.level_passed and not self._settle_if_passed():
            return self._call_fallback()
        return []

    def note_away(self, person: str) -> list[Approver]:
        """Note that somebody who was asked is out of office; returns whom to ask now.

        They may still answer, but if too few others are present, the fallback approvers are asked as well.
        """
        if self.settled or person in self.away or person not in self.asked:
            return []
        self.away.append(person)
        present = self.approved_by | (self.asked.keys() - self.cannot_act.keys() - set(self.away))
        return [] if len(present) >= self.quorum else self._ask(self.fallback)

    def adopt(self, status: Status, message: str, decisions: list[Decision]) -> None:
        """Take over how the request ended on record, if the workflow has lost that in a crash."""
        self.status, self.message, self.decisions = status, message, decisions

    def expire(self) -> None:
        """Expire: the deadline has passed and nobody decided in time (rule 5)."""
        self._must_wait()
        self._settle(Status.EXPIRED, f"Nobody decided by {moment(self.deadline)}.")

    def cancel(self, message: str) -> None:
        """Cancel: somebody withdrew the request, or its requester was disabled."""
        self._must_wait()
        self._settle(Status.CANCELLED, message)

    def give_up(self, level: int) -> None:
        """Reject, because too few people could pass this level, which has not started yet (rule 4)."""
        self._must_wait()
        self._settle_for_lack_of_people(level)

    def approve_at_once(self, message: str) -> None:
        """Approve a request that nobody has to agree to (rule 1c)."""
        self._must_wait()
        if self.levels:
            raise ValueError("somebody has to agree to this request")
        self._settle(Status.APPROVED, message)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _must_wait(self) -> None:
        if self.settled:
            raise ValueError(f"#{self.approval_id} is already {self.status}")

    def _name(self, person: str) -> str:
        return self.names.get(person, person)

    def _settle(self, status: Status, message: str) -> None:
        self.status, self.message = status, message

    def _settle_by(self, rejection: Decision) -> None:
        self._settle(Status.REJECTED, sentence(f"Rejected by {self._name(rejection.person)}", rejection.comment))

    def _settle_if_passed(self) -> bool:
        if len(self.approved_by) >= self.quorum:
            self.passed = self.level
        if self.level_passed and self.level == len(self.levels):
            people = dict.fromkeys(self._name(d.person) for d in self.decisions if not d.lapsed)
            self._settle(Status.APPROVED, sentence(f"Approved by {', '.join(people)}"))
        return self.level_passed

    def _count_own_approval(self, approver: Approver, at: datetime) -> None:
        rule = self.levels[self.level - 1]
        may = at <= self.deadline and self.cannot_act.get(self.requester) != "disabled"
        if may and self.own_approval_counts and rule.own_approval_counts(approver):
            self.decisions.append(
                Decision(
                    answer_id=OWN_APPROVAL,
                    level=self.level,
                    person=self.requester,
                    verdict=Verdict.APPROVE,
                    comment=f"The requester is {approver.because}.",
                    channel=OWN_APPROVAL,
                    at=at,
                )
            )

    def _ask(self, approvers: list[Approver]) -> list[Approver]:
        out = {self.requester, *self.asked, *(person for person, why in self.cannot_act.items() if why == "disabled")}
        added = {a.person: a for a in approvers if a.person not in out}
        self.asked |= added
        return list(added.values())

    def _call_fallback(self) -> list[Approver]:
        added = [] if self.can_be_met else self._ask(self.fallback)
        if not self.can_be_met:
            self._settle_for_lack_of_people(self.level)
            return []
        return added

    def _settle_for_lack_of_people(self, level: int) -> None:
        quorum = self.levels[level - 1].quorum
        message = f"There is nobody to ask: level {level} needs {quorum}, too few can answer."
        if untold := [self._name(one) for one, why in self.cannot_act.items() if why == "unreachable"]:
            names = ", ".join(untold[:MOST_NAMES]) + ("" if len(untold) <= MOST_NAMES else " and others")
            message = f"{message} No message could reach {names}: {SEE_WHY}"
        self._settle(Status.REJECTED, message)

    def _approves(self, decision: Decision) -> bool:
        return decision.level == self.level and decision.verdict is Verdict.APPROVE

    def _lapse(self, person: str) -> None:
        for decision in self.decisions:
            if decision.person == person and self._approves(decision):
                decision.lapsed = True

    def _may_answer(self, answer: Answer) -> bool:
        if answer.level == self.level:
            return answer.person in self.asked
        # Somebody who approved a level that was passed may still reject while the request waits (rule 2).
        return answer.verdict is Verdict.REJECT and self._approved_at(answer.level, answer.person)

    def _other_request(self, answer: Answer) -> Refused:
        message = f"That answer was for #{answer.approval_id}, not for this request."
        return Refused(message, ErrorCode.OTHER_REQUEST, approval_id=answer.approval_id)

    def _late(self) -> Refused:
        message = f"#{self.approval_id} had to be answered by {moment(self.deadline)}."
        return Refused(message, ErrorCode.TOO_LATE, deadline=self.deadline.isoformat())

    def _not_asked(self, answer: Answer) -> Refused:
        if self._approved_at(answer.level, answer.person):
            return counted_at(self.approval_id, answer.level, self.level)
        if answer.level != self.level:
            return other_level(self.approval_id, answer.level, self.level)
        return not_asked(self.approval_id)

    def _approved_at(self, level: int, person: str) -> bool:
        return any(d.person == person and d.level == level and d.verdict is Verdict.APPROVE for d in self.decisions)

    def _approved_before(self, answer: Answer) -> bool:
        return answer.verdict is Verdict.APPROVE and answer.person in self.approved_by
