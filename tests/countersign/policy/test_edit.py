"""One change to the text of a policy: only its line differs, and means what was wanted, or nothing is changed."""

from __future__ import annotations

import difflib
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.applying import large_policy
from countersign.errors import BadPolicy, Refused
from countersign.policy.edit import PolicyEdit, edited
from countersign.yaml_lines import read
from tests.countersign.policy.test_route import EXAMPLE

EXAMPLES = {path.name: path.read_text() for path in EXAMPLE.parent.glob("*.yaml")}
USERS = "users:\n  ada: {name: Ada, email: ada@example.test, roles: [admin]}\n  bob: {name: B, email: b@example.test}\n"
REQUIRE = "user_groups/g/require_managerial_approval"


def changed(text: str, path: str, action: str, value: Any) -> str:
    return edited(text, PolicyEdit.model_validate({"path": path.split("/"), "action": action, "value": value}))


def lines_changed(before: str, after: str) -> list[str]:
    found = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in found if line[:1] in "+-"]


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize(
    ("path", "action", "value", "lines"),
    [
        ("user_groups/finance/require_managerial_approval", "set", True, ["+     require_managerial_approval: true"]),
        (
            "user_groups/engineers/require_managerial_approval",
            "set",
            False,
            ["-     require_managerial_approval: true", "+     require_managerial_approval: false"],
        ),
        ("device_groups/open-lab/managers", "add", "ada", ["+     managers: [ada]"]),
        (
            "user_groups/Engineers/members",
            "remove",
            "bob",
            ["-     members: [alice, bob, grace]", "+     members: [alice, grace]"],
        ),
        ("user_groups/engineers/managers", "remove", "grace", ["-     managers: [grace]", "+     managers: []"]),
        ("reminder_minutes", "set", None, ["- reminder_minutes: 30", "+ reminder_minutes: null"]),
        (
            "approval_status_change_to_expire",
            "set",
            "36h",
            ["- approval_status_change_to_expire: 60", "+ approval_status_change_to_expire: 36h"],
        ),
        ("channels/slack", "set", "off", ["+   slack: off"]),
        (
            "fallback_approvers",
            "add",
            "ivan",
            ["- fallback_approvers: [ada, heidi]", "+ fallback_approvers: [ada, heidi, ivan]"],
        ),
        ("rejection_needs_reason", "set", True, ["+ rejection_needs_reason: true"]),
        ("user_groups/engineers/members", "add", "alice", []),
        ("grant_minutes", "set", "2h", []),
    ],
)
def test_of_an_example_only_the_line_that_is_meant_differs(
    name: str, path: str, action: str, value: Any, lines: list[str]
) -> None:
    assert lines_changed(EXAMPLES[name], changed(EXAMPLES[name], path, action, value)) == lines


LAYOUTS = {
    "quotes": ('user_groups: {"g": {"members": ["bob"]}}\n', 'user_groups: {"g": {"members": ["bob", ada]}}\n'),
    "empty": ("user_groups: {g: {members: [ ]}}\n", "user_groups: {g: {members: [ada]}}\n"),
    "no list": ("user_groups:\n  g: {}\n", "user_groups:\n  g: {members: [ada]}\n"),
    "a line each": (
        "user_groups:\n  g:\n    members:\n    - bob # who\n# end\n",
        "user_groups:\n  g:\n    members:\n    - bob # who\n    - ada\n# end\n",
    ),
    "indented": (
        "user_groups:\n  g:\n    members:\n        -   bob",
        "user_groups:\n  g:\n    members:\n        -   bob\n        -   ada",
    ),
    "over lines": (
        "user_groups: {g: {members: [\n  bob, # who\n]}}\n",
        "user_groups: {g: {members: [\n  bob, ada, # who\n]}}\n",
    ),
    "windows": (
        "user_groups:\r\n  g:\r\n    members:\r\n    - bob\r\n",
        "user_groups:\r\n  g:\r\n    members:\r\n    - bob\r\n    - ada\r\n",
    ),
    "anchor": ("user_groups: {g: {members: &m [bob]}}\n", "user_groups: {g: {members: &m [bob, ada]}}\n"),
    "folded": ("user_groups: {G: {members: [BOB]}}\n", "user_groups: {G: {members: [BOB, ada]}}\n"),
    "wide": (
        "# 𝒳 é 字\nuser_groups: {g: {members: [bob]}} # 𝒳\n",
        "# 𝒳 é 字\nuser_groups: {g: {members: [bob, ada]}} # 𝒳\n",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_entry_is_added_in_the_layout_of_its_list_and_removed_again(layout: str) -> None:
    before, after = (USERS + part for part in LAYOUTS[layout])
    assert changed(before, "user_groups/g/members", "add", "ada") == after
    again = changed(after, "user_groups/g/members", "remove", "ada")
    assert again == before or layout in {"empty", "no list", "over lines"}
    assert read(again).value == read(before).value or layout == "no list"


SHARED = {
    "an alias": "fallback_approvers: &m [bob]\nuser_groups: {g: {members: *m}}\n",
    "what an alias stands for": "user_groups: {g: {members: &m [bob]}}\nfallback_approvers: *m\n",
    "an alias as the last entry": "fallback_approvers: [&b bob]\nuser_groups: {g: {members: [*b]}}\n",
    "a comma too many": "user_groups: {g: {members: [bob, ]}}\n",
    "nested dashes": "user_groups:\n  ? g\n  : members:\n      - # here\n        bob\n",
}


@pytest.mark.parametrize("layout", SHARED)
def test_what_can_not_be_changed_safely_is_refused_with_the_remedy(layout: str) -> None:
    text = USERS + SHARED[layout]
    if layout == "a comma too many":
        assert plain(changed(text, "user_groups/g/members", "add", "ada"))["user_groups"]["g"]["members"] == [
            "bob",
            "ada",
        ]
        return
    with pytest.raises(Refused) as error:
        changed(text, "user_groups/g/members", "add", "ada")
    assert str(error.value) == (
        "user_groups.g.members is written in a way that can't be changed here; edit the text on the Policy page."
    )


def test_a_shared_switch_is_not_turned_for_others() -> None:
    text = USERS + "user_groups: {g: &g {require_managerial_approval: true, managers: [bob]}, h: *g}\n"
    for path in (REQUIRE, REQUIRE.replace("/g/", "/h/")):
        with pytest.raises(Refused, match="edit the text on the Policy page"):
            changed(text, path, "set", False)


@pytest.mark.parametrize(
    "written", ["true", "'true'", '"True"', "!!bool true", "yes", "|-\n      true", ">-\n      on"]
)
def test_a_switch_is_turned_however_it_is_written(written: str) -> None:
    text = USERS + f"user_groups:\n  g:\n    require_managerial_approval: {written}\n    managers: [bob]\n# end\n"
    try:
        after = changed(text, REQUIRE, "set", False)
    except Refused:
        assert written[0] in "|>"
    else:
        assert after == text.replace(f"approval: {written}", "approval: false")


def test_a_comment_that_may_be_about_somebody_else_is_not_removed() -> None:
    text = USERS + "fallback_approvers: [ada, # the admin\n  bob]\n"
    for person in ("ada", "bob"):
        with pytest.raises(Refused, match="edit the text"):
            changed(text, "fallback_approvers", "remove", person)


@pytest.mark.parametrize(
    ("path", "action", "value", "message"),
    [
        ("reminder_minutes", "set", "soon", "reminder_minutes: must be a duration such as 90s"),
        ("user_groups/g/members", "add", "a b", "user_groups.g.members: 'a b' is not an id"),
        ("user_groups/g/members", "set", True, "user_groups.g.members: "),
        ("nothing", "set", True, "nothing: "),
        ("channels/slack", "set", "loud", "channels.slack: "),
        ("users/bob/name", "set", "two\nlines", "users.bob.name: must be one line"),
    ],
)
def test_what_a_field_can_not_have_is_a_mistake(path: str, action: str, value: Any, message: str) -> None:
    with pytest.raises(BadPolicy) as error:
        changed(USERS + "user_groups: {g: {members: [bob]}}\n", path, action, value)
    assert error.value.problems[0].startswith(message)


def test_what_is_gone_is_said_to_be_gone() -> None:
    with pytest.raises(Refused, match="There is no g in the policy any more"):
        changed(USERS, "user_groups/g/members", "add", "bob")
    with pytest.raises(BadPolicy):
        changed("users: &a [*a]", "user_groups/g/members", "add", "bob")


@pytest.mark.parametrize(
    "name", ["", "true", "null", "~", "a: b", "# no", "'", '"', "\\", "é 𝒳", "- x", "*a", "[", "%"]
)
def test_a_text_is_written_so_that_it_is_read_as_it_was(name: str) -> None:
    try:
        after = changed(USERS, "users/bob/name", "set", name)
    except BadPolicy:
        assert name == ""
    else:
        assert read(after).value["users"]["bob"]["name"] == name  # type: ignore[call-overload,index]


# --- whatever a file looks like -------------------------------------------------------------------------------------

PEOPLE = ["ada", "bob", "eve", "no", "007", "x.y@z"]
COMMENTS = st.sampled_from(["", " # on leave", "  # 'a' \"b\" [c] {d}: - e"])
QUOTED = st.sampled_from(["{}", "'{}'", '"{}"'])


@st.composite
def lists(draw: st.DrawFn, indent: str, anchors: st.SearchStrategy[str]) -> str:
    """A list of people, as it stands after the colon, in one of the ways to write it."""
    people = draw(st.lists(st.sampled_from(PEOPLE), unique=True, max_size=4))
    written = [draw(QUOTED).format(one) for one in people]
    if not people or draw(st.booleans()):
        between = draw(st.sampled_from([", ", ",", f",\n{indent}  ", f" , # one\n{indent}   "]))
        return f" {draw(anchors)}[{between.join(written)}]{draw(COMMENTS)}\n"
    dash = draw(st.sampled_from([f"{indent}- ", f"{indent}  -   "]))
    comments = [draw(COMMENTS) for _ in people]
    above = draw(st.sampled_from(["", f"{indent}# above\n", "\n"]))
    return f"{draw(COMMENTS)}\n{above}" + "".join(f"{dash}{one}{c}\n" for one, c in zip(written, comments, strict=True))


@st.composite
def policies(draw: st.DrawFn) -> str:
    """A policy with two groups; only what the test changes is written in many ways."""
    text = "# A policy.\nusers:\n" + "".join(
        f"  {draw(QUOTED).format(one)}: {{name: N, email: n{n}@example.test, roles: [admin]}}{draw(COMMENTS)}\n"
        for n, one in enumerate(PEOPLE)
    )
    text += "user_groups:\n"
    for n, group in enumerate(("g", "h")):
        anchors = st.sampled_from(["", f"&a{n} "])
        text += f"  {draw(QUOTED).format(group)}:{draw(COMMENTS)}\n    managers: [ada, bob]\n"
        fields = draw(st.permutations(["members", "require_managerial_approval"]))
        for field in fields[: draw(st.integers(0, 2))]:
            value = (
                draw(lists("    ", anchors))
                if field == "members"
                else f" {draw(QUOTED).format('true')}{draw(COMMENTS)}\n"
            )
            text += f"    {field}:{value}"
    if "&a0" in text and draw(st.booleans()):
        text += "fallback_approvers: *a0\n"
    text += draw(st.sampled_from(["", "\n# the end\n", "channels: {email: decide}"]))
    return text if draw(st.booleans()) else text.replace("\n", "\r\n")


CHANGES = st.one_of(
    st.tuples(st.just("members"), st.sampled_from(["add", "remove"]), st.sampled_from(PEOPLE)),
    st.tuples(st.just("require_managerial_approval"), st.just("set"), st.booleans()),
)


@given(policies(), st.sampled_from(["g", "h"]), CHANGES)
def test_it_says_what_was_meant_and_no_other_line_differs(text: str, group: str, change: tuple[str, str, Any]) -> None:
    field, action, value = change
    path = PolicyEdit.model_validate({"path": ["user_groups", group, field], "action": action, "value": value})
    try:
        after = edited(text, path)
    except Refused:
        assert "&a" in text or "#" in text.partition("user_groups")[2]
        return
    before, now = plain(text), plain(after)
    entries = (
        [one for one in before["user_groups"][group].get(field) or [] if one != value] if field == "members" else []
    )
    expected = {"add": [*entries, value], "remove": entries, "set": value}[action]
    if action == "add" and value in before["user_groups"][group].get(field, []):
        assert after == text
    elif field in now["user_groups"][group]:
        assert now["user_groups"][group].pop(field) == (str(expected).lower() if action == "set" else expected)
        before["user_groups"][group].pop(field, None)
    assert now == before
    gone = [line for line in lines_changed(text, after) if line[0] == "-"]
    come = [line for line in lines_changed(text, after) if line[0] == "+"]
    assert len(gone) <= 3
    assert len(come) <= 2
    # All other lines stay as they were, with their comments and line ends.
    assert after.count("#") >= text.count("#") - (action == "remove")
    assert ("\r\n" in text) == ("\r\n" in after)
    assert after.count("\n") == after.count("\r\n") or "\r\n" not in after


def plain(text: str) -> Any:
    return read(text).value


def test_of_a_policy_of_thousands_one_line_differs_in_some_seconds() -> None:
    text = large_policy()
    started = time.process_time()
    after = changed(text, "user_groups/g7/require_managerial_approval", "set", False)
    assert time.process_time() - started < 60
    differs = [(one, other) for one, other in zip(text.split("\n"), after.split("\n"), strict=True) if one != other]
    assert differs == [("    require_managerial_approval: true", "    require_managerial_approval: false")]


def test_examples_are_there() -> None:
    assert Path(EXAMPLE).name in EXAMPLES
