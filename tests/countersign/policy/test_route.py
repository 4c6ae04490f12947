"""The rules of approval, by number, as far as the policy decides them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from countersign.directory import Policy
from countersign.errors import Refused
from countersign.kinds.connection import ConnectionQuestion
from countersign.kinds.routes import route_of
from countersign.models import LevelPeople, Route
from countersign.policy.file import load
from countersign.policy.route import level_without_people, people
from countersign.times import MINUTE

EXAMPLE = Path(__file__).parents[3] / "examples" / "policy.yaml"
PEOPLE = ("alice", "bob", "carol", "dave", "grace", "heidi", "ivan")


def a_policy(**fields: Any) -> Policy:
    """Alice and Bob are engineers under Grace, Bob also on call under Heidi; Ivan manages the databases."""
    users: dict[str, dict[str, Any]] = {one: {"name": one.title(), "email": f"{one}@example.test"} for one in PEOPLE}
    for person, changed in fields.pop("changed", {}).items():
        users[person] |= changed
    groups: dict[str, dict[str, Any]] = {
        "engineers": {"members": ["alice", "bob"], "managers": ["grace"]},
        "on-call": {"members": ["bob"], "managers": ["heidi", "grace"]},
    }
    for name in fields.pop("managed", []):
        groups[name] |= {"require_managerial_approval": True}
    document = {
        "users": users,
        "user_groups": groups,
        "device_groups": {"databases": {"devices": ["db-1"]}, "lab": {"devices": ["lab-1"]}},
    }
    return Policy.model_validate(document | fields)


def databases(**fields: Any) -> dict[str, Any]:
    return {"databases": {"devices": ["db-1"], **fields}}


def a_workflow(*approvers: Any, **fields: Any) -> dict[str, Any]:
    levels = [{"approvers": list(approvers)}]
    return {"name": "W", "user_group": "engineers", "device_group": "databases", "levels": levels} | fields


def asked(requester: str, device: str = "db-1", **fields: Any) -> ConnectionQuestion:
    return ConnectionQuestion.model_validate({"requester": requester, "device": device, "protocol": "ssh"} | fields)


def first_level(policy: Policy, requester: str, device: str = "db-1") -> LevelPeople:
    return people(policy, route_of(policy, asked(requester, device)), 1, requester)


def ids(level: LevelPeople) -> list[str]:
    return [one.person for one in level.approvers]


# --- rule 1 ---------------------------------------------------------------------------------------------------------


def test_rule_1_an_unknown_requester_is_refused() -> None:
    with pytest.raises(Refused, match="There is no zoe in the directory"):
        route_of(a_policy(), asked("zoe"))


def test_rule_1_a_disabled_requester_is_refused() -> None:
    with pytest.raises(Refused, match="alice is disabled"):
        route_of(a_policy(changed={"alice": {"disabled": True}}), asked("alice"))


def test_rule_1_a_device_in_no_group_is_refused() -> None:
    with pytest.raises(Refused, match="db-9 is in no device group"):
        route_of(a_policy(), asked("alice", "db-9"))


def test_rule_1a_the_first_workflow_in_the_policys_order_holds() -> None:
    workflows = [
        a_workflow({"user": "ivan"}, name="Elsewhere", device_group="lab"),
        a_workflow({"user": "dave"}, name="On call", user_group="on-call"),
        a_workflow({"user": "carol"}, name="Engineers"),
    ]
    policy = a_policy(approval_workflows=workflows, managed=["engineers"])
    assert route_of(policy, asked("bob")).because == "approval workflow On call"
    assert ids(first_level(policy, "bob")) == ["dave"]
    assert ids(first_level(policy, "alice")) == ["carol"]


def test_rule_1a_goes_before_managerial_approval() -> None:
    policy = a_policy(approval_workflows=[a_workflow({"user": "dave"})], managed=["engineers"])
    assert ids(first_level(policy, "alice")) == ["dave"]
    assert ids(first_level(policy, "alice", "lab-1")) == ["grace"]


def test_rule_1b_a_user_group_that_requires_it_brings_its_managers() -> None:
    found = route_of(a_policy(managed=["engineers"]), asked("alice"))
    assert [level.quorum for level in found.levels] == [1]
    assert found.because == "managerial approval is required by engineers"
    assert ids(first_level(a_policy(managed=["engineers"]), "alice")) == ["grace"]


def test_rule_1b_the_managers_of_every_group_that_requires_it_are_asked() -> None:
    policy = a_policy(
        managed=["engineers", "on-call"],
        device_groups=databases(managers=["ivan"], require_managerial_approval=True),
    )
    assert ids(first_level(policy, "bob")) == ["ivan", "grace", "heidi"]
    assert ids(first_level(policy, "alice")) == ["ivan", "grace"]
    assert ids(first_level(policy, "carol")) == ["ivan"]


def test_rule_1b_a_group_that_does_not_require_it_brings_nobody() -> None:
    policy = a_policy(device_groups=databases(managers=["ivan"]), managed=["engineers"])
    assert ids(first_level(policy, "bob")) == ["grace"]


def test_rule_1b_a_device_group_without_managers_brings_those_of_all_the_requesters_groups() -> None:
    policy = a_policy(device_groups=databases(require_managerial_approval=True))
    assert ids(first_level(policy, "bob")) == ["grace", "heidi"]
    assert ids(first_level(policy, "alice")) == ["grace"]
    assert ids(first_level(policy, "carol")) == []


def test_rule_1c_where_nobody_requires_it_there_are_no_levels() -> None:
    found = route_of(a_policy(), asked("alice"))
    assert found.levels == []
    assert found.because == "nobody requires approval"


# --- rule 2 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("approver", "expected", "because", "as_manager"),
    [
        ({"managers_of": "on-call"}, ["heidi", "grace"], "manager of on-call", True),
        ({"managers_of": "databases"}, ["ivan"], "manager of databases", True),
        ({"members_of": "on-call"}, ["bob"], "member of on-call", False),
        ({"user": "dave"}, ["dave"], "named approver", False),
        ("line_manager", ["carol"], "line manager of alice", True),
    ],
)
def test_rule_2_each_form_of_approver(approver: Any, expected: list[str], because: str, as_manager: bool) -> None:
    policy = a_policy(
        changed={"alice": {"line_manager": "carol"}},
        device_groups=databases(managers=["ivan"]),
        approval_workflows=[a_workflow(approver)],
    )
    level = first_level(policy, "alice")
    assert ids(level) == expected
    assert {(one.because, one.as_manager) for one in level.approvers} == {(because, as_manager)}


def test_rule_2_a_person_eligible_in_several_ways_is_asked_once_and_every_way_is_said() -> None:
    mix = [{"members_of": "on-call"}, {"user": "grace"}, {"user": "bob"}, {"managers_of": "engineers"}]
    level = first_level(a_policy(approval_workflows=[a_workflow(*mix)]), "alice")
    assert ids(level) == ["bob", "grace"]
    assert [one.because for one in level.approvers] == [
        "member of on-call, named approver",
        "named approver, manager of engineers",
    ]
    assert [one.as_manager for one in level.approvers] == [False, True]


def test_rule_2_disabled_people_are_not_asked() -> None:
    policy = a_policy(managed=["on-call"], changed={"heidi": {"disabled": True}})
    assert ids(first_level(policy, "bob")) == ["grace"]


def test_rule_2_each_level_has_its_own_people_and_quorum() -> None:
    levels = [{"approvers": [{"user": "dave"}]}, {"approvers": [{"managers_of": "on-call"}], "quorum": 2}]
    policy = a_policy(approval_workflows=[a_workflow(levels=levels)])
    found = route_of(policy, asked("alice"))
    assert [level.quorum for level in found.levels] == [1, 2]
    assert [ids(people(policy, found, n, "alice")) for n in (1, 2)] == [["dave"], ["heidi", "grace"]]


def test_rule_2_a_requester_without_a_line_manager_has_none_to_ask() -> None:
    policy = a_policy(approval_workflows=[a_workflow("line_manager")])
    assert ids(first_level(policy, "alice")) == []


def test_a_requester_who_is_gone_from_the_directory_has_no_line_manager() -> None:
    policy = a_policy(changed={"alice": {"line_manager": "carol"}}, approval_workflows=[a_workflow("line_manager")])
    found = route_of(policy, asked("alice"))
    del policy.users["alice"]
    assert ids(people(policy, found, 1, "alice")) == []


def test_nobody_is_their_own_line_manager_even_where_the_directory_says_so() -> None:
    policy = a_policy(changed={"alice": {"line_manager": "alice"}}, approval_workflows=[a_workflow("line_manager")])
    assert ids(first_level(policy, "alice")) == []


def test_a_rule_for_a_group_or_person_that_is_gone_names_nobody() -> None:
    gone = [{"managers_of": "gone"}, {"members_of": "gone"}, {"user": "gone"}]
    assert ids(first_level(a_policy(approval_workflows=[a_workflow(*gone)]), "alice")) == []


# --- rules 3 and 4: what the ballot needs ---------------------------------------------------------------------------


def test_rule_3_the_requester_is_among_the_people_and_it_is_said_whether_as_a_manager() -> None:
    policy = a_policy(
        approval_workflows=[
            a_workflow({"members_of": "engineers"}),
            a_workflow({"managers_of": "on-call"}, name="V", device_group="lab"),
        ],
        user_groups={
            "engineers": {"members": ["alice", "grace"]},
            "on-call": {"managers": ["grace"]},
        },
        auto_approve_when_requester_is_approver=True,
    )
    as_member = next(one for one in first_level(policy, "grace").approvers if one.person == "grace")
    as_manager = next(one for one in first_level(policy, "grace", "lab-1").approvers if one.person == "grace")
    assert not as_member.as_manager
    assert as_manager.as_manager
    assert route_of(policy, asked("grace")).auto_approve_when_requester_is_approver


def test_rule_3_counting_the_own_approval_is_off_unless_said() -> None:
    assert not route_of(a_policy(), asked("alice")).auto_approve_when_requester_is_approver


def test_rule_4_fallback_is_enabled_people_without_the_requester_and_without_those_asked_already() -> None:
    policy = a_policy(
        managed=["engineers"],
        changed={"ivan": {"disabled": True}},
        fallback_approvers=["alice", "ivan", "grace", "dave"],
    )
    level = first_level(policy, "alice")
    assert [(one.person, one.because, one.as_manager) for one in level.fallback] == [
        ("dave", "fallback approver", False)
    ]


def test_rule_4_all_levels_are_looked_at_and_who_is_gone_or_the_requester_does_not_count() -> None:
    second = {"approvers": [{"user": "ivan"}, {"user": "alice"}, {"user": "dave"}], "quorum": 2}
    workflow = a_workflow(levels=[{"approvers": [{"user": "grace"}]}, second])
    policy = a_policy(approval_workflows=[workflow])
    found = route_of(policy, asked("alice"))
    assert level_without_people(policy, found, "alice") == 0
    assert level_without_people(policy, found, "alice", cannot_act={"ivan"}) == 2
    assert level_without_people(policy, found, "alice", cannot_act={"grace"}) == 1
    assert level_without_people(policy, found, "alice", first=2, cannot_act={"grace"}) == 0
    assert level_without_people(policy, found, "alice", first=3, cannot_act={"grace", "ivan"}) == 0
    disabled = a_policy(approval_workflows=[workflow], changed={"dave": {"disabled": True}})
    assert level_without_people(disabled, found, "alice") == 2
    helped = a_policy(approval_workflows=[workflow], changed={"dave": {"disabled": True}}, fallback_approvers=["bob"])
    assert level_without_people(helped, route_of(helped, asked("alice")), "alice") == 0


# --- rule 5 and the grant: the terms --------------------------------------------------------------------------------


def test_rule_5_there_is_always_an_end_to_waiting() -> None:
    assert route_of(a_policy(), asked("alice")).expires_after == timedelta(hours=1)


def test_terms_come_from_the_workflow_then_the_device_group_then_the_policy() -> None:
    policy = a_policy(
        approval_status_change_to_expire=50,
        grant_minutes=40,
        reminder_minutes="90s",
        fallback_approvers=["carol"],
        channels={"email": "decide", "slack": "decide", "webhook": "off"},
        device_groups=databases(
            approval_status_change_to_expire=20, grant_minutes=10, channels={"slack": "link_only", "email": "off"}
        ),
        approval_workflows=[
            a_workflow(
                {"user": "dave"},
                approval_status_change_to_expire=5,
                fallback_approvers=[],
                channels={"email": "link_only"},
            )
        ],
    )

    def terms(found: Route) -> tuple[Any, ...]:
        return found.expires_after / MINUTE, found.grant_lasts / MINUTE, found.remind_after, found.fallback_approvers

    by_workflow, by_group = route_of(policy, asked("alice")), route_of(policy, asked("carol"))
    assert terms(by_workflow) == (5, 10, timedelta(seconds=90), [])
    assert terms(by_group) == (20, 10, timedelta(seconds=90), ["carol"])
    assert by_workflow.channels == {"email": "link_only", "slack": "link_only", "webhook": "off"}
    assert by_group.channels == {"email": "off", "slack": "link_only", "webhook": "off"}


@pytest.mark.parametrize("where", ["policy", "device group", "workflow", "user group", "nowhere"])
def test_what_an_approval_needs_comes_from_whoever_requires_it(where: str) -> None:
    said = {"confirm": "sign_in_again"}
    policy = a_policy(
        auto_approve_when_requester_is_approver=True,
        device_groups=databases(**(said if where == "device group" else {})),
        approval_workflows=[a_workflow({"user": "dave"}, **said)] if where == "workflow" else [],
        **(said if where == "policy" else {}),
    )
    engineers = policy.user_groups["engineers"]
    if where == "user group":
        needs = engineers.model_copy(update={"require_managerial_approval": True, **said})
        policy = policy.model_copy(update={"user_groups": policy.user_groups | {"engineers": needs}})
    found = route_of(policy, asked("alice"))
    confirmed = where != "nowhere"
    assert found.confirm == ("sign_in_again" if confirmed else "")
    # Then no requester's own approval is counted automatically.
    assert found.auto_approve_when_requester_is_approver is not confirmed


def test_the_minutes_wanted_are_granted_up_to_the_longest() -> None:
    policy = a_policy(grant_minutes=30)
    assert route_of(policy, asked("alice")).grant_lasts == 30 * MINUTE
    assert route_of(policy, asked("alice", minutes=10)).grant_lasts == 10 * MINUTE
    with pytest.raises(Refused, match="31 minutes are too many: a connection to db-1 may last 30 minutes at most"):
        route_of(policy, asked("alice", minutes=31))


# --- the example ----------------------------------------------------------------------------------------------------


def test_the_example_policy_has_what_its_comments_say() -> None:
    policy = load(EXAMPLE.read_text())
    assert ids(first_level(policy, "alice", "web-1")) == ["grace"]
    assert [level.quorum for level in route_of(policy, asked("alice", "db-1")).levels] == [1, 2]
    assert first_level(policy, "grace", "web-1").approvers[0].as_manager
    assert route_of(policy, asked("alice", "bastion-1")).expires_after == MINUTE
    assert route_of(policy, asked("carol", "lab-1")).levels == []
    assert policy.users["ada"].roles == ["admin"]
