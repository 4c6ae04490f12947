"""Mistakes that a well-formed policy may still contain."""

from __future__ import annotations

import random
from typing import Any

import pytest

from countersign.directory import CHANNELS, CHANNELS_WITH_ROOMS, Policy
from countersign.policy.check import Problem, channels_not_set_up, problems
from notifiers import AllSettings, channels


def user(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name.title(), "email": f"{name}@example.test"} | fields


def a_policy(**fields: Any) -> Policy:
    """Alice and Bob are engineers under Grace; Carol, an admin, manages the databases; Dave is in no group."""
    document: dict[str, Any] = {
        "users": {one: user(one) for one in ("alice", "bob", "dave", "grace")}
        | {"carol": user("carol", roles=["admin"])},
        "user_groups": {"engineers": {"members": ["alice", "bob"], "managers": ["grace"]}},
        "device_groups": {"databases": {"devices": ["db-1"], "managers": ["carol"]}},
    }
    for name, changed in fields.items():
        value = document.get(name)
        document[name] = value | changed if isinstance(value, dict) else changed
    return Policy.model_validate(document)


def engineers(**fields: Any) -> dict[str, Any]:
    return {"engineers": {"members": ["alice", "bob"], "managers": ["grace"]} | fields}


def databases(**fields: Any) -> dict[str, Any]:
    return {"databases": {"devices": ["db-1"], "managers": ["carol"]} | fields}


def a_workflow(*approvers: Any, quorum: int = 1, **fields: Any) -> dict[str, Any]:
    levels = [{"approvers": list(approvers), "quorum": quorum}]
    return {"name": "W", "user_group": "engineers", "device_group": "databases", "levels": levels} | fields


def only(policy: Policy) -> Problem:
    [problem] = problems(policy)
    return problem


def test_a_sound_policy_has_no_problems() -> None:
    assert problems(a_policy(user_groups=engineers(require_managerial_approval=True))) == []


def test_two_people_with_one_address_in_whatever_letters() -> None:
    found = only(a_policy(users={"zoe": user("zoe", email="ALICE@Example.Test")}))
    assert found == Problem(("users", "zoe", "email"), "alice has the same address; give each person their own")


def test_an_alias_is_one_persons_too() -> None:
    theirs = user("zoe", aliases=["z@example.test", "ALICE@Example.Test"])
    found = only(a_policy(users={"zoe": theirs}))
    assert found.path == ("users", "zoe", "aliases", 1)
    assert problems(a_policy(users={"zoe": user("zoe", aliases=["z@example.test"])})) == []


def test_a_mail_from_an_alias_is_of_whose_it_is() -> None:
    policy = a_policy(users={"zoe": user("zoe", aliases=["Z@example.test"])})
    assert policy.person_at("z@example.test") == policy.person_at("zoe@example.test") == "zoe"


def test_a_device_in_two_groups() -> None:
    found = only(a_policy(device_groups={"lab": {"devices": ["lab-1", "db-1"]}}))
    assert found.path == ("device_groups", "lab", "devices", 1)
    assert "db-1 is in databases already" in found.message


def test_a_user_group_and_a_device_group_of_one_name() -> None:
    assert only(a_policy(device_groups={"engineers": {}})).path == ("device_groups", "engineers")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"users": {"eve": user("eve", line_manager="gone")}}, ("users", "eve", "line_manager")),
        ({"user_groups": {"g": {"members": ["alice", "gone"]}}}, ("user_groups", "g", "members", 1)),
        ({"user_groups": {"g": {"managers": ["gone"]}}}, ("user_groups", "g", "managers", 0)),
        ({"device_groups": {"g": {"managers": ["gone"]}}}, ("device_groups", "g", "managers", 0)),
        ({"device_groups": {"g": {"fallback_approvers": ["gone"]}}}, ("device_groups", "g", "fallback_approvers", 0)),
        ({"fallback_approvers": ["dave", "gone"]}, ("fallback_approvers", 1)),
        (
            {"approval_workflows": [a_workflow({"user": "dave"}, fallback_approvers=["gone"])]},
            ("approval_workflows", 0, "fallback_approvers", 0),
        ),
        (
            {"approval_workflows": [a_workflow({"user": "dave"}, {"user": "gone"})]},
            ("approval_workflows", 0, "levels", 0, "approvers", 1, "user"),
        ),
        (
            {"approval_workflows": [a_workflow({"user": "dave"}, {"managers_of": "gone"})]},
            ("approval_workflows", 0, "levels", 0, "approvers", 1, "managers_of"),
        ),
        (
            {"approval_workflows": [a_workflow({"user": "dave"}, {"members_of": "databases"})]},
            ("approval_workflows", 0, "levels", 0, "approvers", 1, "members_of"),
        ),
        (
            {"approval_workflows": [a_workflow({"user": "dave"}, user_group="databases")]},
            ("approval_workflows", 0, "user_group"),
        ),
        (
            {"approval_workflows": [a_workflow({"user": "dave"}, device_group="engineers")]},
            ("approval_workflows", 0, "device_group"),
        ),
    ],
)
def test_whoever_and_whatever_is_named_must_exist(fields: dict[str, Any], path: tuple[str | int, ...]) -> None:
    found = only(a_policy(**fields))
    assert found.path == path
    assert found.message.startswith("there is no ")


@pytest.mark.parametrize(
    ("above", "circle"),
    [
        ({"alice": "alice"}, "alice -> alice"),
        ({"alice": "bob", "bob": "carol", "carol": "bob", "dave": "alice"}, "bob -> carol -> bob"),
    ],
)
def test_a_circle_of_line_managers_is_reported_once(above: dict[str, str], circle: str) -> None:
    found = only(a_policy(users={one: user(one, line_manager=boss, roles=["admin"]) for one, boss in above.items()}))
    assert found.message.startswith(f"{circle} is a circle")
    assert found.path == ("users", circle.split()[0], "line_manager")


def test_a_long_line_of_line_managers_is_no_circle() -> None:
    chain = {f"p{n}": user(f"p{n}", line_manager=f"p{n + 1}") for n in range(2000)} | {"p2000": user("p2000")}
    assert problems(a_policy(users=chain)) == []


def test_a_workflow_that_is_never_reached() -> None:
    twice = [a_workflow({"user": "dave"}), a_workflow({"user": "carol"}, name="V")]
    found = only(a_policy(approval_workflows=twice))
    assert found == Problem(("approval_workflows", 1), "W is for the same two groups and comes first; remove one")


def test_two_workflows_of_one_name() -> None:
    twice = [a_workflow({"user": "dave"}), a_workflow({"user": "dave"}, device_group="lab")]
    found = only(a_policy(device_groups={"lab": {}}, approval_workflows=twice))
    assert found.path == ("approval_workflows", 1, "name")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"reminder_minutes": 60}, ("reminder_minutes",)),
        ({"device_groups": databases(reminder_minutes=60)}, ("device_groups", "databases", "reminder_minutes")),
        (
            {
                "approval_status_change_to_expire": 90,
                "approval_workflows": [
                    a_workflow({"user": "dave"}, approval_status_change_to_expire=5, reminder_minutes=6)
                ],
            },
            ("approval_workflows", 0, "reminder_minutes"),
        ),
    ],
)
def test_a_reminder_after_the_end(fields: dict[str, Any], path: tuple[str | int, ...]) -> None:
    assert only(a_policy(**fields)).path == path


def test_a_group_that_expires_before_the_general_reminder_is_no_problem() -> None:
    assert problems(a_policy(reminder_minutes=30, device_groups=databases(approval_status_change_to_expire=1))) == []


def test_a_place_where_every_channel_is_off() -> None:
    found = only(a_policy(device_groups=databases(channels={"email": "off"})))
    assert found.path == ("device_groups", "databases", "channels")


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"channels": {"emial": "decide"}}, ("channels", "emial"), "is not a channel; did you mean email?"),
        (
            {"channels": {"email": "decide", "Slak": "off"}},
            ("channels", "slak"),
            "is not a channel; did you mean slack?",
        ),
        (
            {"channels": {"email": "decide", "teams": "decide"}},
            ("channels", "teams"),
            "is not a channel; use email or slack",
        ),
        ({"rooms": {"email": "C1"}}, ("rooms", "email"), "has no rooms; remove it"),
        ({"rooms": {"slak": "C1"}}, ("rooms", "slak"), "is not a channel; did you mean slack?"),
        (
            {"device_groups": databases(channels={"emial": "link_only"})},
            ("device_groups", "databases", "channels", "emial"),
            "is not a channel; did you mean email?",
        ),
        (
            {"approval_workflows": [a_workflow({"user": "dave"}, rooms={"email": "C1"})]},
            ("approval_workflows", 0, "rooms", "email"),
            "has no rooms; remove it",
        ),
    ],
)
def test_a_channel_that_does_not_exist(fields: dict[str, Any], path: tuple[str | int, ...], message: str) -> None:
    assert only(a_policy(**fields)) == Problem(path, message)


def test_what_a_user_group_says_of_confirming_holds_only_where_it_requires_approval() -> None:
    groups = {"engineers": {"members": ["alice"], "managers": ["dave"], "confirm": "sign_in_again"}}
    message = "has no effect without require_managerial_approval: true; add that, or say it for device groups"
    found = [one for one in problems(a_policy(user_groups=groups)) if one.path[-1] == "confirm"]
    assert found == [Problem(("user_groups", "engineers", "confirm"), message)]


def test_the_channels_that_can_be_named_are_those_there_are() -> None:
    there = {one.name for one in channels(AllSettings())}
    assert there == set(CHANNELS)
    assert set(CHANNELS_WITH_ROOMS) <= there


def test_a_channel_that_is_on_but_not_set_up() -> None:
    asking = a_policy(
        channels={"email": "decide", "slack": "off"}, device_groups=databases(channels={"slack": "decide"})
    )
    assert problems(asking) == []
    [found] = channels_not_set_up(asking, {"email"})
    assert found.path == ("device_groups", "databases", "channels", "slack")
    assert list(channels_not_set_up(asking, {"email", "slack"})) == []


# --- rule 4: nobody to ask ------------------------------------------------------------------------------------------


def managed(**fields: Any) -> Policy:
    return a_policy(**{"user_groups": engineers(require_managerial_approval=True)} | fields)


def test_rule_4_a_group_without_managers() -> None:
    found = only(a_policy(user_groups=engineers(managers=[], require_managerial_approval=True)))
    assert found.path == ("user_groups", "engineers")
    assert found.message == (
        "engineers to databases has nobody to ask for alice, bob: level 1 needs 1 and has 0, fallback approvers "
        "included; name more approvers or fallback approvers"
    )


def test_rule_4_a_group_whose_only_manager_is_disabled() -> None:
    assert "alice, bob" in only(managed(users={"grace": user("grace", disabled=True)})).message


def test_rule_4_fallback_approvers_make_up_for_it() -> None:
    assert problems(managed(users={"grace": user("grace", disabled=True)}, fallback_approvers=["dave"])) == []


def test_rule_4_a_disabled_fallback_approver_does_not() -> None:
    off = {one: user(one, disabled=True) for one in ("grace", "dave")}
    assert "alice, bob" in only(managed(users=off, fallback_approvers=["dave"])).message


def test_rule_4_the_only_manager_who_is_a_member_has_nobody() -> None:
    groups = engineers(members=["alice", "grace"], require_managerial_approval=True)
    assert "nobody to ask for grace:" in only(a_policy(user_groups=groups)).message
    assert problems(a_policy(user_groups=groups, auto_approve_when_requester_is_approver=True)) == []


def test_rule_4_the_requester_is_no_fallback_approver_of_their_own() -> None:
    found = only(managed(users={"grace": user("grace", disabled=True)}, fallback_approvers=["bob"]))
    assert "nobody to ask for bob:" in found.message


def test_rule_4_people_and_fallback_together_reach_the_quorum_or_not() -> None:
    def policy(quorum: int, **fields: Any) -> Policy:
        workflow = a_workflow({"user": "grace"}, {"user": "alice"}, quorum=quorum)
        return a_policy(approval_workflows=[workflow], fallback_approvers=["dave", "grace"], **fields)

    assert problems(policy(2)) == []
    found = only(policy(3))
    assert found.path == ("approval_workflows", 0, "levels", 0)
    assert "engineers to databases has nobody to ask for alice: level 1 needs 3 and has 2" in found.message


def test_rule_4_members_who_may_approve_themselves_count_where_own_approvals_are_counted() -> None:
    def policy(auto: bool, themselves: bool) -> Policy:
        workflow = a_workflow({"members_of": "engineers"})
        workflow["levels"][0] |= {"quorum": 2, "members_may_approve_themselves": themselves}
        return a_policy(approval_workflows=[workflow], auto_approve_when_requester_is_approver=auto)

    assert problems(policy(auto=True, themselves=True)) == []
    assert "alice, bob" in only(policy(auto=True, themselves=False)).message
    assert "alice, bob" in only(policy(auto=False, themselves=True)).message


def test_rule_4_a_requester_without_a_line_manager() -> None:
    users = {"alice": user("alice", line_manager="grace"), "bob": user("bob")}
    found = only(a_policy(users=users, approval_workflows=[a_workflow("line_manager")]))
    assert "nobody to ask for bob:" in found.message


def test_rule_4_a_disabled_line_manager_is_none() -> None:
    users = {one: user(one, line_manager="grace") for one in ("alice", "bob")} | {"grace": user("grace", disabled=True)}
    assert "alice, bob" in only(a_policy(users=users, approval_workflows=[a_workflow("line_manager")])).message


def test_rule_4_a_level_nobody_could_meet_is_found_though_the_group_is_empty() -> None:
    found = only(
        a_policy(user_groups=engineers(members=[]), approval_workflows=[a_workflow({"user": "dave"}, quorum=2)])
    )
    assert found.path == ("approval_workflows", 0, "levels", 0)
    assert found.message.startswith("engineers to databases has nobody to ask: level 1 needs 2 and has 1")


def test_rule_4_people_in_no_group_at_all() -> None:
    found = only(a_policy(device_groups={"bastions": {"devices": ["b-1"], "require_managerial_approval": True}}))
    assert found.message.startswith("people in no user group to bastions has nobody to ask for carol, dave, grace:")
    assert found.path == ("device_groups", "bastions")


def test_rule_4_every_pair_is_named_once() -> None:
    groups = {name: {"members": ["alice", "bob"]} for name in ("engineers", "on-call")}
    closed = {name: {"require_managerial_approval": True} for name in ("b-1", "b-2")}
    found = problems(a_policy(user_groups=groups, device_groups=closed, users={"carol": user("carol", disabled=True)}))
    pairs = [problem.message.split(" has ")[0] for problem in found]
    assert len(pairs) == len(set(pairs))
    assert {"engineers to b-1", "engineers to b-2", "on-call to b-1", "on-call to b-2"} < set(pairs)


def test_rule_4_disabled_members_need_nobody() -> None:
    off = {one: user(one, disabled=True) for one in ("alice", "bob", "grace")}
    assert problems(managed(users=off)) == []


@pytest.mark.no_cover
def test_a_directory_of_5000_people_in_many_groups_is_checked_whole() -> None:
    chance = random.Random(1)
    people = [f"p{n}" for n in range(5000)]
    members: dict[str, list[str]] = {f"g{n}": [] for n in range(50)}
    for person in people:
        for group in chance.sample(sorted(members), 3):
            members[group].append(person)
    policy = Policy.model_validate(
        {
            "users": {one: user(one, line_manager="p0" if one != "p0" else None, roles=["admin"]) for one in people},
            "user_groups": {name: {"members": ids, "managers": ids[:2]} for name, ids in members.items()},
            "device_groups": {f"d{n}": {"require_managerial_approval": True} for n in range(20)},
            "approval_workflows": [
                {
                    "name": f"W{n}",
                    "user_group": f"g{n}",
                    "device_group": "d0",
                    "levels": [{"approvers": ["line_manager"]}],
                }
                for n in range(50)
            ],
        }
    )
    # Only p0 has no line manager, and each group p0 is in has a workflow for d0.
    assert "nobody to ask for p0:" in only(policy).message
