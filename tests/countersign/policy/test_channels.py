"""Whom a policy can ask on a channel, and in which rooms."""

from __future__ import annotations

from typing import Any

import pytest

from countersign.directory import Policy
from countersign.policy.channels import channels_on, people_asked, rooms_used

PEOPLE = ("alice", "bob", "boss", "grace", "heidi", "ivan", "judy", "kim", "mallory")
MANAGERS = [{"managers_of": "engineers"}]


def policy(**changed: Any) -> Policy:
    users: dict[str, Any] = {one: {"name": one.title(), "email": f"{one}@example.test"} for one in PEOPLE}
    users["alice"]["line_manager"] = "boss"
    users["kim"]["disabled"] = True
    usual: dict[str, Any] = {
        "users": users,
        "user_groups": {
            "engineers": {"members": ["alice", "bob"], "managers": ["grace", "kim"]},
            "finance": {"members": ["judy"], "managers": ["heidi"]},
        },
        "device_groups": {"web": {"devices": ["web-1"]}, "db": {"devices": ["db-1"], "managers": ["ivan"]}},
        "channels": {"email": "decide", "slack": "decide"},
    }
    return Policy.model_validate(usual | changed)


def workflow(*levels: list[Any], **terms: Any) -> dict[str, Any]:
    said = {"name": "Engineers to db", "user_group": "engineers", "device_group": "db"}
    return said | {"levels": [{"approvers": each} for each in levels]} | terms


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        ({}, []),  # nobody requires approval, so nobody is asked, not even fallback approvers
        ({"fallback_approvers": ["heidi"]}, []),
        ({"approval_workflows": [workflow(MANAGERS, [{"user": "heidi"}])]}, ["grace", "heidi"]),
        ({"approval_workflows": [workflow([{"members_of": "finance"}])]}, ["judy"]),
        ({"approval_workflows": [workflow(["line_manager"])]}, ["boss"]),
        ({"approval_workflows": [workflow(MANAGERS)], "fallback_approvers": ["heidi", "kim"]}, ["grace", "heidi"]),
        (
            {"approval_workflows": [workflow(MANAGERS, fallback_approvers=["judy"])], "fallback_approvers": ["heidi"]},
            ["grace", "judy"],
        ),
        ({"approval_workflows": [workflow(MANAGERS, channels={"slack": "off"})]}, []),
        ({"approval_workflows": [workflow(MANAGERS, channels={"slack": "link_only"})]}, ["grace"]),
        ({"approval_workflows": [workflow(MANAGERS)], "channels": {"email": "decide"}}, []),
        ({"device_groups": {"db": {"devices": ["db-1"], "require_managerial_approval": True}}}, ["grace", "heidi"]),
    ],
)
def test_all_who_can_be_asked_and_nobody_else(changed: dict[str, Any], asked: list[str]) -> None:
    assert people_asked(policy(**changed), "slack") == asked


def test_the_rooms_where_somebody_can_be_asked() -> None:
    flows = [workflow(MANAGERS, rooms={"slack": "C2"})]
    groups = {"web": {"devices": ["web-1"], "require_managerial_approval": True}, "db": {"devices": ["db-1"]}}
    found = policy(approval_workflows=flows, device_groups=groups, rooms={"slack": "C1"})
    assert rooms_used(found, "slack") == ["C1", "C2"]
    assert rooms_used(policy(rooms={"slack": "C1"}), "slack") == []  # nobody requires approval
    off = policy(approval_workflows=[workflow(MANAGERS, rooms={"slack": "C2"}, channels={"slack": "off"})])
    assert rooms_used(off, "slack") == []


@pytest.mark.parametrize(
    ("changed", "on"),
    [
        ({"channels": {"email": "decide"}}, ["email"]),
        ({"channels": {"email": "decide", "slack": "off"}}, ["email"]),
        ({"channels": {"email": "decide", "slack": "link_only"}}, ["email", "slack"]),
        (
            {
                "channels": {"email": "off"},
                "device_groups": {"web": {"devices": ["web-1"], "channels": {"slack": "decide"}}},
            },
            ["slack"],
        ),
    ],
)
def test_a_channel_is_on_where_anything_in_the_policy_turns_it_on(changed: dict[str, Any], on: list[str]) -> None:
    assert channels_on(policy(**changed)) == on
