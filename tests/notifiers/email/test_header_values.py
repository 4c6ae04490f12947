"""Quoted strings, comments and addresses in header values, even unclosed or nested."""

import time

import pytest

from notifiers.email.header_values import addresses, addresses_anywhere, keyword, one_address, tokens

GRACE = "grace@example.com"


@pytest.mark.parametrize(
    ("value", "pieces"),
    [
        ('a "b(c" d', [("text", "a "), ("quoted", '"b(c"'), ("text", " d")]),
        ('a (b "c) d', [("text", "a "), ("comment", '(b "c)'), ("text", " d")]),
        ("(a (b) \\) c) d", [("comment", "(a (b) \\) c)"), ("text", " d")]),
        ('a "b \\" c', [("text", "a "), ("open", '"b \\" c')]),
        ("a (b (c)", [("text", "a "), ("open", "(b (c)")]),
        ("a) b", [("text", "a"), ("open", ")"), ("text", " b")]),
        ("a\\b \\(c", [("text", "a\\b "), ("open", "\\"), ("open", "(c")]),
        ("", []),
    ],
)
def test_the_pieces_of_a_value(value: str, pieces: list[tuple[str, str]]) -> None:
    assert list(tokens(value)) == pieces


@pytest.mark.parametrize("mark", ['"', "(", ")", "\\", '"(', '("', "a(", "()", '""', "\\\\("])
def test_hostile_values_take_no_time(mark: str) -> None:
    start = time.perf_counter()
    assert "".join(text for _, text in tokens(mark * 100_000)) == mark * 100_000
    addresses_anywhere(mark * 100_000)
    assert time.perf_counter() - start < 10  # many times what it takes on an idle machine


@pytest.mark.parametrize(
    ("value", "word"),
    [("No (really (a person))", "no"), ('"no"; a=b', "no"), ("(yes) no", "no"), ("(no", ""), ("no (x", "no"), ("", "")],
)
def test_the_one_word_of_a_value(value: str, word: str) -> None:
    assert keyword(value) == word


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (f'"Hopper, Grace <x@y.example>" <{GRACE.upper()}>', GRACE),
        (f"{GRACE} (Grace, at work)", GRACE),
        (f"Grace (a@b.example) <{GRACE}>", GRACE),
        (f'O"Brien <{GRACE}>', GRACE),
        (f"(<x@y.example>) {GRACE}", ""),
        (f"(Grace) {GRACE}", ""),
        (f"{GRACE} (Grace", ""),
        (f"{GRACE}, bob@example.com", ""),
        (f"Bob <bob@example.com> <{GRACE}>", ""),
        (f'"bob@example.com"{GRACE}', ""),
        (f"team: {GRACE};", ""),
        ("x" * 5_000 + f" <{GRACE}>", ""),
        ("", ""),
    ],
)
def test_the_one_address_of_a_value(value: str, address: str) -> None:
    assert one_address(value) == address


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (f'"a, b@c.example" <{GRACE}>; (d) bob@example.com', [GRACE, "bob@example.com"]),
        (f'Grace <{GRACE}>, "{GRACE}"', [GRACE]),
        (f"Corp\\Grace <{GRACE}>", []),
        (f'"open <{GRACE}>', []),
        (f"a) <{GRACE}>", []),
        (f"(a (b)) <{GRACE}>", []),
        (f"team: Grace <{GRACE}>;", []),
    ],
)
def test_the_addresses_of_a_value(value: str, found: list[str]) -> None:
    assert addresses(value) == found
