"""Which channels a policy uses, whom it can ask on each, and in which rooms."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from countersign.directory import Policy
from countersign.models import LevelRule
from countersign.policy.route import levels_for, named_by, terms_for


class _Way(NamedTuple):
    """One way for a request to go: its levels, its terms, and the people whose requests go this way."""

    levels: Sequence[LevelRule]
    terms: dict[str, Any]
    requesters: Sequence[str]


def people_asked(policy: Policy, channel: str) -> list[str]:
    """The ids of the enabled people whom a request can make the channel ask, fallback approvers included."""
    found: set[str] = set()
    for way in _ways(policy):
        if is_on(way.terms, channel):
            found.update(way.terms["fallback_approvers"])
            for rule in chain.from_iterable(level.approvers for level in way.levels):
                found.update(named_by(policy, rule)[0])
                if rule == "line_manager":
                    found.update(filter(None, (policy.users[one].line_manager for one in way.requesters)))
    return sorted(person for person in found if policy.enabled(person))


def rooms_used(policy: Policy, channel: str) -> list[str]:
    """The rooms in which the channel can ask, in the order of their names."""
    terms = (way.terms for way in _ways(policy) if is_on(way.terms, channel))
    return sorted({each["rooms"][channel] for each in terms if channel in each["rooms"]})


def channels_on(policy: Policy) -> list[str]:
    """The channels by which the policy lets anybody be told or asked, in the order of their names."""
    by_scope = [
        policy.channels,
        *(place.channels for place in [*policy.device_groups.values(), *policy.approval_workflows]),
    ]
    return sorted({name for channels in by_scope for name, use in channels.items() if use != "off"})


def is_on(terms: dict[str, Any], channel: str) -> bool:
    """Whether these terms let a channel ask anybody; a channel that they don't name is off."""
    return bool(terms["channels"].get(channel, "off") != "off")


def _ways(policy: Policy) -> Iterator[_Way]:
    """Every way on which somebody is asked."""
    for groups, requesters in policy.people_by_groups.items():
        for device_group in policy.device_groups:
            _, levels, workflow = levels_for(policy, groups, device_group)
            if levels:
                yield _Way(levels, terms_for(policy, device_group, workflow), requesters)
