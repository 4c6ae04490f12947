"""How long it takes to find who may enrol, by many rules of which the last matches."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from pydantic import TypeAdapter

from countersign.enrolment.evaluate import NOT_ASKED, evaluate
from countersign.enrolment.facts import Facts
from countersign.enrolment.rules import EnrolmentRule

RULES = 200
TURNS = 50
ACTIONS = ("allow", "block", "service_auth", "bypass")
FACTS = Facts(
    email="alice@example.test",
    user_groups=frozenset({"engineers", "staff"}),
    claims={"team": ["red"]},
    login_method="oidc",
    source_address="192.0.2.7",
    country="DE",
)


def rules(number: int = RULES) -> list[EnrolmentRule]:
    """Rules of all kinds, whose selectors are all evaluated; the last rule matches."""
    written = [_rule(n) for n in range(number - 1)]
    last = {"name": "last", "action": "allow", "include": {"user_groups": ["staff"]}}
    return TypeAdapter(list[EnrolmentRule]).validate_python([*written, last])


def milliseconds_to_evaluate(say: Callable[[str], None]) -> dict[str, float]:
    """The median processor time."""
    say(f"{TURNS} times who may enrol, by {RULES} rules")
    tried, turns = rules(), []
    for _ in range(TURNS):
        started = time.process_time()
        assert evaluate(tried, FACTS, lambda _: NOT_ASKED).rule == "last"
        turns.append((time.process_time() - started) * 1000)
    return {f"enrolment evaluated by {RULES} rules, ms": median(turns)}


def _rule(n: int) -> dict[str, Any]:
    return {
        "name": f"rule {n}",
        "action": ACTIONS[n % len(ACTIONS)],
        "include": {"emails": [f"p{n}@example.test"], "user_groups": [f"g{n}", "staff"], "service_tokens": [f"t{n}"]},
        "require": {"countries": ["DE"], "claims": {"team": [f"team {n}"]}},
        "exclude": {"source_networks": ["10.0.0.0/8", f"10.{n}.0.0/16"]},
    }
