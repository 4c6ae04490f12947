"""A request as pages show it: what is asked, who else is asked, and what the reader may do."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from countersign.models import Decision, GrantStatus, Status, Verdict
from countersign.notifications import ProposedAnswer
from countersign.permissions import Action, Principal, why_not, why_not_answer
from countersign.views import ApproverView, RequestView
from engine.record import PORTAL


class Level(NamedTuple):
    """One level: who is asked, and how each of them has answered."""

    number: int
    people: list[tuple[ApproverView, Decision | None]]


@dataclass(frozen=True)
class Card:
    """One request, as somebody sees it."""

    request: RequestView
    reader: Principal

    @property
    def may(self) -> frozenset[str]:
        """What the reader may do now: `approve`, `reject`, and the values of Action."""
        answers = [verdict.value for verdict in Verdict if self._may_answer(self.level_to_answer, verdict)]
        return frozenset([*answers, *(action.value for action in self._actions)])

    @property
    def bulk_action(self) -> str:
        """What rejecting many does to this one: `reject`, `cancel` for an admin who isn't asked, or nothing (empty)."""
        if "reject" in self.may:
            return "reject"
        return "cancel" if self.reader.admin and Action.CANCEL in self.may else ""

    def _may_answer(self, level: int, verdict: Verdict) -> bool:
        # If needed, the page has them prove who they are, and write a comment.
        answer = ProposedAnswer(level=level, verdict=verdict, channel=PORTAL, signed_in=True, confirmed=True)
        return why_not_answer(self.reader, self.request, answer) is None

    @property
    def _actions(self) -> Iterable[Action]:
        waits = self.request.status is Status.WAITING
        lasts = self.request.grant is not None and self.request.grant.status is GrantStatus.ACTIVE
        possible = {Action.REVOKE: lasts, Action.GIVE_BACK: lasts}
        return (
            action
            for action in Action
            if possible.get(action, waits) and not why_not(self.reader, action, self.request)
        )

    @property
    def level_to_answer(self) -> int:
        """The level that the reader's answer is about: the one that is asked, or one they approved before."""
        levels = range(self.request.level, 0, -1)
        return next((one for one in levels if self._may_answer(one, Verdict.REJECT)), self.request.level)

    @property
    def levels(self) -> list[Level]:
        """The levels that have begun, each with its people and their answers."""
        answered = {(one.level, one.person): one for one in self.request.decisions if not one.lapsed}
        found: dict[int, Level] = {}
        for one in self.request.approvers:
            level = found.setdefault(one.level, Level(one.level, []))
            level.people.append((one, answered.get((one.level, one.person))))
        return [found[number] for number in sorted(found)]

    @property
    def others(self) -> list[str]:
        """Who else is asked now, by name."""
        return [
            one.name
            for one in self.request.approvers
            if one.level == self.request.level and one.person != self.reader.name
        ]
