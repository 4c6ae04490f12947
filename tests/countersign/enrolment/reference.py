"""A second, plain evaluation of enrolment rules: straight from the written rules, one condition after another."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Written = Mapping[str, Any]
FOR_MACHINES, FOR_PEOPLE = ("service_auth", "bypass"), ("allow", "block")


def first_match(rules: Sequence[Written], facts: Written, answers: Mapping[str, bool | None]) -> str | None:
    """The name of the rule that answers."""
    for actions in (FOR_MACHINES, FOR_PEOPLE):
        for rule in rules:
            if rule["action"] in actions and matches(rule, facts, answers):
                return str(rule["name"])
    return None


def matches(rule: Written, facts: Written, answers: Mapping[str, bool | None]) -> bool:
    def held(part: str) -> list[bool]:
        """Whether each condition counts as true; for an unknown one that depends on the part and the action."""
        found = []
        for selector, value in conditions(rule.get(part, {})):
            truth = holds(selector, value, facts, answers)
            if truth is None:
                if part == "exclude":
                    truth = rule["action"] != "block"
                else:
                    truth = rule["action"] == "block" and selector == "external_evaluations"
            found.append(truth)
        return found

    return any(held("include")) and all(held("require")) and not any(held("exclude"))


def conditions(part: Written) -> Iterator[tuple[str, Any]]:
    for selector, written in part.items():
        if selector == "claims":
            yield from ((selector, (name, value)) for name, values in written.items() for value in values)
        elif isinstance(written, bool):
            if written:
                yield selector, True
        else:
            yield from ((selector, value) for value in written)


def holds(selector: str, value: Any, facts: Written, answers: Mapping[str, bool | None]) -> bool | None:
    """Whether a condition is true; None if that is unknown."""
    token, certificate, email = facts.get("service_token"), facts.get("certificate"), facts.get("email")
    person = bool(email) and token is None
    if selector == "everyone":
        return True
    if selector == "service_tokens":
        return bool(token == value)
    if selector == "any_service_token":
        return token is not None
    if selector == "valid_certificate":
        return certificate is not None and certificate["valid"] is True
    if selector == "common_names":
        if certificate is not None and not certificate["valid"]:
            return None
        return certificate is not None and certificate["common_name"] == value
    if selector == "countries":
        country = facts.get("country")
        return country == value if country else None
    if selector == "source_networks":
        address = facts.get("source_address")
        return ipaddress.ip_address(address) in ipaddress.ip_network(value) if address else None
    if selector == "external_evaluations":
        return answers[value["url"]]
    if not person:
        return None
    assert email is not None
    if selector == "emails":
        return bool(email.lower() == value.lower())
    if selector == "email_domains":
        return bool(email.lower().split("@")[1] == value.lower())
    if selector in ("user_groups", "roles"):
        return value in facts.get(selector, [])
    if selector == "claims":
        name, wanted = value
        claims = facts.get("claims", {})
        return wanted in claims[name] if name in claims else None
    assert selector == "login_methods"
    method = facts.get("login_method")
    return method == value if method else None
