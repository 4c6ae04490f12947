"""Warns of what is allowed in enrolment rules, but surely a mistake."""

from collections.abc import Iterator
from itertools import combinations, islice
from typing import Any

from countersign.directory import Policy
from countersign.enrolment.evaluate import EXTERNAL, in_order
from countersign.enrolment.rules import IDENTITY, EnrolmentRule
from countersign.policy.check import Problem

# Nobody has two of these at once, so a rule that requires two never matches.
ONE_AT_A_TIME = {
    "emails": "address",
    "email_domains": "domain",
    "login_methods": "way to sign in at a time",
    "countries": "country",
    "service_tokens": "service token at a time",
    "common_names": "common name",
}
TOKENS = ("service_tokens", "any_service_token")
PROOFS_OF_A_MACHINE = {*TOKENS, "valid_certificate", "common_names", EXTERNAL}
NETWORKS = "source_networks"
# At most this many networks of a rule are compared with others.
MOST_NETWORKS = 100
# At most this many values are compared to find rules that are never reached: some seconds of the processor.
MOST_COMPARISONS = 2_000_000
NONE: frozenset[Any] = frozenset()

Conditions = dict[str, frozenset[Any]]


def warnings(policy: Policy) -> Iterator[Problem]:
    """Each warning, with its place in the policy."""
    rules = policy.enrolment or []
    for n, rule in enumerate(rules):
        for message, *place in _of_rule(rule):
            yield Problem(("enrolment", n, *place), message)
    yield from _hidden(rules)


def _of_rule(rule: EnrolmentRule) -> Iterator[tuple[str, ...]]:
    """The warnings about one rule alone, each with its place in it."""
    if rule.action == "allow" and rule.include.everyone:
        yield (
            "lets everybody in, whoever they are; say whom you mean, for example with user_groups",
            "include",
            "everyone",
        )
    for selector, called in ONE_AT_A_TIME.items():
        if len(rule.require.conditions.get(selector, NONE)) > 1:
            message = f"nobody has more than one {called}, and all are required; put them in include, or keep one"
            yield message, "require", selector
    networks = list(islice(rule.require.conditions.get(NETWORKS, NONE), MOST_NETWORKS))
    if any(one.version != other.version or not one.overlaps(other) for one, other in combinations(networks, 2)):
        yield (
            "nobody is in networks that do not overlap, and all are required; put them in include",
            "require",
            NETWORKS,
        )
    if rule.action == "service_auth" and PROOFS_OF_A_MACHINE.isdisjoint(_needed(rule)):
        yield "lets machines in without a token or a certificate; require any_service_token", "include"
    for part, selector in _named(rule):
        if rule.action == "bypass" and selector in IDENTITY:
            yield "nobody is asked who they are at a bypass, so use allow for people", part, selector
        if rule.action != "service_auth" and selector in TOKENS:
            yield "a service token counts at service_auth; make it the rule's action", part, selector


def _needed(rule: EnrolmentRule) -> set[str]:
    return {*rule.include.conditions, *rule.require.conditions}


def _named(rule: EnrolmentRule) -> Iterator[tuple[str, str]]:
    """The selectors of a rule, each with the part that it stands in."""
    yield from ((part, selector) for part, selectors in rule.parts.items() for selector in selectors.conditions)


def _hidden(rules: list[EnrolmentRule]) -> Iterator[Problem]:
    """The rules that are never reached, as one that is tried before matches whenever they do."""
    tried = in_order(rules)
    places = {rule.name: n for n, rule in enumerate(rules)}
    left = MOST_COMPARISONS
    for n, rule in enumerate(tried):
        for hiding in tried[:n]:
            left -= _comparisons(hiding, rule)
            if left < 0:
                return
            if _hides(hiding, rule):
                message = f"is never reached: {hiding.name} is tried first, and matches whenever it would"
                yield Problem(("enrolment", places[rule.name]), f"{message}; remove one")
                break


def _comparisons(first: EnrolmentRule, second: EnrolmentRule) -> int:
    """How many values are compared at most, to find whether the first hides the second."""
    networks = min(len(first.include.source_networks), MOST_NETWORKS)
    values = sum(map(len, second.include.conditions.values())) + sum(map(len, second.require.conditions.values()))
    return values + networks * (len(second.include.source_networks) + len(second.require.source_networks))


def _hides(first: EnrolmentRule, second: EnrolmentRule) -> bool:
    """Whether `first` surely matches whenever `second` does."""
    needed, excluded = first.require.conditions, first.exclude.conditions
    # What is unknown counts against a rule that lets somebody in, but not against one that blocks.
    if first.action != "block" and second.action == "block" and (excluded or EXTERNAL in _needed(first)):
        return False
    return (
        all(values <= second.require.conditions.get(selector, NONE) for selector, values in needed.items())
        and all(values <= second.exclude.conditions.get(selector, NONE) for selector, values in excluded.items())
        and _includes(first.include.conditions, second)
    )


def _includes(wanted: Conditions, rule: EnrolmentRule) -> bool:
    """Whether one of these conditions holds whenever the rule matches."""
    required = rule.require.conditions.items()
    return (
        "everyone" in wanted
        or any(_implied(selector, one, wanted) for selector, values in required for one in values)
        or all(
            _implied(selector, one, wanted)
            for selector, values in rule.include.conditions.items()
            for one in values - wanted.get(selector, NONE)
        )
    )


def _implied(selector: str, value: Any, wanted: Conditions) -> bool:
    """Whether one of the wanted conditions holds whenever this one does."""
    if value in wanted.get(selector, NONE):
        return True
    match selector:
        case "service_tokens":
            return "any_service_token" in wanted
        case "common_names":
            return "valid_certificate" in wanted
        case "emails":
            return value.rpartition("@")[2] in wanted.get("email_domains", NONE)
        case "source_networks":
            networks = islice(wanted.get(selector, NONE), MOST_NETWORKS)
            return any(one.version == value.version and value.subnet_of(one) for one in networks)
    return False
