"""Who would find nobody to ask (rule 4), worked out for everybody before a policy is applied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from countersign.directory import ApprovalWorkflow, Policy
from countersign.models import LevelRule, ManagersOf, MembersOf, NamedUser
from countersign.policy import levels_for, terms_for
from countersign.yaml_lines import Path

MOST_NAMED = 3
NO_GROUP = "people in no user group"


@dataclass
class Shortage:
    """A pair of groups, the first level of theirs that can't be met, and the requesters for whom it can't."""

    user_group: str
    device_group: str
    path: Path
    lack: str
    requesters: dict[str, None] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Who would have nobody to ask, why, and the remedy."""
        named = ", ".join(list(self.requesters)[:MOST_NAMED])
        more = len(self.requesters) - MOST_NAMED
        who = f" for {named}" + (f" and {more} more" if more > 0 else "") if named else ""
        return f"{self.user_group} to {self.device_group} has nobody to ask{who}: {self.lack}"


@dataclass
class Pool:
    """Who could answer at one level, before it is known who asks."""

    rule: LevelRule
    named: frozenset[str]
    fallback: frozenset[str]
    # Whose own approval is counted when they ask (rule 3).
    own_counts: frozenset[str]

    def able(self, requester: str, line_manager: str | None) -> int:
        """How many people this requester has, their own approval included where it counts."""
        others = self.named | self.fallback | ({line_manager} if line_manager else set())
        return len(others - {requester}) + (requester in self.own_counts)

    def most(self) -> int:
        """How many anybody could have at most."""
        return len(self.named | self.fallback) + ("line_manager" in self.rule.approvers)

    def least(self) -> int:
        """How many everybody has at least."""
        return len(self.named | self.fallback) - 1


class Coverage:
    """Looks for requesters with too few to ask; what does not depend on the requester is worked out once."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.managers_of = cache(lambda group: self._enabled(policy.managers_of(group)))
        self.members_of = cache(lambda group: self._enabled(policy.members_of(group)))
        self.found: dict[tuple[str, str], Shortage] = {}

    def shortages(self) -> list[Shortage]:
        """Every pair of user group and device group that could leave somebody with too few to ask."""
        for groups, requesters in self._people_by_groups().items():
            for device_group in self.policy.device_groups:
                self._try(groups, requesters, device_group)
        for workflow in self.policy.approval_workflows:
            if workflow.device_group in self.policy.device_groups:
                self._try_whoever_asks(workflow)
        return list(self.found.values())

    def _people_by_groups(self) -> dict[tuple[str, ...], list[str]]:
        """Enabled people by their user groups: all who are in the same groups are judged by the same levels."""
        groups_of: dict[str, list[str]] = {person: [] for person in self._enabled(self.policy.users)}
        for name in self.policy.user_groups:
            for person in self.members_of(name):
                groups_of[person].append(name)
        by_groups = defaultdict(list)
        for person, groups in sorted(groups_of.items()):
            by_groups[tuple(groups)].append(person)
        return by_groups

    def _try(self, groups: Sequence[str], requesters: list[str], device_group: str) -> None:
        _, levels, workflow = levels_for(self.policy, groups, device_group)
        for n, level in enumerate(levels):
            pool = self._pool(level, device_group, workflow)
            if pool.least() >= level.quorum:
                continue
            able = {person: pool.able(person, self._line_manager(person, level)) for person in requesters}
            short = {person: count for person, count in able.items() if count < level.quorum}
            if short:
                lack = _lack(n, level, min(short.values()))
                for group, path in self._blamed(groups, device_group, workflow, n):
                    self._note(Shortage(group, device_group, path, lack, dict.fromkeys(short)))

    def _try_whoever_asks(self, workflow: ApprovalWorkflow) -> None:
        for n, level in enumerate(workflow.levels):
            most = self._pool(level, workflow.device_group, workflow).most()
            if most < level.quorum:
                place = self._level(workflow, n)
                self._note(Shortage(workflow.user_group, workflow.device_group, place, _lack(n, level, most)))

    def _blamed(
        self, groups: Sequence[str], device_group: str, workflow: ApprovalWorkflow | None, n: int
    ) -> list[tuple[str, Path]]:
        """The user groups whose pair is at fault, each with the place in the file to mend."""
        if workflow:
            return [(workflow.user_group, self._level(workflow, n))]
        return [(group, ("user_groups", group)) for group in groups] or [(NO_GROUP, ("device_groups", device_group))]

    def _level(self, workflow: ApprovalWorkflow, n: int) -> Path:
        index = next(i for i, one in enumerate(self.policy.approval_workflows) if one is workflow)
        return ("approval_workflows", index, "levels", n)

    def _note(self, shortage: Shortage) -> None:
        known = self.found.setdefault((shortage.user_group, shortage.device_group), shortage)
        known.requesters.update(shortage.requesters)

    def _pool(self, level: LevelRule, device_group: str, workflow: ApprovalWorkflow | None) -> Pool:
        managers = frozenset[str]().union(
            *(self.managers_of(rule.managers_of) for rule in level.approvers if isinstance(rule, ManagersOf))
        )
        members = (self.members_of(rule.members_of) for rule in level.approvers if isinstance(rule, MembersOf))
        users = self._enabled(rule.user for rule in level.approvers if isinstance(rule, NamedUser))
        named = managers.union(users, *members)
        own = named if level.members_may_approve_themselves else managers
        return Pool(
            rule=level,
            named=named,
            fallback=self._enabled(terms_for(self.policy, device_group, workflow)["fallback_approvers"]),
            own_counts=own if self.policy.auto_approve_when_requester_is_approver else frozenset(),
        )

    def _line_manager(self, person: str, level: LevelRule) -> str | None:
        boss = self.policy.users[person].line_manager
        return boss if boss and "line_manager" in level.approvers and self.policy.enabled(boss) else None

    def _enabled(self, people: Iterable[str]) -> frozenset[str]:
        return frozenset(person for person in people if self.policy.enabled(person))


def _lack(n: int, level: LevelRule, able: int) -> str:
    return (
        f"level {n + 1} needs {level.quorum} and has {able}, fallback approvers included; "
        "name more approvers or fallback approvers"
    )
