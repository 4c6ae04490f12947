"""Finds who must agree to a question by a policy: rules 1, 2 and 4 of approval, as pure functions."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from countersign.directory import ApprovalWorkflow, Policy, RequestTerms, Terms
from countersign.error_codes import ErrorCode
from countersign.errors import Refused
from countersign.models import (
    Approver,
    ApproverRule,
    Confirm,
    LevelPeople,
    LevelRule,
    ManagersOf,
    MembersOf,
    NamedUser,
    Route,
)


def must_be_enabled(policy: Policy, requester: str) -> None:
    """Raise Refused for a requester who is not in the directory, or disabled (rule 1)."""
    if requester not in policy.users:
        message = f"There is no {requester} in the directory; ask an administrator to add them."
        raise Refused(message, ErrorCode.UNKNOWN_REQUESTER, requester=requester)
    if not policy.enabled(requester):
        message = f"{requester} is disabled and may not ask."
        raise Refused(message, ErrorCode.DISABLED_REQUESTER, requester=requester)


def route(policy: Policy, groups: Sequence[str], device_group: str) -> Route:
    """Who must agree when a member of these user groups asks for something of a device group, and on what terms.

    `grant_lasts` is the longest that a grant may last here.
    """
    because, levels, workflow = levels_for(policy, groups, device_group)
    terms = terms_for(policy, device_group, workflow)
    confirm = terms["confirm"] or _confirmed_by_groups(policy, groups, workflow)
    return Route(
        because=because,
        levels=levels,
        # An approval that needs a fresh sign-in is never counted without the approver acting.
        auto_approve_when_requester_is_approver=policy.auto_approve_when_requester_is_approver and not confirm,
        expires_after=terms["approval_status_change_to_expire"],
        grant_lasts=terms["grant_minutes"],
        fallback_approvers=terms["fallback_approvers"],
        remind_after=terms["reminder_minutes"],
        channels=terms["channels"],
        rooms=terms["rooms"],
        rejection_needs_reason=terms["rejection_needs_reason"],
        same_source_address=policy.same_source_address,
        confirm=confirm or "",
    )


def levels_for(
    policy: Policy, groups: Sequence[str], device_group: str
) -> tuple[str, list[LevelRule], ApprovalWorkflow | None]:
    """The reason, levels and approval workflow for what a member of these user groups asks for (rule 1)."""
    for workflow in policy.workflows_for(device_group):
        if workflow.user_group in groups:
            return f"approval workflow {workflow.name}", workflow.levels, workflow
    requiring = _requiring_managers(policy, groups, device_group)
    if not requiring:
        return "nobody requires approval", [], None
    asked = requiring
    if device_group in requiring and not policy.device_groups[device_group].managers:
        asked = list(dict.fromkeys([*requiring, *groups]))
    level = LevelRule(approvers=[ManagersOf(managers_of=group) for group in asked])
    return f"managerial approval is required by {' and '.join(requiring)}", [level], None


def terms_for(policy: Policy, device_group: str, workflow: ApprovalWorkflow | None) -> dict[str, Any]:
    """The terms that apply, by their names in `Terms`: the workflow's, else the device group's, else the policy's."""
    return combined(Terms, *filter(None, (workflow, policy.device_groups[device_group])), policy)


def combined(terms: type[RequestTerms], *scopes: RequestTerms | Policy) -> dict[str, Any]:
    """The terms that apply, by the names of their fields. The scopes go from the closest, which wins, to the widest."""
    by_field = {
        field: next((value for scope in scopes if (value := getattr(scope, field)) is not None), None)
        for field in terms.model_fields
    }
    by_channel = {
        "channels": {name: use for scope in reversed(scopes) for name, use in scope.channels.items()},
        "rooms": {name: room for scope in reversed(scopes) for name, room in scope.rooms.items()},
    }
    return by_field | by_channel


def people(policy: Policy, route: Route, level: int, requester: str) -> LevelPeople:
    """The people of a level, counted from 1, as the directory has them now: enabled only, each once (rule 2).

    The requester is among them where a rule names them, since the ballot decides about rule 3; they are never a
    fallback.
    """
    approvers = _each_once(policy, _named(policy, route.levels[level - 1].approvers, requester))
    asked = {requester, *(approver.person for approver in approvers)}
    fallback = [Approver(person=one, because="fallback approver") for one in route.fallback_approvers]
    return LevelPeople(
        approvers=approvers, fallback=[one for one in _each_once(policy, fallback) if one.person not in asked]
    )


def level_without_people(
    policy: Policy, route: Route, requester: str, first: int = 1, cannot_act: Collection[str] = ()
) -> int:
    """The first level, from `first` on, with fewer people than it needs; 0 if there is none (rule 4).

    Fallback approvers count, and the requester's own approval if rule 3 counts it; nobody in `cannot_act` counts.
    """
    for number, rule in enumerate(route.levels[first - 1 :], first):
        asked = people(policy, route, number, requester)
        able = {one.person for one in [*asked.approvers, *asked.fallback]} - {requester, *cannot_act}
        own = route.auto_approve_when_requester_is_approver and any(
            rule.own_approval_counts(one) for one in asked.approvers if one.person == requester
        )
        if len(able) + own < rule.quorum:
            return number
    return 0


def named_by(policy: Policy, rule: ApproverRule) -> tuple[Sequence[str], str]:
    """Whom a rule names for every requester, and why they are asked; nobody for `line_manager`."""
    match rule:
        case ManagersOf(managers_of=group):
            return policy.managers_of(group), f"manager of {group}"
        case MembersOf(members_of=group):
            return policy.members_of(group), f"member of {group}"
        case NamedUser(user=person):
            return [person], "named approver"
        case "admins":
            return policy.admins, "an admin"
        case "line_manager":
            return [], ""


def why_cannot_act(policy: Policy, version: int, requester: str) -> str:
    """Why a requester who is disabled, or not in the directory, loses requests and grants (rule 6)."""
    return f"The requester is {'disabled' if requester in policy.users else 'not'} in policy version {version}."


def _confirmed_by_groups(policy: Policy, groups: Sequence[str], workflow: ApprovalWorkflow | None) -> Confirm | None:
    """The first `confirm` of the user groups that require managerial approval; none with an approval workflow."""
    asked = [policy.user_groups[group] for group in groups] if workflow is None else []
    return next((one.confirm for one in asked if one.require_managerial_approval and one.confirm), None)


def _requiring_managers(policy: Policy, groups: Sequence[str], device_group: str) -> list[str]:
    own = [device_group] if policy.device_groups[device_group].require_managerial_approval else []
    return own + [group for group in groups if policy.user_groups[group].require_managerial_approval]


def _named(policy: Policy, rules: Iterable[ApproverRule], requester: str) -> Iterator[Approver]:
    """Everybody whom the rules name, in their order, once for every way in which they are eligible."""
    for rule in rules:
        named, because = named_by(policy, rule)
        for person in named:
            yield Approver(person=person, because=because, as_manager=isinstance(rule, ManagersOf))
        # Nobody is their own line manager, whatever the directory says; and the requester may be gone from it.
        asking = policy.users.get(requester) if rule == "line_manager" else None
        if asking and (boss := asking.line_manager) and boss != requester:
            yield Approver(person=boss, because=f"line manager of {requester}", as_manager=True)


def _each_once(policy: Policy, named: Iterable[Approver]) -> list[Approver]:
    found: dict[str, Approver] = {}
    for one in named:
        if not policy.enabled(one.person):
            continue
        one = one.model_copy(update={"name": policy.users[one.person].name})
        before = found.setdefault(one.person, one)
        if before is not one and one.because not in before.because:
            found[one.person] = before.model_copy(
                update={
                    "because": f"{before.because}, {one.because}",
                    "as_manager": before.as_manager or one.as_manager,
                }
            )
    return list(found.values())
