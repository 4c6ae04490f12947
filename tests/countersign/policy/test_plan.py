"""What the plan says a new policy changes, and which grants it would not give."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from countersign.directory import Policy
from countersign.kinds.connection import ConnectionQuestion
from countersign.policy.changes import MOST_ITEMS, changes
from countersign.policy.file import load
from countersign.policy.plan import ActiveGrant, Waiting, plan, to_end, why_not

EXAMPLE = (Path(__file__).parents[3] / "examples" / "policy.yaml").read_text()
POLICY = load(EXAMPLE)


def changed(*replaced: tuple[str, str]) -> Policy:
    """The example with these texts replaced."""
    text = EXAMPLE
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new, 1)
    return load(text)


def parts(new: Policy, old: Policy = POLICY) -> dict[str, list[tuple[str, str]]]:
    return {part.kind: [(item.name, item.description) for item in part.items] for part in changes(old, new)}


def taken_away(new: Policy) -> list[str]:
    return [part.kind for part in changes(POLICY, new) if part.takes_away]


def a_grant(requester: str = "alice", device: str = "web-1", minutes: int = 120, *approved_by: str) -> ActiveGrant:
    question = ConnectionQuestion.model_validate({"requester": requester, "device": device, "protocol": "ssh"})
    return ActiveGrant(
        approval_id=1042, question=question, lasts=timedelta(minutes=minutes), approved_by=list(approved_by)
    )


def test_nothing_changes() -> None:
    assert changes(POLICY, load("# another comment\n" + EXAMPLE)) == []


@pytest.mark.parametrize(
    ("replaced", "expected", "takes_away"),
    [
        (
            [("name: Bob Baker", "name: Bob Miller"), ("email: bob@", "email: miller@")],
            {"users_changed": [("bob", "name Bob Baker -> Bob Miller; email bob@example.test -> miller@example.test")]},
            [],
        ),
        (
            [("email: bob@example.test", "email: bob@example.test\n    disabled: true")],
            {"users_changed": [("bob", "disabled false -> true")]},
            ["users_changed"],
        ),
        (
            [
                ("email: grace@example.test", "email: grace@example.test\n    roles: [admin]"),
                ("    roles: [admin]\n", ""),
            ],
            {
                "users_changed": [("ada", "roles without admin"), ("grace", "roles with admin")],
                "admins_lost": [("ada", "")],
                "admins_gained": [("grace", "")],
            },
            ["users_changed", "admins_lost"],
        ),
        (
            [("members: [alice, bob, grace]", "members: [alice, grace, carol]")],
            {"user_groups_changed": [("engineers", "members without bob, with carol")]},
            ["user_groups_changed"],
        ),
        (
            [("devices: [db-1, db-2]", "devices: [db-1, db-3]"), ("devices: [web-1]", "devices: [web-1, db-2]")],
            {"devices_moved": [("db-2", "from databases to web")], "devices_added": [("db-3", "to databases")]},
            [],
        ),
        (
            [("devices: [db-1, db-2]", "devices: [db-1]")],
            {"devices_removed": [("db-2", "from databases")]},
            ["devices_removed"],
        ),
        (
            [("  open-lab:\n    devices: [lab-1]\n", "")],
            {"device_groups_removed": [("open-lab", "1 device")], "devices_removed": [("lab-1", "from open-lab")]},
            ["device_groups_removed", "devices_removed"],
        ),
        (
            [("    grant_minutes: 15\n", "    grant_minutes: 20\n    channels: {email: link_only}\n")],
            {
                "device_groups_changed": [
                    ("bastions", "channels none -> email link_only; grant 15 minutes -> 20 minutes")
                ]
            },
            [],
        ),
        (
            [
                ("        quorum: 2\n", "        quorum: 1\n"),
                ("          - managers_of: engineers\n", "          - user: ada\n"),
            ],
            {
                "approval_workflows_changed": [
                    (
                        "Engineers to databases",
                        "levels 1 of managers of engineers, then 2 of managers of databases or ada -> "
                        "1 of ada, then 1 of managers of databases or ada",
                    )
                ]
            },
            [],
        ),
        (
            [("reminder_minutes: 30\n", ""), ("fallback_approvers: [ada, heidi]", "fallback_approvers: [heidi, ada]")],
            {
                "terms_changed": [
                    ("fallback_approvers", "in another order: heidi, ada"),
                    ("reminder_minutes", "30 minutes -> not said"),
                ]
            },
            [],
        ),
    ],
)
def test_what_a_policy_changes(
    replaced: list[tuple[str, str]], expected: dict[str, list[tuple[str, str]]], takes_away: list[str]
) -> None:
    new = changed(*replaced)
    assert parts(new) == expected
    assert taken_away(new) == takes_away


def test_the_order_of_approval_workflows_counts() -> None:
    document = POLICY.model_dump()
    document["approval_workflows"].reverse()
    expected = "Contractors to databases, Engineers to databases"
    assert parts(Policy.model_validate(document)) == {"terms_changed": [("order of approval_workflows", expected)]}


def test_a_removed_person_and_the_first_policy() -> None:
    mallory = "  mallory:\n    name: Mallory Moss\n    email: mallory@example.test\n    line_manager: ivan\n"
    without = changed((mallory, ""), ("members: [dave, mallory]", "members: [dave]"))
    assert parts(without)["users_removed"] == [("mallory", "Mallory Moss")]
    first = plan(0, None, POLICY, [], [], end_grants=False)
    assert not first.takes_away
    assert next(part.total for part in first.parts if part.kind == "users_added") == 9


def test_of_many_things_some_are_named_and_all_counted() -> None:
    document = POLICY.model_dump()
    document["users"] |= {f"n{n}": {"name": f"N {n}", "email": f"n{n}@example.test"} for n in range(1000)}
    [part] = changes(POLICY, Policy.model_validate(document))
    assert (part.kind, part.total, len(part.items)) == ("users_added", 1000, MOST_ITEMS)


# --- what is open ---------------------------------------------------------------------------------------------------


def test_a_disabled_persons_requests_and_grants_are_in_the_plan() -> None:
    new = changed(("email: bob@example.test", "email: bob@example.test\n    disabled: true"))
    waiting = [
        Waiting(approval_id=1, requester="bob", what="ssh to web-1"),
        Waiting(approval_id=2, requester="alice", what="x"),
    ]
    grants = [a_grant("bob", "web-1", 120, "grace"), a_grant("alice", "web-1", 120, "grace")]
    planned = plan(6, POLICY, new, waiting, grants, end_grants=False)
    found = {
        part.kind: [(item.approval_id, item.name, item.description) for item in part.items] for part in planned.parts
    }
    assert planned.version == 6
    assert found["requests_cancelled"] == [(1, "bob", "ssh to web-1")]
    assert found["grants_revoked"] == [(1042, "bob", "connection web-1 ssh")]
    assert "grants_not_given" not in found
    assert planned.takes_away


@pytest.mark.parametrize(
    ("grant", "replaced", "why"),
    [
        # These would be given again as they were.
        (a_grant("alice", "web-1", 120, "grace"), [], ""),
        (a_grant("alice", "web-1", 30, "grace"), [("grant_minutes: 120", "grant_minutes: 30")], ""),
        (a_grant("carol", "lab-1"), [], ""),
        (a_grant("grace", "web-1"), [], ""),
        (a_grant("bob", "db-1", 120, "grace", "heidi", "ada"), [], ""),
        # Approved by a fallback approver, who is asked because nobody else can be.
        (a_grant("dave", "bastion-1", 15, "ada"), [("managers: [ivan]\n    require", "managers: []\n    require")], ""),
        (a_grant("alice", "web-1", 120, "grace"), [("grant_minutes: 120", "grant_minutes: 60")],
         "It lasts 2 hours; 1 hour is the most."),
        (a_grant("alice", "web-1", 120, "grace"), [("devices: [web-1]", "devices: [web-2]")],
         "web-1 is in no device group; ask an administrator to put it in one."),
        (a_grant("carol", "lab-1"), [("devices: [lab-1]", "devices: [lab-1]\n    require_managerial_approval: true")],
         "Level 1 needs 1, and 0 approved who may (managerial approval is required by open-lab)."),
        (a_grant("bob", "db-1", 120, "grace", "heidi", "ada"), [("        quorum: 2\n", "        quorum: 3\n")],
         "Level 2 needs 3, and 2 approved who may (approval workflow Engineers to databases)."),
        (a_grant("alice", "web-1", 120, "grace"), [("managers: [grace]", "managers: [heidi]")],
         "Level 1 needs 1, and 0 approved who may (managerial approval is required by engineers)."),
        (a_grant("grace", "web-1"), [("auto_approve_when_requester_is_approver: true\n", "")],
         "Level 1 needs 1, and 0 approved who may (managerial approval is required by engineers)."),
    ],
)  # fmt: skip
def test_which_grants_a_policy_would_not_give(grant: ActiveGrant, replaced: list[tuple[str, str]], why: str) -> None:
    new = changed(*replaced)
    assert why_not(new, grant) == why
    assert to_end(new, [grant]) == ([(1042, why)] if why else [])


@pytest.mark.parametrize(("end_grants", "takes_away"), [(False, False), (True, True)])
def test_grants_that_would_not_be_given_are_taken_away_on_demand(end_grants: bool, takes_away: bool) -> None:
    new = changed(("grant_minutes: 120", "grant_minutes: 60"))
    planned = plan(6, POLICY, new, [], [a_grant("alice", "web-1", 120, "grace")], end_grants)
    [item] = next(part.items for part in planned.parts if part.kind == "grants_not_given")
    assert (item.approval_id, item.description) == (
        1042,
        "connection web-1 ssh: It lasts 2 hours; 1 hour is the most.",
    )
    assert planned.takes_away is takes_away
