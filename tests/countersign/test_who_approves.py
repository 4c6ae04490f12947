"""Who would have to agree, and why: the same people, in the same order, as when somebody really asks."""

from __future__ import annotations

import pytest

from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.policy.file import load
from countersign.who_approves import WhoApproves, who_approves
from tests.countersign.policy.test_route import EXAMPLE, a_policy

ENGINEERS = {
    "name": "Engineers to databases",
    "user_group": "engineers",
    "device_group": "databases",
    "levels": [
        {"approvers": [{"managers_of": "engineers"}]},
        {"approvers": [{"user": "heidi"}, {"user": "ivan"}, {"user": "grace"}], "quorum": 2},
    ],
}


def found(policy: object = None, requester: str = "alice", device: str = "db-1", **asked: object) -> WhoApproves:
    question = {"requester": requester, "device": device, "protocol": ConnectionProtocol.SSH, **asked}
    return who_approves(policy or a_policy(), ConnectionQuestion.model_validate(question))  # type: ignore[arg-type]


def asked(one: WhoApproves) -> list[list[str]]:
    return [[approver.person for approver in level.asked] for level in one.levels]


def test_the_levels_of_an_approval_workflow_are_named_one_after_another() -> None:
    one = found(a_policy(approval_workflows=[ENGINEERS]))
    assert one.outcome == "waits"
    assert one.message == (
        "Grace must agree, then 2 of Heidi, Ivan and Grace: approval workflow Engineers to databases."
    )
    assert asked(one) == [["grace"], ["heidi", "ivan", "grace"]]
    assert [level.needed for level in one.levels] == [1, 2]
    assert one.levels[0].asked[0].because == "manager of engineers"
    assert (one.requester_name, one.expires_seconds, one.grant_seconds) == ("Alice", 3600, 3600)


def test_managers_of_all_groups_that_require_it_are_named_with_the_groups() -> None:
    one = found(a_policy(managed=["engineers", "on-call"]), "bob")
    assert one.message == "Grace or Heidi must agree: managerial approval is required by engineers and on-call."


def test_where_nobody_requires_it_it_is_approved_at_once() -> None:
    one = found()
    assert (one.outcome, one.message) == ("approved", "Approved at once: nobody requires approval.")
    assert one.levels == []


def test_the_own_approval_of_a_manager_is_counted() -> None:
    policy = a_policy(
        user_groups={"engineers": {"members": ["grace"], "managers": ["grace"], "require_managerial_approval": True}},
        auto_approve_when_requester_is_approver=True,
    )
    one = found(policy, "grace")
    assert one.outcome == "approved"
    assert one.message.startswith("Approved at once: the requester's own approval is counted; managerial approval")
    assert one.levels[0].own_approval
    assert asked(one) == [[]]


def test_an_own_approval_leaves_fewer_to_ask() -> None:
    level = {"approvers": [{"managers_of": "on-call"}], "quorum": 2}
    workflow = {"name": "w", "user_group": "on-call", "device_group": "databases", "levels": [level]}
    groups = {"on-call": {"members": ["grace"], "managers": ["heidi", "grace", "ivan"]}}
    policy = a_policy(user_groups=groups, approval_workflows=[workflow], auto_approve_when_requester_is_approver=True)
    one = found(policy, "grace")
    assert one.message == "Heidi or Ivan must agree: approval workflow w."
    assert (one.levels[0].needed, one.levels[0].own_approval) == (1, True)


def test_fallback_approvers_are_named_only_where_they_are_needed() -> None:
    enough = a_policy(managed=["engineers"], fallback_approvers=["ivan"])
    assert asked(found(enough)) == [["grace"]]
    too_few = a_policy(managed=["engineers"], fallback_approvers=["ivan"], changed={"grace": {"disabled": True}})
    one = found(too_few)
    assert [(each.name, each.because) for each in one.levels[0].asked] == [("Ivan", "fallback approver")]


def test_where_too_few_could_be_asked_it_is_rejected_with_the_level() -> None:
    one = found(a_policy(managed=["engineers"], changed={"grace": {"disabled": True}}))
    assert one.outcome == "rejected"
    assert one.message == "There is nobody to ask: level 1 needs 1, too few can answer."
    assert one.levels == []


@pytest.mark.parametrize(
    ("asked_with", "message"),
    [
        ({"requester": "nobody"}, "There is no nobody in the directory"),
        ({"requester": "dave"}, "dave is disabled"),
        ({"device": "db-9"}, "db-9 is in no device group"),
        ({"minutes": 600}, "600 minutes are too many"),
    ],
)
def test_what_would_be_refused_is_said_with_the_reason(asked_with: dict[str, object], message: str) -> None:
    one = found(a_policy(changed={"dave": {"disabled": True}}), **asked_with)  # type: ignore[arg-type]
    assert one.outcome == "refused"
    assert one.message.startswith(message)


def test_it_says_where_who_approves_has_to_sign_in_again() -> None:
    assert found(a_policy(managed=["engineers"], confirm="sign_in_again")).confirm == "sign_in_again"
    assert found(a_policy(managed=["engineers"])).confirm == ""


def test_many_approvers_are_counted_after_the_fifth() -> None:
    level = {"approvers": [{"user": one} for one in ("bob", "carol", "dave", "grace", "heidi", "ivan")]}
    one = found(a_policy(approval_workflows=[ENGINEERS | {"levels": [level]}]))
    assert one.message.startswith("Bob, Carol, Dave, Grace, Heidi or 1 more must agree")
    assert len(one.levels[0].asked) == 6


def test_the_example_says_it_in_full_names() -> None:
    one = found(load(EXAMPLE.read_text()))
    assert one.message == (
        "Grace Hopper must agree, then 2 of Heidi Huber, Ivan Ivanov and Ada Admin: "
        "approval workflow Engineers to databases."
    )
