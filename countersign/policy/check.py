"""What is wrong with a policy that is well-formed: found before it is applied, so that no request is affected."""

import difflib
from collections.abc import Callable, Container, Iterable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

from countersign.directory import ADMIN, CHANNELS, CHANNELS_WITH_ROOMS, Policy, RequestTerms, Terms
from countersign.models import ApproverRule, LevelRule, ManagersOf, MembersOf, NamedUser, Route
from countersign.policy.coverage import Coverage, TooManyPairs
from countersign.policy.route import combined, level_without_people, terms_for
from countersign.times import duration
from countersign.yaml_lines import Path

TOO_MANY_PAIRS = (
    "has so many groups with fewer than two managers that it takes too long to find who would have nobody to ask; "
    "name two managers for more of them, or two fallback approvers"
)


class Problem(NamedTuple):
    """One mistake: its place in the document, and a message that says what it is and what to do about it."""

    path: Path
    message: str


def problems(policy: Policy, whole: bool = True) -> list[Problem]:
    """Every mistake in the meaning of a policy; an empty list says that it may be applied.

    `whole`: nothing was left out of the policy. If something was, we don't check who would have nobody to ask.
    """
    found = [problem for check in CHECKS for problem in check(policy)]
    # An unknown group would be reported as having nobody in it.
    return [*found, *nobody_to_ask(policy)] if whole and not any(unknown_groups(policy)) else found


def two_people_with_one_address(policy: Policy) -> Iterator[Problem]:
    """An answer by mail is attributed by its sender's address, so an address belongs to one person."""
    owners: dict[str, str] = {}
    for person, user in policy.users.items():
        for n, address in enumerate(user.addresses):
            owner = owners.setdefault(address, person)
            if owner != person:
                place = ("users", person, "aliases", n - 1) if n else ("users", person, "email")
                yield Problem(place, f"{owner} has the same address; give each person their own")


def device_in_two_groups(policy: Policy) -> Iterator[Problem]:
    """A device is in exactly one group, so that one set of rules holds for it."""
    homes: dict[str, str] = {}
    for name, group in policy.device_groups.items():
        for n, device in enumerate(group.devices):
            home = homes.setdefault(device, name)
            if home != name:
                message = f"{device} is in {home} already; a device is in one group, so remove it from one"
                yield Problem(("device_groups", name, "devices", n), message)


def group_names_used_twice(policy: Policy) -> Iterator[Problem]:
    """`managers_of` names a group of either kind, so a user group and a device group can't share a name."""
    for name in policy.device_groups:
        if name in policy.user_groups:
            yield Problem(("device_groups", name), "a user group has this name too; rename one")


def unknown_people(policy: Policy) -> Iterator[Problem]:
    """Every person who is named has to exist."""
    for path, person in _people_named(policy):
        if person not in policy.users:
            yield Problem(path, f"there is no user {person}; add them under users, or correct the name")


def unknown_groups(policy: Policy) -> Iterator[Problem]:
    """Every group that is named has to exist."""
    kinds: dict[str, Container[str]] = {"user group": policy.user_groups, "device group": policy.device_groups}
    for path, group, allowed in _groups_named(policy):
        if not any(group in kinds[kind] for kind in allowed):
            yield Problem(path, f"there is no {' or '.join(allowed)} {group}; add it, or correct the name")


def line_manager_circles(policy: Policy) -> Iterator[Problem]:
    """Nobody may be their own line manager, directly or through others."""
    cleared: set[str] = set()
    for start in policy.users:
        chain: dict[str, None] = {}
        person: str | None = start
        while person in policy.users and person not in cleared and person not in chain:
            chain[person] = None
            person = policy.users[person].line_manager
        if person in chain:
            circle = [*list(chain)[list(chain).index(person) :], person]
            message = f"{' -> '.join(circle)} is a circle of line managers; correct one of them"
            yield Problem(("users", circle[0], "line_manager"), message)
        cleared.update(chain)


def workflows_never_reached(policy: Policy) -> Iterator[Problem]:
    """The first approval workflow for a pair of groups wins, so a second one would silently never be used."""
    first_for: dict[tuple[str, str], int] = {}
    first_named: dict[str, int] = {}
    for n, workflow in enumerate(policy.approval_workflows):
        if first_named.setdefault(workflow.name, n) != n:
            yield Problem(("approval_workflows", n, "name"), f"{workflow.name} stands here twice; rename one")
        first = first_for.setdefault((workflow.user_group, workflow.device_group), n)
        if first != n:
            message = f"{policy.approval_workflows[first].name} is for the same two groups and comes first; remove one"
            yield Problem(("approval_workflows", n), message)


def reminders_after_the_end(policy: Policy) -> Iterator[Problem]:
    """A reminder after the request has expired would never be sent."""
    for path, scope, terms in _scopes(policy):
        expire = terms["approval_status_change_to_expire"]
        if scope.reminder_minutes is not None and scope.reminder_minutes >= expire:
            message = (
                f"{duration(scope.reminder_minutes)} is not before the request expires, after {duration(expire)}; "
                "make it shorter"
            )
            yield Problem((*path, "reminder_minutes"), message)


def confirmation_without_effect(policy: Policy) -> Iterator[Problem]:
    """A user group's `confirm` has an effect only if the group requires managerial approval."""
    for name, group in policy.user_groups.items():
        if group.confirm and not group.require_managerial_approval:
            message = "has no effect without require_managerial_approval: true; add that, or say it for device groups"
            yield Problem(("user_groups", name, "confirm"), message)


def nobody_would_be_told(policy: Policy) -> Iterator[Problem]:
    """With every channel off nobody would be told of a request, and it would wait until it expires."""
    for path, scope, terms in _scopes(policy):
        # For a scope without channels of its own, the scope that it inherits them from is reported.
        if (scope.channels or not path) and all(use == "off" for use in terms["channels"].values()):
            yield Problem((*path, "channels"), "no channel is left on, so nobody would be told; turn one on")


def nobody_is_admin(policy: Policy) -> Iterator[Problem]:
    """Somebody has to be able to apply the next policy."""
    if not policy.admins:
        message = (
            "nobody who is enabled is an admin, so nobody could apply another policy; give somebody `roles: [admin]`"
        )
        yield Problem(("users",), message)


def unknown_channels(policy: Policy) -> Iterator[Problem]:
    """A request would wait for a channel that does not exist, and nobody would be told."""
    for path, scope, _ in _scopes(policy):
        for channel in scope.channels:
            if channel not in CHANNELS:
                yield Problem((*path, "channels", channel), f"is not a channel; {channel_meant(channel)}")
        for channel in scope.rooms:
            if channel not in CHANNELS:
                yield Problem((*path, "rooms", channel), f"is not a channel; {channel_meant(channel)}")
            elif channel not in CHANNELS_WITH_ROOMS:
                yield Problem((*path, "rooms", channel), "has no rooms; remove it")


def channel_meant(channel: str) -> str:
    """What to write in place of an unknown channel."""
    meant = difflib.get_close_matches(channel, CHANNELS, 1)
    return f"did you mean {meant[0]}?" if meant else f"use {' or '.join(CHANNELS)}"


def channels_not_set_up(policy: Policy, set_up: Container[str]) -> Iterator[Problem]:
    """Channels that the policy uses and this installation has not set up; the file itself is not wrong."""
    for path, scope, _ in _scopes(policy):
        for channel, use in scope.channels.items():
            if use != "off" and channel in CHANNELS and channel not in set_up:
                message = f"{channel} is not set up, so nobody is told there; see docs/settings.md, or write `off`"
                yield Problem((*path, "channels", channel), message)


def nobody_to_ask(policy: Policy) -> Iterator[Problem]:
    """Rule 4: a level with too few people, fallback approvers included, rejects whoever asks."""
    coverage = Coverage(policy)
    try:
        coverage.shortages()
    except TooManyPairs:
        yield Problem((), TOO_MANY_PAIRS)
    for shortage in coverage.found.values():
        yield Problem(shortage.path, shortage.message)


def too_few_for_devices(policy: Policy) -> Iterator[Problem]:
    """Rule 4, for new devices: a level with fewer people than it needs rejects every device."""
    rules = policy.registered_devices
    for n, level in enumerate(rules.levels):
        route = Route(
            because="",
            levels=[level],
            fallback_approvers=combined(RequestTerms, rules, policy)["fallback_approvers"],
            expires_after=policy.approval_status_change_to_expire,
            grant_lasts=timedelta(0),
        )
        if "line_manager" not in level.approvers and level_without_people(policy, route, ""):
            message = f"needs {level.quorum} and has fewer, fallback approvers included; name more approvers"
            yield Problem(("registered_devices", "levels", n), message)


def applications_of_no_device(policy: Policy) -> Iterator[Problem]:
    """Nobody could ask for a device that is in no group."""
    for host, device in policy.applications.items():
        if policy.group_with(device) is None:
            message = f"{device} is in no device group; add it to one, or correct the name"
            yield Problem(("applications", host), message)


def enrolment_names_used_twice(policy: Policy) -> Iterator[Problem]:
    """The record names the rule by which a device enrolled, so no two rules may share a name."""
    names: set[str] = set()
    for n, rule in enumerate(policy.enrolment or []):
        if rule.name in names:
            yield Problem(("enrolment", n, "name"), f"{rule.name} stands here twice; rename one")
        names.add(rule.name)


def enrolment_roles_unknown(policy: Policy) -> Iterator[Problem]:
    """Nobody has a role that does not exist, so a rule that excludes it would exclude nobody."""
    for n, rule in enumerate(policy.enrolment or []):
        for part, selectors in rule.parts.items():
            for i, role in enumerate(selectors.roles):
                if role != ADMIN and role not in policy.roles:
                    message = f"there is no role {role}; add it under roles, or correct the name"
                    yield Problem(("enrolment", n, part, "roles", i), message)


def enrolment_terms_without_effect(policy: Policy) -> Iterator[Problem]:
    """Nobody is asked to approve a machine, or to justify what is blocked."""
    for n, rule in enumerate(policy.enrolment or []):
        for term in ("approval_required", "justification"):
            if getattr(rule, term) and rule.action != "allow":
                yield Problem(
                    ("enrolment", n, term), "has an effect only on an allow rule; remove it, or change the action"
                )
        if rule.session and rule.action == "block":
            yield Problem(("enrolment", n, "session"), "has no effect on a block; remove it, or change the action")


CHECKS: tuple[Callable[[Policy], Iterable[Problem]], ...] = (
    two_people_with_one_address,
    device_in_two_groups,
    group_names_used_twice,
    unknown_people,
    unknown_groups,
    line_manager_circles,
    workflows_never_reached,
    reminders_after_the_end,
    confirmation_without_effect,
    nobody_would_be_told,
    nobody_is_admin,
    unknown_channels,
    too_few_for_devices,
    applications_of_no_device,
    enrolment_names_used_twice,
    enrolment_terms_without_effect,
    enrolment_roles_unknown,
)


def _people_named(policy: Policy) -> Iterator[tuple[Path, str]]:
    """Every mention of a person, with its place."""
    for person, user in policy.users.items():
        if user.line_manager is not None:
            yield ("users", person, "line_manager"), user.line_manager
    lists: list[tuple[Path, list[str] | None]] = [(("fallback_approvers",), policy.fallback_approvers)]
    for name, group in policy.user_groups.items():
        lists.append((("user_groups", name, "members"), group.members))
        lists.append((("user_groups", name, "managers"), group.managers))
    for name, devices in policy.device_groups.items():
        lists.append((("device_groups", name, "managers"), devices.managers))
        lists.append((("device_groups", name, "fallback_approvers"), devices.fallback_approvers))
    for i, workflow in enumerate(policy.approval_workflows):
        lists.append((("approval_workflows", i, "fallback_approvers"), workflow.fallback_approvers))
    for name, role in policy.roles.items():
        lists.append((("roles", name, "people"), role.people))
    devices_rules = policy.registered_devices
    lists.append((("registered_devices", "fallback_approvers"), devices_rules.fallback_approvers))
    yield from (((*path, n), person) for path, people in lists for n, person in enumerate(people or []))
    yield from (((*path, "user"), rule.user) for path, rule in _rules(policy) if isinstance(rule, NamedUser))


def _groups_named(policy: Policy) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Every mention of a group, with its place and the kinds of group it may be."""
    for n, workflow in enumerate(policy.approval_workflows):
        yield ("approval_workflows", n, "user_group"), workflow.user_group, ("user group",)
        yield ("approval_workflows", n, "device_group"), workflow.device_group, ("device group",)
    for name, role in policy.roles.items():
        yield from ((("roles", name, "user_groups", n), one, ("user group",)) for n, one in enumerate(role.user_groups))
    for n, one in enumerate(policy.enrolment or []):
        for part, selectors in one.parts.items():
            for i, group in enumerate(selectors.user_groups):
                yield ("enrolment", n, part, "user_groups", i), group, ("user group",)
    for path, rule in _rules(policy):
        if isinstance(rule, ManagersOf):
            yield (*path, "managers_of"), rule.managers_of, ("user group", "device group")
        if isinstance(rule, MembersOf):
            yield (*path, "members_of"), rule.members_of, ("user group",)


def _rules(policy: Policy) -> Iterator[tuple[Path, ApproverRule]]:
    levels: list[tuple[Path, list[LevelRule]]] = [
        (("approval_workflows", i), workflow.levels) for i, workflow in enumerate(policy.approval_workflows)
    ]
    for place, of_place in [*levels, (("registered_devices",), policy.registered_devices.levels)]:
        for j, level in enumerate(of_place):
            for k, rule in enumerate(level.approvers):
                yield (*place, "levels", j, "approvers", k), rule


def _scopes(policy: Policy) -> Iterator[tuple[Path, Policy | RequestTerms, dict[str, Any]]]:
    """Each place that may have terms of its own, what it says itself, and the terms that apply there."""
    yield (), policy, policy.model_dump(include=set(Terms.model_fields))
    for name, group in policy.device_groups.items():
        yield ("device_groups", name), group, terms_for(policy, name, None)
    yield ("registered_devices",), policy.registered_devices, combined(RequestTerms, policy.registered_devices, policy)
    for n, workflow in enumerate(policy.approval_workflows):
        if workflow.device_group in policy.device_groups:
            yield ("approval_workflows", n), workflow, terms_for(policy, workflow.device_group, workflow)
