"""Text that isn't YAML: one message, with the place where the mistake begins and what to write instead."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countersign.errors import BadPolicy
from countersign.policy.file import load
from countersign.yaml_lines import read

COLON = "a colon can't stand here; put a value that holds one in quotes"
NO_COLON = "this line is neither `name: value` nor `- entry`; write the colon that is missing"
CLOSED_EARLY = "the quote that opens here is closed before the value ends"
DOCUMENT = "a second document begins here; a policy is one document"
ALONE = "can't stand among lines of the form"
PIECES = ["[", "]", "{", "}", ", ", "x", "a: ", "- ", "? ", "&x ", "*x", "!!map ", "'", '"', "|", "# c", "\n", "  "]


def user(*lines: str) -> str:
    """Grace, with these lines below her id."""
    return "users:\n  grace:\n" + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Tabs.
        ("users:\n\tgrace:\n\t\tname: G\n", "line 2, column 1: a tab stands here; indent with spaces"),
        ("users:\n  grace:\n  \tname: G\n", "line 3, column 3: a tab stands here; indent with spaces"),
        ("users:\n  grace:\n    name: G\n\temail: x\n", "line 4, column 1: a tab stands here; indent with spaces"),
        ("a:\n  -\tx: 1\n", "line 2, column 4: a tab stands here; indent with spaces"),
        # Colons and commas.
        (user("name: Grace: Hopper", "email: x"), f"line 3, column 16: {COLON}"),
        ("users:\n  grace: {name: Grace: Hopper, email: x}\n", f"line 2, column 22: {COLON}, or write the comma"),
        (
            "users:\n  grace: {name: Hopper email: x}\n",
            f"line 2, column 29: {COLON}, or write the comma that is missing",
        ),
        (user("name:Grace", "email: x"), "line 3, column 5: a space is missing behind the colon of `name:`"),
        ("users:\n  grace\n    name: x\n", f"line 2, column 3: {NO_COLON}"),
        (user("name: x", "email", "disabled: true"), f"line 4, column 5: {NO_COLON}"),
        ("a: [x,, y]\n", "line 1, column 7: a comma or a closing bracket is missing here, or a comma is too many"),
        # Quotes.
        (user('name: "Grace', "email: x"), "line 3, column 11: the quote that opens here is never closed"),
        (user("name: 'Grace", "email: x"), "line 3, column 11: the quote that opens here is never closed"),
        (user('name: "Grace', 'email: "x"'), "line 3, column 11: the quote that opens here is closed on line 4 only"),
        (user("name: 'O'Hara'", "email: x"), f"line 3, column 11: {CLOSED_EARLY}"),
        (user('name: "Grace "Amazing" Hopper"'), f"line 3, column 11: {CLOSED_EARLY}"),
        (user('name: "C:\\Users"'), "line 3, column 16: in double quotes a backslash begins an escape; write two"),
        # Brackets.
        (user("roles: [admin", "email: x"), "line 3, column 12: the `[` that opens here is not closed; write `]`"),
        ("a: [x, y\n", "line 1, column 4: the `[` that opens here is not closed; write `]`"),
        ("a: &m [x, y\n", "line 1, column 7: the `[` that opens here is not closed; write `]`"),
        ("a: !!map\n  {x: y\n", "line 2, column 3: the `{` that opens here is not closed; write `}`"),
        ("a: [\n  b: 'x\n", "line 2, column 6: the quote that opens here is never closed"),
        ("users: [\n", "line 1, column 8: the `[` that opens here is not closed; write `]`"),
        (
            "users:\n  g: {name: G\n  a: {name: A}\n",
            "line 2, column 6: the `{` that opens here is not closed; write `}`",
        ),
        ("a: x]\nb: [x]]\n", "line 2, column 7: nothing is open that `]` would belong to; remove it"),
        # The first character of a value.
        (user("name: @grace"), "line 3, column 11: a value can't begin with `@`; put it in quotes"),
        ("a: %x\n", "line 1, column 4: a value can't begin with `%`; put it in quotes"),
        ("a: **x**\n", "line 1, column 4: a value can't begin with `*`; put it in quotes"),
        ("a: & x\n", "line 1, column 4: a value can't begin with `&`; put it in quotes"),
        ("a: *gone\n", "line 1, column 4: `*gone` refers to nothing above it; put the value in quotes"),
        ("a: |x\n b\n", "line 1, column 4: a `|` or `>` begins a text of many lines; put a value that begins so"),
        ("a: ? b\n", "line 1, column 4: a value can't begin with `? `; put it in quotes"),
        ("%foo\na: x\n", "line 1, column 1: a line that begins with % speaks to the YAML parser; remove it"),
        # Indentation.
        (
            user("name: G", " email: x"),
            "line 4, column 11: this line is indented deeper than the value above it allows",
        ),
        ("users:\n  grace:\n    name: G\n   email: x\n", "line 4, column 4: this line is indented like none above it"),
        ("a:\n  - x\n  b: y\n", f"line 3, column 3: `name: value` {ALONE} `- entry`; indent it below what it"),
        ("a:\n  b: y\n  - x\n", f"line 3, column 3: `- entry` {ALONE} `name: value`; indent it below what it"),
        # More than one document, and other files.
        ("a: 1\n---\nb: 2\n", f"line 2, column 1: {DOCUMENT}"),
        ("a: 1\n...\nb: 2\n", f"line 3, column 1: {DOCUMENT}"),
        ('"a" b\n', f"line 1, column 1: {CLOSED_EARLY}"),
        # Characters.
        ("a: x\0\n", "line 1, column 5: U+0000 stands here, a control character; remove it"),
        ("a: x\nb: \x7f\n", "line 2, column 4: U+007F stands here, a control character; remove it"),
        ("a: x\rb: y\n", "line 1, column 5: U+000D stands here, a control character; remove it"),
        ("a: x\u2028b: y\n", "line 1, column 5: U+2028 stands here, a character that does not show; remove it"),
        ("a: x # \u202e\n", "line 1, column 8: U+202E stands here, a character that does not show; remove it"),
        ("a: \ud800\n", "line 1, column 4: U+D800 stands here, a character that does not show; remove it"),
    ],
)
def test_one_mistake_is_told_once_where_it_begins_and_with_a_remedy(text: str, expected: str) -> None:
    with pytest.raises(BadPolicy) as refused:
        load(text)
    [found] = refused.value.problems
    assert found.startswith(expected)
    assert "; " in found


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"users: {}\nname: gr\xe4ce\n", "line 2, column 9: this byte is not UTF-8; save the file as UTF-8"),
        (
            "ä: \udcff".encode(errors="surrogateescape"),
            "line 1, column 4: this byte is not UTF-8; save the file as UTF-8",
        ),
        ("users: {}".encode("utf-16"), "line 1, column 1: the file is UTF-16; save the file as UTF-8"),
    ],
)
def test_what_is_not_utf_8_is_told_by_line_and_column(raw: bytes, expected: str) -> None:
    with pytest.raises(BadPolicy) as refused:
        load(raw)
    assert refused.value.problems == [expected]


def test_a_byte_order_mark_and_windows_line_ends_are_no_mistake() -> None:
    policy = load(b"\xef\xbb\xbfusers:\r\n  grace: {name: Grace, email: g@x.y, roles: [admin]}\r\n")
    assert policy.users["grace"].name == "Grace"


@settings(deadline=None, max_examples=1000)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_whatever_is_no_yaml_is_said_in_words(text: str) -> None:
    with suppress(BadPolicy):
        read(text)
