"""What `policy check` says about enrolment rules: mistakes and what is surely unintended, each with its line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from countersign.directory import Policy
from countersign.enrolment import warnings as enrolment_warnings
from countersign.enrolment.rules import Selectors
from countersign.errors import BadPolicy
from countersign.policy.changes import changes
from countersign.policy.file import load, load_with_places, warnings

HEAD = """\
users:
  ada: {name: Ada, email: ada@example.test, roles: [admin]}
user_groups:
  staff: {members: [ada]}
enrolment:
"""
FIRST_LINE = 6


def document(*rules: dict[str, Any]) -> str:
    """A policy with these rules, each on a line of its own."""
    return HEAD + "".join(f"  - {json.dumps(rule)}\n" for rule in rules)


def rule(action: str, name: str = "R", **fields: Any) -> dict[str, Any]:
    return {"name": name, "action": action, "include": {"user_groups": ["staff"]}} | fields


def warned(*rules: dict[str, Any]) -> list[str]:
    return warnings(*load_with_places(document(*rules)))


TOKEN = {"any_service_token": True}
EVALUATION = {"external_evaluations": [{"url": "https://a.example", "keys_url": "https://a.example/keys"}]}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (rule("allow", include={"everyone": True}), "include.everyone: lets everybody in, whoever they are"),
        (
            rule("allow", require={"countries": ["DE", "AT"]}),
            "require.countries: nobody has more than one country, and all are required",
        ),
        (
            rule("allow", require={"common_names": ["a", "b"]}),
            "require.common_names: nobody has more than one common name, and all are required",
        ),
        (
            rule("allow", require={"emails": ["b@example.test", "c@example.test"]}),
            "require.emails: nobody has more than one address, and all are required",
        ),
        (
            rule("allow", require={"source_networks": ["10.0.0.0/8", "192.0.2.0/24"]}),
            "require.source_networks: nobody is in networks that do not overlap, and all are required",
        ),
        (rule("bypass"), "include.user_groups: nobody is asked who they are at a bypass"),
        (
            rule("bypass", include={"countries": ["DE"]}, exclude={"claims": {"team": ["red"]}}),
            "exclude.claims: nobody is asked who they are at a bypass",
        ),
        (rule("allow", require=TOKEN), "require.any_service_token: a service token counts at service_auth"),
        (
            rule("block", include={"service_tokens": ["t1"]}),
            "include.service_tokens: a service token counts at service_auth",
        ),
        (
            rule("service_auth", include={"countries": ["DE"]}),
            "include: lets machines in without a token or a certificate",
        ),
    ],
)
def test_what_is_surely_not_meant_is_warned_of_with_its_line(one: dict[str, Any], expected: str) -> None:
    [found] = warned(rule("allow", "before", include={"emails": ["ada@example.test"]}), one)
    assert found.startswith(f"line {FIRST_LINE + 1}: enrolment[1].{expected}")


def test_what_may_well_be_meant_is_not_warned_of() -> None:
    assert (
        warned(
            rule("allow", "people", include={"countries": ["DE", "AT"]}, require={"user_groups": ["staff"]}),
            rule("allow", "admins", include={"roles": ["admin"]}),
            rule("block", "the rest", include={"everyone": True}),
            rule("service_auth", "machines", include=TOKEN, require={"source_networks": ["10.0.0.0/8", "10.1.0.0/16"]}),
            rule("bypass", "printers", include={"source_networks": ["192.0.2.0/28"]}),
            rule("service_auth", "evaluated", include={"source_networks": ["192.0.2.0/24"]}, require=EVALUATION),
        )
        == []
    )


STAFF = {"user_groups": ["staff"]}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"include": STAFF}, {"include": STAFF}),
        ({"include": STAFF}, {"include": STAFF, "require": {"countries": ["DE"]}}),
        ({"include": STAFF}, {"include": {"countries": ["DE"]}, "require": STAFF}),
        ({"include": STAFF | {"countries": ["DE", "AT"]}}, {"include": {"countries": ["AT"]}}),
        ({"include": {"source_networks": ["10.0.0.0/8"]}}, {"include": {"source_networks": ["10.1.0.0/16"]}}),
        ({"include": {"email_domains": ["example.test"]}}, {"include": {"emails": ["Ada@Example.test"]}}),
        ({"include": STAFF, "exclude": {"countries": ["DE"]}}, {"include": STAFF, "exclude": {"countries": ["DE"]}}),
        ({"include": STAFF, "require": {"countries": ["DE"]}}, {"include": STAFF, "require": {"countries": ["DE"]}}),
        ({"include": {"valid_certificate": True}}, {"include": {"common_names": ["a"]}}),
        ({"include": EVALUATION}, {"include": EVALUATION}),
    ],
)
def test_a_rule_that_an_earlier_one_hides(first: dict[str, Any], second: dict[str, Any]) -> None:
    [found] = warned(rule("allow", "first", **first), rule("allow", "second", **second))
    assert found.startswith(f"line {FIRST_LINE + 1}: enrolment[1]: is never reached: first is tried first")


def test_what_hides_a_rule_is_what_is_tried_before_it_not_what_stands_before_it() -> None:
    found = warned(rule("allow", "first"), rule("service_auth", "second", include=STAFF | TOKEN))
    [hidden] = [one for one in found if "is never reached" in one]
    assert hidden.startswith(f"line {FIRST_LINE}: enrolment[0]: is never reached: second")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"include": STAFF, "require": {"countries": ["DE"]}}, {"include": STAFF}),
        ({"include": STAFF, "exclude": {"countries": ["DE"]}}, {"include": STAFF}),
        ({"include": {"source_networks": ["10.1.0.0/16"]}}, {"include": {"source_networks": ["10.0.0.0/8"]}}),
        ({"include": STAFF}, {"include": STAFF | {"countries": ["DE"]}}),
        # If the country is unknown, the block still matches, and the rule that lets somebody in does not.
        (
            {"include": STAFF, "exclude": {"countries": ["DE"]}},
            {"action": "block", "include": STAFF, "exclude": {"countries": ["DE"]}},
        ),
        ({"include": EVALUATION}, {"action": "block", "include": EVALUATION}),
    ],
)
def test_a_rule_that_may_still_be_come_to(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert warned(rule("allow", "first", **first), {**rule("allow", "second"), **second}) == []


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (rule("allow", include={"user_groups": ["stuff"]}), "include.user_groups[0]: there is no user group stuff"),
        (rule("allow", exclude={"roles": ["guest"]}), "exclude.roles[0]: there is no role guest"),
        (rule("alow"), "action: is not known; use allow"),
        (rule("allow", include={}), "include: names nothing; name a selector"),
        (rule("allow", include={"everyone": False}), "include: names nothing; name a selector"),
        (rule("allow", exclude={"countries": []}), "exclude.countries: is empty; name at least 1"),
        (rule("allow", include={"country": ["DE"]}), "include.country: is not a field here; did you mean countries?"),
        (rule("allow", include={"countries": ["UK"]}), "include.countries[0]: 'UK' is not a country"),
        (rule("allow", include={"emails": ["ada"]}), "include.emails[0]: 'ada' is not a mail address"),
        (rule("allow", include={"email_domains": ["a b.org"]}), "include.email_domains[0]: 'a b.org' is not a domain"),
        (rule("allow", include={"source_networks": ["10.0.0.1/8"]}), "include.source_networks[0]: 10.0.0.1/8 has host"),
        (
            rule("allow", include={"external_evaluations": [{"url": "http://a", "keys_url": "https://a:b@c"}]}),
            "include.external_evaluations[0].keys_url: must be an address that begins with https://",
        ),
        (rule("block", approval_required=True), "approval_required: has an effect only on an allow rule"),
        (rule("bypass", justification=True), "justification: has an effect only on an allow rule"),
        (rule("block", session="1h"), "session: has no effect on a block"),
        (rule("allow", session="for ever"), "session: must be a duration such as"),
    ],
)
def test_a_mistake_is_named_with_its_line(one: dict[str, Any], expected: str) -> None:
    with pytest.raises(BadPolicy) as refused:
        load(document(one))
    assert any(said.startswith(f"line {FIRST_LINE}: enrolment[0].{expected}") for said in refused.value.problems), (
        refused.value.problems
    )


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(BadPolicy, match=r"line 7: enrolment\[1\]\.name: R stands here twice; rename one"):
        load(document(rule("allow"), rule("block")))


def test_an_empty_line_does_not_let_everybody_enrol() -> None:
    with pytest.raises(BadPolicy, match=r"line 5: enrolment: is empty; list the rules below it, write \[\]"):
        load(HEAD)
    assert load(HEAD.replace("enrolment:", "enrolment: []")).enrolment == []
    assert load(HEAD.replace("enrolment:\n", "")).enrolment is None


def test_who_applies_a_policy_sees_what_changes_of_its_rules() -> None:
    old = load(document(rule("allow", "one"), rule("allow", "two"), rule("block", "three")))
    new = load(document(rule("block", "two", require={"countries": ["DE"]}), rule("allow", "one"), rule("allow", "4")))
    said = {part.kind: [(one.name, one.description) for one in part.items] for part in changes(old, new)}
    assert said == {
        "enrolment_rules_removed": [("three", "block")],
        "enrolment_rules_changed": [("two", "action allow -> block; require nothing -> countries DE")],
        "enrolment_rules_added": [("4", "allow")],
        "terms_changed": [("order of enrolment", "two, one, 4")],
    }
    [said_of_all] = [part for part in changes(load(HEAD.replace("enrolment:\n", "")), old) if "terms" in part.kind]
    assert [(one.name, one.description) for one in said_of_all.items] == [("who may enrol", "by the rules")]


def test_a_policy_is_stored_and_read_again_as_it_was() -> None:
    every = {
        "emails": ["Ada@example.test"],
        "email_domains": ["example.test"],
        "user_groups": ["staff"],
        "roles": ["admin"],
        "claims": {"team": ["red", "blue"]},
        "login_methods": ["OIDC"],
        "source_networks": ["192.0.2.0/24", "2001:db8::/32"],
        "countries": ["de"],
        "everyone": True,
        "service_tokens": ["t1"],
        "any_service_token": True,
        "valid_certificate": True,
        "common_names": ["a"],
    }
    assert {*every, *EVALUATION} == set(Selectors.model_fields)
    rules = [rule("allow", include=every | EVALUATION, session="90s"), rule("block", "B", exclude=every)]
    for text in (document(*rules), document(rule("allow", require=every)), HEAD.replace("enrolment:\n", "")):
        policy = load(text)
        assert Policy.model_validate(policy.model_dump(mode="json")) == policy


def test_rules_with_very_many_values_are_not_compared_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = [f"10.{n}.0.0/16" for n in range(100)]
    rules = [rule("allow", "first", include={"source_networks": ["10.0.0.0/8"]})]
    rules += [rule("allow", f"R{n}", include={"source_networks": inside}) for n in range(3)]
    # Each of a rule's 100 networks counts as two comparisons: one as a value, and one with the first rule's network.
    for most, found in ((199, 0), (200, 1), (10_000, 3)):
        monkeypatch.setattr(enrolment_warnings, "MOST_COMPARISONS", most)
        assert len(warned(*rules)) == found
