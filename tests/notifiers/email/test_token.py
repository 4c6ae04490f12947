"""Tokens: made for one approver, level and request; readable from the two places they travel in."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.models import Event
from notifiers.email import token
from notifiers.email.token import Ids, KeyRing

RING = KeyRing([("k2", b"new secret, long enough"), ("k1", b"old secret, long enough")])
OLD_RING = KeyRing([("k1", b"old secret, long enough")])
ids = st.text(string.ascii_lowercase + string.digits + ":.-@+_%", min_size=1, max_size=30)
numbers = st.integers(min_value=1, max_value=10**9)


def test_a_number_that_is_given_out_again_makes_other_tokens() -> None:
    runs = ("", "run-1", "run-2", "run-1:1042")
    for run in runs:
        made = token.make(RING, 1042, 1, "grace", run)
        assert [bool(token.kind_of(RING, made, 1042, 1, "grace", one)) for one in runs] == [one == run for one in runs]


def test_a_token_is_short_lower_case_and_the_same_each_time() -> None:
    made = token.make(RING, 1042, 1, "grace")
    assert made == token.make(RING, 1042, 1, "grace")
    assert len(made) == 28
    assert set(made) <= set(string.ascii_lowercase + string.digits)
    assert made.startswith("k2")


@given(approval_id=numbers, level=st.integers(1, 99), person=ids, other=st.tuples(numbers, st.integers(1, 99), ids))
def test_it_names_its_own_triple_and_no_other(
    approval_id: int, level: int, person: str, other: tuple[int, int, str]
) -> None:
    made = token.make(RING, approval_id, level, person)
    assert token.kind_of(RING, made, approval_id, level, person)
    assert token.kind_of(RING, made.upper(), approval_id, level, person)
    assert bool(token.kind_of(RING, made, *other)) == (other == (approval_id, level, person))


@pytest.mark.parametrize("run", ["", "run-1"])
def test_each_kind_of_mail_has_its_own(run: str) -> None:
    made = {kind: token.make(RING, 1042, 1, "grace", run, kind) for kind in token.KINDS}
    assert len(set(made.values())) == len(token.KINDS)
    for kind, one in made.items():
        assert token.kind_of(RING, one, 1042, 1, "grace", run) == kind
    # What versions signed before there were kinds.
    assert made["answer"] == token.make(RING, 1042, 1, "grace", run)


def test_what_a_mail_was_is_read_in_its_id() -> None:
    made = token.message_id("acme.example", Ids(5, 0, ""), Event.ANSWER_REFUSED, "notification 7")
    assert token.kind_said(f" {made.upper()}", "answer") == "help"
    assert token.kind_said(token.thread_id("acme.example", 5, "grace"), "answer") == "answer"
    assert token.kind_said("<a@b>", "undo") == "undo"


def test_neighbouring_triples_are_never_confused() -> None:
    made = token.make(RING, 12, 3, "4")
    assert not token.kind_of(RING, made, 1, 23, "4")
    assert not token.kind_of(RING, made, 12, 34, "")
    assert not token.kind_of(RING, made, 12, 3, "4:")


def test_an_old_key_still_verifies_after_rotation_and_a_removed_one_does_not() -> None:
    old = token.make(OLD_RING, 7, 2, "heidi")
    assert token.kind_of(RING, old, 7, 2, "heidi")
    assert not token.kind_of(KeyRing([("k2", b"new secret, long enough")]), old, 7, 2, "heidi")


def test_the_same_key_id_with_another_secret_does_not_verify() -> None:
    other = KeyRing([("k2", b"a wholly different secret")])
    assert not token.kind_of(RING, token.make(other, 7, 2, "heidi"), 7, 2, "heidi")


@pytest.mark.parametrize("bad", ["", "k2", "k2" + "a" * 26, "ü" * 28, "\ud800" * 28, "k2" + "a" * 4000])
def test_nonsense_names_nobody(bad: str) -> None:
    assert not token.kind_of(RING, bad, 1, 1, "grace")


def test_any_changed_character_breaks_it() -> None:
    made = token.make(RING, 1, 1, "grace")
    for at in range(len(made)):
        changed = made[:at] + ("b" if made[at] != "b" else "c") + made[at + 1 :]
        assert not token.kind_of(RING, changed, 1, 1, "grace")


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [("k1", b"short")],
        [("K1", b"long enough, sixteen")],
        [("k", b"long enough, sixteen")],
        [("k1", b"long enough, sixteen"), ("k1", b"another, also sixteen")],
    ],
)
def test_a_bad_key_ring_is_refused_without_showing_a_secret(keys: list[tuple[str, bytes]]) -> None:
    with pytest.raises(ValueError) as error:
        KeyRing(keys)
    assert "sixteen" not in str(error.value)
    assert "short'" not in str(error.value)


def test_printing_a_ring_shows_key_ids_only() -> None:
    assert repr(RING) == str(RING) == "KeyRing(k2, k1)"
    assert "secret" not in f"{RING!r} {RING} {vars(type(RING)).get('__dict__')}"


@given(approval_id=st.integers(1, 10**12 - 1), level=st.integers(1, 999), person=ids)
def test_address_and_message_id_bring_the_ids_back(approval_id: int, level: int, person: str) -> None:
    said = Ids(approval_id, level, token.make(RING, approval_id, level, person))
    address = token.reply_address("countersign@acme.example", *said)
    assert address.startswith("countersign+")
    assert address.endswith("@acme.example")
    assert token.in_address(address) == token.in_address(f" {address.upper()} ") == said
    made = token.message_id("acme.example", said, Event.ANSWER_REFUSED, "notification 7")
    assert token.in_message_id(made) == token.in_message_id(made.upper()) == said


def test_a_reply_address_that_has_a_tag_of_its_own_works_too() -> None:
    address = token.reply_address("team+countersign@acme.example", 5, 1, token.make(RING, 5, 1, "grace"))
    assert token.in_address(address) == Ids(5, 1, token.make(RING, 5, 1, "grace"))


def test_message_ids_are_derived_from_the_notification() -> None:
    said = Ids(5, 1, token.make(RING, 5, 1, "grace"))
    first = token.message_id("acme.example", said, Event.ASKED, "notification 7")
    assert first == token.message_id("acme.example", said, Event.ASKED, "notification 7")
    assert first != token.message_id("acme.example", said, Event.ASKED, "notification 8")
    assert first != token.message_id("acme.example", said, Event.SETTLED, "notification 7")


def test_a_message_id_without_a_token_says_the_request_only() -> None:
    made = token.message_id("acme.example", Ids(5, 0, ""), Event.SETTLED, "notification 7")
    assert token.in_message_id(made) == Ids(5, 0, "")
    assert token.in_message_id(token.thread_id("acme.example", 5, "grace")) == Ids(5, 0, "")


def test_threads_differ_by_person_and_request() -> None:
    made = {token.thread_id("acme.example", a, p) for a in (1, 11) for p in ("grace", "heidi", "1:grace")}
    assert len(made) == 6


@pytest.mark.parametrize(
    "address",
    [
        "",
        "countersign@acme.example",
        "countersign+1042@acme.example",
        "countersign+1042-1-short@acme.example",
        f"countersign+0-1-k1{'a' * 26}@acme.example",
        f"countersign+1-0-k1{'a' * 26}@acme.example",
        f"countersign+1042-1-k1{'a' * 26}",
        f"countersign+1042-1-k1{'a' * 26}@a@b",
        f"countersign+{'9' * 400}-1-k1{'a' * 26}@acme.example",
        f"<countersign+1042-1-k1{'a' * 26}@acme.example>",
    ],
)
def test_other_addresses_carry_nothing(address: str) -> None:
    assert token.in_address(address) is None


@pytest.mark.parametrize(
    "text", ["", "<a@b>", "<1042@acme.example>", "1042.asked.aaaaaaaaaaaaaaaa@x", "<1.1.k1.asked.aaaaaaaaaaaaaaaa@x>"]
)
def test_other_message_ids_say_nothing(text: str) -> None:
    assert token.in_message_id(text) is None
