"""The policy file: mistakes are named with their lines, hostile YAML is refused, schema and docs match it."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from benchmarks.applying import large_policy
from countersign.directory import ApprovalWorkflow, DeviceGroup, Policy, Terms, User, UserGroup
from countersign.errors import BadPolicy
from countersign.models import LevelRule, ManagersOf, MembersOf, NamedUser
from countersign.policy.file import MESSAGES, load
from countersign.policy.schema import schema
from countersign.yaml_lines import LARGEST_FILE_BYTES

ROOT = Path(__file__).parents[3]
GOOD = """\
users:
  grace:
    name: Grace Hopper
    email: grace@example.test
  alice:
    name: Alice
    email: alice@example.test
    line_manager: grace
    roles: [admin]
user_groups:
  engineers:
    members: [alice]
    managers: [grace]
    require_managerial_approval: true
device_groups:
  databases:
    devices:
      - db-1
      - db-2
approval_workflows:
  - name: Engineers to databases
    user_group: engineers
    device_group: databases
    levels:
      - approvers:
          - managers_of: engineers
          - line_manager
        quorum: 1
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(BadPolicy) as refused:
        load(text)
    return refused.value.problems


def mistake(old: str, new: str) -> str:
    """The one mistake in the good policy with `old` replaced by `new`."""
    assert old in GOOD
    [found] = mistakes(GOOD.replace(old, new, 1))
    return found


def test_a_good_file_is_read_whole() -> None:
    policy = load(GOOD)
    assert policy.users["alice"] == User(
        name="Alice", email="alice@example.test", line_manager="grace", roles=["admin"]
    )
    assert policy.device_groups["databases"].devices == ["db-1", "db-2"]
    assert policy.approval_workflows[0].levels[0].approvers == [ManagersOf(managers_of="engineers"), "line_manager"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Grace Hopper", '"Grace\\nBcc: x"', "line 3: users.grace.name: must be one line of text"),
        ("Grace Hopper", '""', "line 3: users.grace.name: is empty; give it a value"),
        ("Grace Hopper", "", "line 3: users.grace.name: is empty or not text; give it a value, or leave the line out"),
        ("Grace Hopper", "x" * 201, "line 3: users.grace.name: is too long; use at most 200 characters"),
        ("grace@example.test", "grace", "line 4: users.grace.email: 'grace' is not a mail address"),
        ("grace@example.test", '"g@x.y\\r\\nBcc: z@x.y"', "line 4: users.grace.email: 'g@x.y\\r\\nBcc: z@x.y' is not"),
        ("grace@example.test", "Grace <g@x.y>", "line 4: users.grace.email: 'Grace <g@x.y>' is not a mail address"),
        ("grace@example.test", "grâce@example.test", "line 4: users.grace.email: 'grâce@example.test' is not a mail"),
        ("    name: Alice\n", "", "line 5: users.alice.name: is missing; add it"),
        ("  alice:\n", "  Al ice:\n", "line 5: users.Al ice: 'Al ice' is not an id"),
        ("line_manager: grace", "linemanager: grace", "line 8: users.alice.linemanager: is not a field here; did you"),
        ("line_manager: grace", "zzz: 1", "line 8: users.alice.zzz: is not a field here; remove it"),
        ("line_manager: grace", "disabled: perhaps", "line 8: users.alice.disabled: is not true or false"),
        ("[admin]", "[boss]", "line 9: users.alice.roles[0]: is not known; use admin"),
        ("[alice]", "alice", "line 12: user_groups.engineers.members: is not a list; write each entry"),
        ("[alice]", "[alice, alice]", "line 12: user_groups.engineers.members: alice stands here twice; remove one"),
        ("      - db-2", "      - DB-1", "line 17: device_groups.databases.devices: db-1 stands here twice"),
        ("    devices:\n      - db-1\n      - db-2\n", "", "line 16: device_groups.databases: has no fields"),
        ("quorum: 1", "quorum: two", "line 28: approval_workflows[0].levels[0].quorum: is not a whole number"),
        ("quorum: 1", "quorum: 0", "line 28: approval_workflows[0].levels[0].quorum: is too small; use 1 or more"),
        ("quorum: 1", "quorums: 1", "line 28: approval_workflows[0].levels[0].quorums: is not a field here; did you"),
        (
            "managers_of",
            "manager_of",
            "line 26: approval_workflows[0].levels[0].approvers[0]: is not an approver; use {mana",
        ),
        (
            "- line_manager",
            "- boss",
            "line 27: approval_workflows[0].levels[0].approvers[1]: is not an approver; use {mana",
        ),
        ("- line_manager", "- user: a b", "line 27: approval_workflows[0].levels[0].approvers[1].user: 'a b' is not"),
        ("- line_manager", "- user:", "line 27: approval_workflows[0].levels[0].approvers[1].user: is empty or not"),
        (
            "- line_manager",
            "- user: zoe",
            "line 27: approval_workflows[0].levels[0].approvers[1].user: there is no user",
        ),
        (
            "members: [alice]",
            "members: [alice, bob]",
            "line 12: user_groups.engineers.members[1]: there is no user bob",
        ),
        ("alice@", "GRACE@", "line 7: users.alice.email: grace has the same address; give each person their own"),
    ],
)
def test_each_mistake_names_line_field_and_remedy(old: str, new: str, expected: str) -> None:
    assert mistake(old, new).startswith(expected)


def test_a_misspelt_field_is_not_called_missing_too() -> None:
    assert mistakes(GOOD.replace("user_group: e", "usergroup: e")) == [
        "line 22: approval_workflows[0].usergroup: is not a field here; did you mean user_group?",
    ]


DURATION = "must be a duration such as 90s, 15m, 36h or 2d, from 1s to {}d; a number alone means minutes"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("approval_status_change_to_expire: 0", DURATION.format(90)),
        ("approval_status_change_to_expire: 129601", DURATION.format(90)),
        ("approval_status_change_to_expire:", DURATION.format(90)),
        ("approval_status_change_to_expire: .inf", DURATION.format(90)),
        ("grant_minutes: 1.5", DURATION.format(366)),
        ("grant_minutes: 367d", DURATION.format(366)),
        ("reminder_minutes: 5 minutes", DURATION.format(90)),
        ("grant_minutes: true", DURATION.format(366)),
        ("grant_minutes: 1e3", DURATION.format(366)),
        ("channels: {slack: maybe}", "is not known; use decide, link_only or off"),
        (f"channels: {{{'x' * 33}: decide}}", "is too long; use at most 32 characters"),
        ("channels: decide", "has no entries; write them indented below it as `name: value`, or {} for none"),
        (
            "applications: {grafana.example.com: nothing}",
            "nothing is in no device group; add it to one, or correct the name",
        ),
        (
            "applications: {'https://grafana.example.com': web-1}",
            "is not a host name; write access.example.com, without https:// and port",
        ),
        ("auto_approve_when_requester_is_approver: [1]", "is not true or false; write one of the two"),
    ],
)
def test_each_mistake_at_the_top(line: str, expected: str) -> None:
    [found] = mistakes(GOOD + line + "\n")
    assert found.startswith("line 29: ")
    assert found.endswith(expected)


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("90", 90 * 60),
        ('"90"', 90 * 60),
        ("90.0", 90 * 60),
        ("+1_0", 600),
        ("90s", 90),
        ("15m", 900),
        ("36h", 129_600),
        ("2d", 172_800),
    ],
)
def test_durations_have_a_unit_or_are_of_minutes(written: str, length: int) -> None:
    for field in ("approval_status_change_to_expire", "grant_minutes"):
        policy = load(f"{GOOD}{field}: {written}\n")
        assert getattr(policy, field) == timedelta(seconds=length)
        assert Policy.model_validate(policy.model_dump(mode="json")) == policy


def test_whole_minutes_are_stored_as_a_number_as_they_always_were() -> None:
    policy = load(GOOD + "approval_status_change_to_expire: 2h\ngrant_minutes: 90s\n").model_dump(mode="json")
    assert (policy["approval_status_change_to_expire"], policy["grant_minutes"]) == (120, "90s")


def test_every_mistake_is_named_in_the_order_of_the_file() -> None:
    broken = (
        GOOD.replace("quorum: 1", "quorum: x").replace("grace@example.test", "grace").replace("  - name", "  - nam")
    )
    lines = [int(re.match(r"line (\d+): ", one)[1]) for one in mistakes(broken)]  # type: ignore[index]
    assert lines == [4, 21, 28]


def test_the_words_of_an_approver_without_any_level() -> None:
    [found] = mistakes(GOOD[: GOOD.index("      - approvers")].rstrip("\n").replace("levels:", "levels: []") + "\n")
    assert found == "line 24: approval_workflows[0].levels: is empty; name at least 1"


def test_mistakes_of_form_and_of_meaning_are_named_together() -> None:
    broken = (
        GOOD.replace("quorum: 1", "quorum: two")
        .replace("email: alice@", "email: grace@")
        .replace("managers: [grace]", "managers: [grce]")
        .replace("members: [alice]", "members: [alice, a b]")
        .replace("- line_manager", "- members_of: operators")
        .replace("      - db-2", "      - db-2\n  lab:\n    devices: [db-1]")
    )
    assert [one.split(";")[0] for one in mistakes(broken)] == [
        "line 7: users.alice.email: grace has the same address",
        "line 12: user_groups.engineers.members[1]: 'a b' is not an id: use lower-case letters, digits and . _ @ + -, "
        "at most 128",
        "line 13: user_groups.engineers.managers[0]: there is no user grce",
        "line 21: device_groups.lab.devices[0]: db-1 is in databases already",
        "line 29: approval_workflows[0].levels[0].approvers[1].members_of: there is no user group operators",
        "line 30: approval_workflows[0].levels[0].quorum: is not a whole number",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # Reported once: a group with a misspelt manager isn't also reported as having nobody to ask.
        ("managers: [grace]", "managers: [grce]", "line 13: user_groups.engineers.managers[0]: there is no user grce"),
        ("user_groups:", "user_group:", "line 10: user_group: is not a field here; did you mean user_groups?"),
        (
            "device_groups:",
            "device-groups:",
            "line 15: device-groups: is not a field here; did you mean device_groups?",
        ),
        ("name: Grace Hopper", "nam: Grace Hopper", "line 3: users.grace.nam: is not a field here; did you mean name?"),
        ("  grace:", "  Alice:", "line 5: users.alice: stands here twice, first on line 2; remove one"),
        (
            "  grace:\n    name: Grace Hopper\n    email: grace@example.test",
            "  grace: Grace",
            "line 2: users.grace: has no",
        ),
        ("  engineers:", "  engineers: !group", "line 11: user_groups.engineers: the tag !group is not allowed"),
    ],
)
def test_one_mistake_gets_one_message(old: str, new: str, expected: str) -> None:
    assert mistake(old, new).startswith(expected)


def test_two_levels_that_are_both_wrong_are_both_named() -> None:
    second = "      - approvers: [line_manager]\n        quorum: two\n"
    level = GOOD[GOOD.index("      - approvers:") :]
    assert mistakes(GOOD.replace(level, "      - grace\n" + second)) == [
        "line 25: approval_workflows[0].levels[0]: has no fields; write them indented below it as `field: value`",
        "line 27: approval_workflows[0].levels[1].quorum: is not a whole number; write one",
    ]


@pytest.mark.parametrize("seed", range(100))
def test_whatever_is_wrong_is_said_in_words(seed: int) -> None:
    chance = random.Random(seed)
    document = json.loads(json.dumps(load(GOOD).model_dump(exclude_unset=True)))
    for _ in range(3):
        holder, key = chance.choice(list(_places(document)))
        if chance.random() < 0.5:
            holder[key] = chance.choice([None, True, 1, "A b", [], {}, ["x", {}], {"a": 1}, {"user": {"a": 1}}])
        else:
            del holder[key]
    said = ["right"]
    try:
        load(json.dumps(document, indent=1))
    except BadPolicy as error:
        said = error.problems
    assert said
    assert not any("stand-in" in one for one in said)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every value in a document, as its container and its key or index there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in list(inner):
        yield value, key
        yield from _places(one)


def test_a_comma_without_quotes_is_explained() -> None:
    flow = "  grace: {name: Hopper, Grace, email: g@x.y}"
    text = GOOD.replace("  grace:\n    name: Grace Hopper\n    email: grace@example.test", flow, 1)
    assert mistakes(text) == [
        "line 2: users.grace.Grace: is not a field here; remove it, or put the value before it in quotes if its comma "
        "belongs to it"
    ]


# --- YAML -----------------------------------------------------------------------------------------------------------


def test_ids_stay_as_they_were_written() -> None:
    odd = ("007", "1e3", "no", "true", "0x1f", "2024-01-01", "1_000")
    text = "users:\n" + "".join(
        f"  {one}: {{name: {one}, email: p{n}@x.y, roles: [admin]}}\n" for n, one in enumerate(odd)
    )
    policy = load(text + f"user_groups: {{g: {{members: [{', '.join(odd)}]}}}}\n")
    assert tuple(policy.users) == odd
    assert tuple(policy.user_groups["g"].members) == odd
    assert policy.users["no"].name == "no"


def test_off_is_a_word_and_yes_is_true() -> None:
    policy = load(GOOD.replace("approval: true", "approval: yes") + "channels: {email: decide, slack: off}\n")
    assert policy.user_groups["engineers"].require_managerial_approval
    assert policy.channels == {"email": "decide", "slack": "off"}


def test_ids_are_folded_to_lower_case() -> None:
    policy = load(GOOD.replace("  alice:", "  Alice:").replace("[alice]", "[ALICE]"))
    assert "alice" in policy.users
    assert policy.user_groups["engineers"].members == ["alice"]


def test_the_line_of_an_id_written_in_capitals_is_found() -> None:
    [found] = mistakes(GOOD.replace("  alice:", "  ALICE:").replace("alice@", "grace@"))
    assert found.startswith("line 7: users.alice.email: grace has the same address")


def test_a_key_written_twice_names_both_lines() -> None:
    twice = GOOD.replace("  alice:\n", "  Grace:\n").replace("    devices:\n", "    devices: []\n    devices:\n")
    assert mistakes(twice) == [
        "line 5: users.Grace: stands here twice, first on line 2; remove one",
        "line 18: device_groups.databases.devices: stands here twice, first on line 17; remove one",
    ]


def test_twins_are_refused_however_a_policy_is_made() -> None:
    person = {"name": "G", "email": "g@x.y"}
    with pytest.raises(ValueError, match="grace stands here twice, in different letters"):
        Policy.model_validate({"users": {"grace": person, "Grace ": person}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1: the file is empty; begin with `users:`"),
        ("# nothing\n", "line 1: the file is empty; begin with `users:`"),
        ("hello", "line 1: the file: is a text, not a policy; begin with `users:`"),
        ("- users", "line 1: the file: is a list, not a policy; begin with `users:`"),
        ("users: !!python/object/apply:os.system [id]", "line 1: users: the tag tag:yaml.org,2002:python/object/apply"),
        (
            "users: {a: {name: A, email: a@x.y, roles: [admin]}}\nchannels: !mine {}",
            "line 2: channels: the tag !mine is not allowed; remove it, or put the value",
        ),
        ("users: !!binary aGk=", "line 1: users: the tag tag:yaml.org,2002:binary is not allowed; remove it"),
        ("users: !!set {a}", "line 1: users: the tag tag:yaml.org,2002:set is not allowed; remove it"),
        ("? [a, b]\n: c", "line 1: the file: this key is no plain word; write `name: value`"),
        ("users: &a [*a]", "line 1, column 12: `*a` refers to nothing above it"),
        ("users: " + "[" * 14 + "]" * 14, "line 1, column 19: nested too deep; 12 levels are the most"),
        pytest.param("[" * 3_000, "line 1, column 1001: nested too deep; a policy needs", marks=pytest.mark.no_cover),
        ("x" * (LARGEST_FILE_BYTES + 1), "the file has 2097153 bytes; a policy may have 2097152 (2 MiB) at most"),
        ("é" * (LARGEST_FILE_BYTES // 2 + 1), "the file has 2097154 bytes; a policy may have 2097152 (2 MiB) at most"),
    ],
)
def test_hostile_and_broken_yaml_is_refused_with_words(text: str, expected: str) -> None:
    [found] = mistakes(text)
    assert found.startswith(expected)


@pytest.mark.parametrize("line", ["x{n}: 1\n", "users: 1\n"])
def test_a_flood_of_mistakes_is_cut(line: str) -> None:
    with pytest.raises(BadPolicy) as refused:
        load("users: {}\n" + "".join(line.format(n=n) for n in range(300)))
    found = refused.value.problems
    assert len(found) == 201
    assert found[-1] == "and 100 more; mend these first"
    assert refused.value.headline == "the policy has 300 mistakes"


def test_a_single_mistake_is_one_mistake() -> None:
    with pytest.raises(BadPolicy) as refused:
        load("users: 3\n")
    assert refused.value.headline == "the policy has a mistake"


# --- speed, in processor seconds; the limits are far above what an idle machine needs -------------------------------


@pytest.mark.no_cover
def test_thousands_of_people_are_read_in_less_than_a_second() -> None:
    file = large_policy(8_000).encode()
    started = time.process_time()
    assert len(load(file).users) == 8_000
    assert time.process_time() - started < 2


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("users:\n" + "".join(f"  u{n}: 1\n" for n in range(150_000)), id="mistakes of form"),
        pytest.param("".join(f"usr_{n}: 1\n" for n in range(150_000)), id="unknown fields", marks=pytest.mark.whole),
        pytest.param("users: {}\n" * 150_000, id="the same again"),
        pytest.param("users: {}\nuser_groups: {g: {members: [" + "x, " * 200_000 + "]}}", id="a long list"),
        pytest.param(
            "users: {a: {name: A, email: a@x.y}}\nuser_groups:\n"
            + "".join(f"  g{n}: {{members: [a], require_managerial_approval: true}}\n" for n in range(10_000))
            + "device_groups:\n"
            + "".join(f"  d{n}: {{require_managerial_approval: true}}\n" for n in range(10_000)),
            id="groups",
            marks=pytest.mark.whole,
        ),
        pytest.param(
            "users:\n"
            + "".join(f"  p{n}: {{name: A, email: a{n}@x.y}}\n" for n in range(8_000))
            + "user_groups:\n"
            + "".join(f"  g{n}: {{members: [p{n}], managers: [p1]}}\n" for n in range(8_000))
            + "device_groups:\n"
            + "".join(f"  d{n}: {{require_managerial_approval: true}}\n" for n in range(8_000)),
            id="pairs of groups",
        ),
    ],
)
def test_a_file_that_is_made_to_be_slow_is_refused_within_seconds(text: str) -> None:
    started = time.process_time()
    assert len(mistakes(text)) <= 201
    assert time.process_time() - started < 10


def test_a_key_cannot_steer_a_terminal() -> None:
    assert "line 1: ?[31m: is not a field here; remove it" in mistakes('{"\\e[31m": 1}')


@pytest.mark.no_cover
def test_aliases_of_aliases_do_not_blow_up() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    assert "too many values; 250000 are the most, aliases written out" in mistakes(bomb)[0]


def test_aliases_may_be_used() -> None:
    policy = load(GOOD.replace("[alice]", "&team [alice]") + "fallback_approvers: *team\n")
    assert policy.fallback_approvers == ["alice"]


# --- what is published ----------------------------------------------------------------------------------------------


def test_the_published_schema_is_up_to_date() -> None:
    published = (ROOT / "docs" / "policy.schema.json").read_text()
    remake = "json.dumps(countersign.policy.schema.schema(), indent=2) and a newline make it anew"
    assert published == json.dumps(schema(), indent=2) + "\n", remake


@pytest.mark.parametrize(
    "model",
    [Policy, User, UserGroup, DeviceGroup, Terms, ApprovalWorkflow, LevelRule, ManagersOf, MembersOf, NamedUser],
)
def test_every_field_is_documented(model: type[BaseModel]) -> None:
    page = (ROOT / "docs" / "policy.md").read_text()
    assert [name for name in model.model_fields if not re.search(rf"`{name}[`:]", page)] == []


def test_the_words_for_mistakes_are_remedies() -> None:
    assert [kind for kind, message in MESSAGES.items() if "; " not in message] == []
