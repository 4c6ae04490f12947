"""Which enrolment rule answers: against a plain reference, and what must never let anybody in."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from countersign.enrolment.evaluate import NOT_ASKED, EnrolmentVerdict, ExternalResult, evaluate
from countersign.enrolment.facts import Facts
from countersign.enrolment.rules import IDENTITY, EnrolmentRule, ExternalEvaluation
from tests.countersign.enrolment.reference import FOR_MACHINES, FOR_PEOPLE, first_match
from tests.whole import IS_WHOLE

RULES = TypeAdapter(list[EnrolmentRule])
EVALUATIONS = [{"url": f"https://{name}.example/ask", "keys_url": f"https://{name}.example/keys"} for name in "xyz"]
# The values that rules and facts take for each selector: few, so that they often match.
POOLS: dict[str, list[Any]] = {
    "emails": ["ann@a.example", "Ben@b.example", "cleo@a.example"],
    "email_domains": ["a.example", "b.example"],
    "user_groups": ["staff", "vendors"],
    "roles": ["admin", "guest"],
    "claims": [("team", "red"), ("team", "blue"), ("level", "1")],
    "login_methods": ["oidc", "link"],
    "source_networks": ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"],
    "countries": ["AT", "DE"],
    "everyone": [True],
    "service_tokens": ["t1", "t2"],
    "any_service_token": [True],
    "valid_certificate": [True],
    "common_names": ["laptop", "printer"],
    "external_evaluations": EVALUATIONS,
}
ACTIONS = [*FOR_MACHINES, *FOR_PEOPLE, *FOR_PEOPLE]


class Drawn:
    """Draws random policies and facts."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def part(self, least: int) -> dict[str, Any]:
        chosen = self.chance.sample(sorted(POOLS), self.chance.choice([least, 1, 2]))
        return {selector: self.values(selector) for selector in chosen}

    def values(self, selector: str) -> Any:
        pool = POOLS[selector]
        if pool == [True]:
            return True
        some = self.chance.sample(pool, self.chance.choice([1, 1, 2]))
        if selector != "claims":
            return some
        return {name: [value for other, value in some if other == name] for name, _ in some}

    def rules(self) -> list[dict[str, Any]]:
        return [
            {"name": f"rule {n}", "action": self.chance.choice(ACTIONS), "include": self.part(1)}
            | {part: said for part in ("require", "exclude") if (said := self.part(0))}
            for n in range(self.chance.randint(0, 5))
        ]

    def facts(self) -> dict[str, Any]:
        chance = self.chance
        groups = {name: chance.sample(POOLS[name], chance.randint(0, 2)) for name in ("user_groups", "roles")}
        claims = {"team": [["red"], ["blue", "red"], []], "level": [["1"], ["2"]]}
        certificate = {"common_name": chance.choice(["laptop", "other"]), "serial": "1", "sha256": "2"}
        known: dict[str, Any] = {
            "email": chance.choice(["ANN@a.example", "ben@b.example"]),
            "login_method": chance.choice(["oidc", "else"]),
            "source_address": chance.choice(["10.1.2.3", "10.2.3.4", "2001:db8::1", "192.0.2.1"]),
            "country": chance.choice(["AT", "FR"]),
            "certificate": certificate | {"valid": chance.choice([True, True, False])},
        }
        facts = {name: value for name, value in known.items() if chance.random() < 0.7}
        if chance.random() < 0.3:
            facts["service_token"] = chance.choice(["t1", "t3"])
        told = {name: chance.choice(values) for name, values in claims.items() if chance.random() < 0.6}
        return facts | groups | {"claims": told}

    def answers(self) -> dict[str, bool | None]:
        return {one["url"]: self.chance.choice([True, False, None]) for one in EVALUATIONS}


# Many examples, each drawn from a number: hypothesis takes longer to draw a policy than both take to evaluate it.
@settings(max_examples=500 if IS_WHOLE else 100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**64))
def test_it_agrees_with_the_plain_reference_on_thousands_of_policies(number: int) -> None:
    drawn = Drawn(random.Random(number))
    for _ in range(20):
        written, facts, answers = drawn.rules(), drawn.facts(), drawn.answers()
        found = evaluated(written, facts, answers)
        assert (found.rule or None) == first_match(written, facts, answers), (written, facts, answers)
        tried = [one["name"] for kind in (FOR_MACHINES, FOR_PEOPLE) for one in written if one["action"] in kind]
        assert [one.rule for one in found.tried] == tried[: tried.index(found.rule) if found.rule else None]
        assert all(one.why for one in found.tried)


def evaluated(written: Any, facts: Any, answers: Any) -> EnrolmentVerdict:
    return evaluate(
        RULES.validate_python(written), Facts.model_validate(facts), lambda one: ExternalResult(answers[one.url])
    )


def verdict(*rules: EnrolmentRule, external: Any = lambda _: NOT_ASKED, **facts: Any) -> EnrolmentVerdict:
    return evaluate(rules, Facts.model_validate(facts), external)


def a_rule(name: str = "R", action: str = "allow", include: Any = None, **fields: Any) -> EnrolmentRule:
    return EnrolmentRule.model_validate(
        {"name": name, "action": action, "include": include or {"everyone": True}} | fields
    )


ORDER = [("A", "allow"), ("B", "block"), ("C", "service_auth"), ("D", "bypass"), ("E", "allow")]


@pytest.mark.parametrize(("letter", "position"), [("C", 0), ("D", 1), ("A", 2), ("B", 3), ("E", 4)])
def test_rules_for_machines_are_tried_first_and_the_first_that_matches_is_final(letter: str, position: int) -> None:
    """All rules from `position` in the order of trial match, so the first of them answers."""
    tried = ["C", "D", "A", "B", "E"]
    rules = [
        a_rule(name, action, {"countries": ["DE" if tried.index(name) >= position else "AT"]}) for name, action in ORDER
    ]
    found = verdict(*rules, country="DE")
    assert (found.rule, found.action) == (letter, dict(ORDER)[letter])
    assert [one.rule for one in found.tried] == tried[:position]


def test_no_rule_that_matches_refuses_and_says_why_of_each() -> None:
    rules = [a_rule(name, action, {"countries": ["AT", "CH"]}) for name, action in ORDER]
    found = verdict(*rules, country="DE")
    assert (found.action, found.rule, found.admits) == (None, "", False)
    assert [one.rule for one in found.tried] == ["C", "D", "A", "B", "E"]
    assert {one.why for one in found.tried} == {"include: none of this holds: countries AT, CH"}
    assert verdict().admits is False


def test_the_verdict_says_what_the_rule_asks_for() -> None:
    rule = a_rule(approval_required=True, justification=True, session="12h")
    found = verdict(rule, email="a@b.example")
    assert (found.approval_required, found.justification, found.session) == (True, True, timedelta(hours=12))
    assert found.admits is True
    assert verdict(a_rule(action="block")).admits is False


STAFF = {"user_groups": ["staff"]}


@pytest.mark.parametrize(
    ("exclude", "facts", "why"),
    [
        ({"countries": ["RU"]}, {}, "exclude: countries RU is not known, so it might hold"),
        ({"countries": ["RU"]}, {"country": "XX"}, "exclude: countries RU is not known, so it might hold"),
        ({"source_networks": ["10.0.0.0/8"]}, {}, "exclude: source_networks 10.0.0.0/8 is not known, so it might hold"),
        ({"claims": {"team": ["red"]}}, {}, "exclude: claims team = red is not known, so it might hold"),
        ({"login_methods": ["Link"]}, {}, "exclude: login_methods link is not known, so it might hold"),
        (
            {"common_names": ["stolen"]},
            {"certificate": {"common_name": "other", "serial": "1", "sha256": "2", "valid": False}},
            "exclude: common_names stolen is not known, so it might hold",
        ),
        (
            {"external_evaluations": EVALUATIONS[:1]},
            {},
            "exclude: external_evaluations https://x.example/ask is not known (it was not asked), so it might hold",
        ),
        ({"countries": ["DE", "RU"]}, {"country": "DE"}, "exclude: countries DE holds"),
    ],
)
def test_what_is_excluded_or_might_be_lets_nobody_in_and_saves_nobody_from_a_block(
    exclude: Any, facts: Any, why: str
) -> None:
    facts = {"email": "a@b.example", "user_groups": ["staff"]} | facts
    [tried] = verdict(a_rule(include=STAFF, exclude=exclude), **facts).tried
    assert tried.why == why
    blocked = verdict(a_rule(action="block", include=STAFF, exclude=exclude), **facts)
    assert blocked.action == (None if why.endswith(" holds") else "block")


@pytest.mark.parametrize("selector", sorted(IDENTITY))
def test_no_identity_selector_matches_a_machine_whatever_is_said_of_it(selector: str) -> None:
    written = {"emails": ["a@b.example"], "email_domains": ["b.example"], "claims": {"team": ["red"]}}
    conditions = {selector: written.get(selector, ["staff"])}
    everything = {
        "email": "a@b.example",
        "user_groups": ["staff"],
        "roles": ["staff"],
        "claims": {"team": ["red"]},
        "login_method": "staff",
    }
    rule = a_rule(action="service_auth", include=conditions)
    assert verdict(rule, **everything).action == "service_auth"
    assert verdict(rule, **everything, service_token="t1").action is None
    assert verdict(rule, **everything | {"email": None}).action is None
    # An identity that is excluded refuses every machine, as nobody knows who uses it.
    rule = a_rule(action="service_auth", exclude=conditions)
    assert verdict(rule, **everything, service_token="t1").action is None


def test_a_certificate_that_is_not_valid_proves_no_name() -> None:
    rule = a_rule(action="service_auth", include={"common_names": ["laptop"]})
    certificate = {"common_name": "laptop", "serial": "1", "sha256": "2"}
    assert verdict(rule, certificate=certificate | {"valid": True}).rule == "R"
    assert verdict(rule, certificate=certificate | {"valid": False}).rule == ""
    assert verdict(rule).rule == ""


def test_require_needs_every_value() -> None:
    rule = a_rule(require={"user_groups": ["staff", "vendors"]})
    assert verdict(rule, email="a@b.example", user_groups=["staff", "vendors", "else"]).rule == "R"
    [tried] = verdict(rule, email="a@b.example", user_groups=["staff"]).tried
    assert tried.why == "require: user_groups vendors does not hold"


@pytest.mark.parametrize("part", ["include", "require"])
def test_an_external_evaluation_without_an_answer_refuses(part: str) -> None:
    conditions: dict[str, Any] = {part: {"external_evaluations": EVALUATIONS[:1]}}
    why = "external_evaluations https://x.example/ask is not known (it took too long)"

    def silent(one: ExternalEvaluation) -> ExternalResult:
        return ExternalResult(None, "it took too long")

    [tried] = verdict(a_rule(**conditions), external=silent).tried
    assert why in tried.why
    assert verdict(a_rule(action="block", **conditions), external=silent).action == "block"
    no = verdict(a_rule(action="block", **conditions), external=lambda one: ExternalResult(False))
    assert no.action is None


def test_what_was_decided_before_asks_no_endpoint() -> None:
    def fails(one: ExternalEvaluation) -> ExternalResult:
        raise AssertionError(one)

    rules = [
        a_rule("first", include={"countries": ["DE"], "external_evaluations": EVALUATIONS}),
        a_rule("second", require={"external_evaluations": EVALUATIONS}),
    ]
    assert verdict(*rules, external=fails, country="DE").rule == "first"


@pytest.mark.parametrize(
    ("network", "address", "is_in"),
    [
        ("192.0.2.0/24", "192.0.2.255", True),
        ("192.0.2.0/24", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.0/120", "192.0.2.1", True),
        ("192.0.2.7", "192.0.2.7", True),
        ("2001:db8::/32", "2001:db8:ffff::1", True),
        ("::/0", "192.0.2.1", False),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("fe80::/10", "fe80::1%eth0", True),
    ],
)
def test_an_address_is_in_a_network_in_whatever_form(network: str, address: str, is_in: bool) -> None:
    rule = a_rule(include={"source_networks": [network]})
    assert (verdict(rule, source_address=address).rule == "R") is is_in


@pytest.mark.parametrize(
    ("selector", "value", "facts"),
    [
        ("emails", "Ann@Example.org", {"email": "aNN@example.ORG"}),
        ("email_domains", "@Example.org", {"email": "ann@EXAMPLE.org"}),
        ("login_methods", "OIDC", {"email": "ann@example.org", "login_method": "Oidc"}),
        ("countries", "de", {"country": " De "}),
    ],
)
def test_what_has_no_case_is_compared_without(selector: str, value: str, facts: Any) -> None:
    assert verdict(a_rule(include={selector: [value]}), **facts).rule == "R"
    # The whole domain has to match.
    assert verdict(a_rule(include={"email_domains": ["example.org"]}), email="a@evil-example.org").rule == ""
    assert verdict(a_rule(include={"email_domains": ["example.org"]}), email="a@sub.example.org").rule == ""
