"""Finds the requesters who would have nobody to ask (rule 4), before a policy is applied."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from countersign.directory import ApprovalWorkflow, Policy
from countersign.models import LevelRule, ManagersOf, MembersOf, NamedUser
from countersign.policy.route import terms_for
from countersign.yaml_lines import Path

MOST_NAMED = 3
# A level of quorum 1 with two approvers is safe: even if one of them asks, the other can answer.
ENOUGH = 2
# How many groups may be checked one by one; a group counts again for each device group.
MOST_LOOKED_AT = 250_000
# The level of managerial approval; its managers are worked out separately.
ONE_MANAGER = LevelRule(approvers=[ManagersOf(managers_of="any")])
NO_GROUP = "people in no user group"

Groups = tuple[str, ...]


@dataclass
class Shortage:
    """A pair of groups, its first level with too few people, and the requesters who have too few there."""

    user_group: str
    device_group: str
    path: Path
    lack: str
    requesters: dict[str, None] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """Who would have nobody to ask, why, and the remedy."""
        named = ", ".join(list(self.requesters)[:MOST_NAMED])
        more = len(self.requesters) - MOST_NAMED
        who = f" for {named}" + (f" and {more} more" if more > 0 else "") if named else ""
        return f"{self.user_group} to {self.device_group} has nobody to ask{who}: {self.lack}"


@dataclass
class Pool:
    """The people who could answer at one level, before it is known who asks."""

    rule: LevelRule
    named: frozenset[str]
    fallback: frozenset[str]
    # Whose own approval is counted when they ask (rule 3).
    own_counts: frozenset[str]

    def able(self, requester: str, line_manager: str | None) -> int:
        """How many people could approve for this requester, who is one of them if their own approval counts."""
        others = self.named | self.fallback | ({line_manager} if line_manager else set())
        return len(others - {requester}) + (requester in self.own_counts)

    def most(self) -> int:
        """How many people could approve for any requester, at most."""
        return len(self.named | self.fallback) + ("line_manager" in self.rule.approvers)

    def least(self) -> int:
        """How many people could approve for every requester, at least."""
        return len(self.named | self.fallback) - 1


class TooManyPairs(Exception):
    """So many groups have so few approvers that it would take too long to check all of them."""


class Coverage:
    """Finds requesters who have too few people to ask; what does not depend on the requester is worked out once.

    If everybody has enough people to ask, the requesters are not checked one by one.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.managers_of = cache(lambda group: self._enabled(policy.managers_of(group)))
        self.members_of = cache(lambda group: self._enabled(policy.members_of(group)))
        self.found: dict[tuple[str, str], Shortage] = {}
        self.looked_at = 0
        self.people_by_groups = policy.people_by_groups
        self.with_group: dict[str, list[Groups]] = defaultdict(list)
        for groups in self.people_by_groups:
            for name in groups:
                self.with_group[name].append(groups)
        self.all_managers = {groups: self._managers(groups) for groups in self.people_by_groups}
        self.required = {groups: self._managers(filter(self._requires, groups)) for groups in self.people_by_groups}
        # In these groups somebody may have too few managers: none, or only one, who may be the requester.
        self.few_of_all = _few(self.all_managers)
        self.few = _few(self.required)
        self.few_though_required = [groups for groups in self.few if any(map(self._requires, groups))]

    def shortages(self) -> list[Shortage]:
        """Every pair of user group and device group that could leave somebody with too few to ask.

        Raises TooManyPairs.
        """
        for device_group in self.policy.device_groups:
            by_workflow = self._try_workflows(device_group)
            self._try_managers(device_group, by_workflow)
        return list(self.found.values())

    def _try_workflows(self, device_group: str) -> set[Groups]:
        """Check the approval workflows for a device group; returns the people they are for, by their user groups."""
        met: set[Groups] = set()
        for workflow in self.policy.workflows_for(device_group):
            theirs = [groups for groups in self.with_group[workflow.user_group] if groups not in met]
            met.update(theirs)
            self._count(theirs)
            pools = [self._pool(level, device_group, workflow) for level in workflow.levels]
            if any(pool.least() < pool.rule.quorum for pool in pools):
                for groups in theirs:
                    self._try(groups, pools, device_group, workflow)
                self._try_whoever_asks(workflow, pools)
        return met

    def _try_managers(self, device_group: str, by_workflow: set[Groups]) -> None:
        """Check those who need a manager's approval for a device group, if there may be too few managers."""
        group, fallback = self.policy.device_groups[device_group], self._fallback(device_group, None)
        own = self.managers_of(device_group) if group.require_managerial_approval else frozenset()
        if len(fallback) >= ENOUGH or len(own) >= ENOUGH:
            return
        some, theirs = self.few_though_required, self.required
        if group.require_managerial_approval:
            some, theirs = (self.few, self.required) if group.managers else (self.few_of_all, self.all_managers)
        self._count(some)
        for groups in some:
            if groups not in by_workflow:
                managers = own | theirs[groups]
                self._try(groups, [self._pool_of(ONE_MANAGER, managers, fallback, managers)], device_group, None)

    def _count(self, some: Iterable[Groups]) -> None:
        self.looked_at += sum(1 + len(groups) for groups in some)
        if self.looked_at > MOST_LOOKED_AT:
            raise TooManyPairs

    def _requires(self, group: str) -> bool:
        return self.policy.user_groups[group].require_managerial_approval

    def _managers(self, groups: Iterable[str]) -> frozenset[str]:
        return frozenset[str]().union(*map(self.managers_of, groups))

    def _try(self, groups: Groups, pools: Sequence[Pool], device_group: str, workflow: ApprovalWorkflow | None) -> None:
        for n, pool in enumerate(pools):
            level = pool.rule
            if pool.least() >= level.quorum:
                continue
            requesters = self.people_by_groups[groups]
            able = {person: pool.able(person, self._line_manager(person, level)) for person in requesters}
            short = {person: count for person, count in able.items() if count < level.quorum}
            if short:
                lack = _lack(n, level, min(short.values()))
                for group, path in self._blamed(groups, device_group, workflow, n):
                    self._note(Shortage(group, device_group, path, lack, dict.fromkeys(short)))

    def _try_whoever_asks(self, workflow: ApprovalWorkflow, pools: Sequence[Pool]) -> None:
        for n, pool in enumerate(pools):
            if pool.most() < pool.rule.quorum:
                place = self._level(workflow, n)
                lack = _lack(n, pool.rule, pool.most())
                self._note(Shortage(workflow.user_group, workflow.device_group, place, lack))

    def _blamed(
        self, groups: Sequence[str], device_group: str, workflow: ApprovalWorkflow | None, n: int
    ) -> list[tuple[str, Path]]:
        """The user groups to name in the message, each with the place in the file to correct."""
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
        managers = self._managers(rule.managers_of for rule in level.approvers if isinstance(rule, ManagersOf))
        members = (self.members_of(rule.members_of) for rule in level.approvers if isinstance(rule, MembersOf))
        users = self._enabled(rule.user for rule in level.approvers if isinstance(rule, NamedUser))
        all_admins = self.policy.admins if "admins" in level.approvers else ()
        named = managers.union(users, all_admins, *members)
        own = named if level.members_may_approve_themselves else managers
        return self._pool_of(level, named, self._fallback(device_group, workflow), own)

    def _pool_of(self, level: LevelRule, named: frozenset[str], fallback: frozenset[str], own: frozenset[str]) -> Pool:
        return Pool(level, named, fallback, own if self.policy.auto_approve_when_requester_is_approver else frozenset())

    def _fallback(self, device_group: str, workflow: ApprovalWorkflow | None) -> frozenset[str]:
        return self._enabled(terms_for(self.policy, device_group, workflow)["fallback_approvers"])

    def _line_manager(self, person: str, level: LevelRule) -> str | None:
        boss = self.policy.users[person].line_manager
        return boss if boss and "line_manager" in level.approvers and self.policy.enabled(boss) else None

    def _enabled(self, people: Iterable[str]) -> frozenset[str]:
        """Those who may answer. Unknown people count as enabled: they are reported as a mistake of their own."""
        return frozenset(one for one in people if one not in self.policy.users or self.policy.enabled(one))


def _few(managers: Mapping[Groups, frozenset[str]]) -> list[Groups]:
    return [groups for groups, found in managers.items() if len(found) < ENOUGH]


def _lack(n: int, level: LevelRule, able: int) -> str:
    return (
        f"level {n + 1} needs {level.quorum} and has {able}, fallback approvers included; "
        "name more approvers or fallback approvers"
    )
