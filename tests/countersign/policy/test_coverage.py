"""Nobody to ask (rule 4): what the policy check and the look at opening predict is what the ballot does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countersign.ballot import Ballot
from countersign.directory import Policy
from countersign.kinds.connection import ConnectionQuestion
from countersign.kinds.routes import route_of
from countersign.models import Answer, Route, Status, Verdict
from countersign.policy.coverage import Coverage
from countersign.policy.route import level_without_people, people

START = datetime(2025, 1, 1, tzinfo=UTC)
PEOPLE = ("ann", "ben", "cleo", "dan")
DEVICE_GROUPS = ("web", "databases")

some_people = st.lists(st.sampled_from(PEOPLE), max_size=3, unique=True)
approvers = st.one_of(
    st.just("line_manager"),
    st.fixed_dictionaries({"managers_of": st.sampled_from(("staff", "guests", "web"))}),
    st.fixed_dictionaries({"members_of": st.sampled_from(("staff", "guests"))}),
    st.fixed_dictionaries({"user": st.sampled_from(PEOPLE)}),
)
levels = st.fixed_dictionaries(
    {
        "approvers": st.lists(approvers, min_size=1, max_size=2),
        "quorum": st.integers(1, 3),
        "members_may_approve_themselves": st.booleans(),
    }
)
workflows = st.fixed_dictionaries(
    {
        "name": st.just("W"),
        "user_group": st.sampled_from(("staff", "guests")),
        "device_group": st.sampled_from(DEVICE_GROUPS),
        "levels": st.lists(levels, min_size=1, max_size=2),
        "fallback_approvers": st.none() | some_people,
    }
)
groups = st.fixed_dictionaries({"managers": some_people, "require_managerial_approval": st.booleans()})


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    def user(name: str) -> dict[str, Any]:
        boss = draw(st.sampled_from([None, *(one for one in PEOPLE if one > name)]))
        disabled = draw(st.sampled_from([False, False, True]))
        return {"name": name, "email": f"{name}@x.y", "line_manager": boss, "disabled": disabled}

    return Policy.model_validate(
        {
            "users": {name: user(name) for name in PEOPLE},
            "user_groups": {name: draw(groups) | {"members": draw(some_people)} for name in ("staff", "guests")},
            "device_groups": {name: draw(groups) | {"devices": [f"{name}-1"]} for name in DEVICE_GROUPS},
            "approval_workflows": draw(st.lists(workflows, max_size=2)),
            "fallback_approvers": draw(some_people),
            "auto_approve_when_requester_is_approver": draw(st.booleans()),
        }
    )


def nobody_at(policy: Policy, requester: str, device_group: str) -> int:
    """The level at which this request is rejected for lack of people, though everybody asked approves; 0 if none."""
    question = ConnectionQuestion.model_validate(
        {"requester": requester, "device": f"{device_group}-1", "protocol": "ssh"}
    )
    found = route_of(policy, question)
    ballot = Ballot(
        approval_id=1,
        requester=requester,
        levels=found.levels,
        own_approval_counts=found.auto_approve_when_requester_is_approver,
        deadline=START + found.expires_after,
    )
    for number in range(1, len(found.levels) + 1):
        pass_level(ballot, policy, found, number)
        if ballot.status is Status.REJECTED:
            assert level_without_people(policy, found, requester) == number
            return number
    assert ballot.status is Status.APPROVED or not found.levels
    assert level_without_people(policy, found, requester) == 0
    return 0


def pass_level(ballot: Ballot, policy: Policy, found: Route, number: int) -> None:
    ballot.start_level(people(policy, found, number, ballot.requester), START)
    for person in ballot.asked:
        answer = Answer(
            id=f"{person}-{number}",
            approval_id=1,
            level=number,
            person=person,
            verdict=Verdict.APPROVE,
            channel="email",
            at=START,
        )
        if ballot.judge(answer) is None:
            ballot.count(answer)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(policies())
def test_the_check_and_the_opening_foretell_who_would_find_nobody_to_ask(policy: Policy) -> None:
    foretold = {(person, one.device_group) for one in Coverage(policy).shortages() for person in one.requesters}
    asking = [person for person in PEOPLE if policy.enabled(person)]
    found = {(person, group) for person in asking for group in DEVICE_GROUPS if nobody_at(policy, person, group)}
    assert foretold == found
