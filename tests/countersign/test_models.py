"""What a question may hold."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from countersign.errors import BadQuestion
from countersign.kinds.connection import ConnectionQuestion
from countersign.question import read_question


def asked_from(address: str) -> str:
    question = {"requester": "alice", "device": "db-1", "protocol": "ssh", "source_address": address}
    return ConnectionQuestion.model_validate(question).source_address


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (" 10.0.0.7 ", "10.0.0.7"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("fe80::1%br-0123456789ab", "fe80::1%br-0123456789ab"),
        ("", ""),
    ],
)
def test_a_source_address_is_kept_in_one_spelling(written: str, kept: str) -> None:
    assert asked_from(written) == kept


@pytest.mark.parametrize("zone", ["x" * 16, "eth0\nApproved already", "eth0\0", "<b>", "eth 0"])
def test_a_zone_that_names_no_interface_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError, match="has a zone behind the % that is no interface name; leave it out"):
        asked_from(f"fe80::1%{zone}")


def test_a_long_text_that_is_no_address_is_not_repeated_in_full() -> None:
    with pytest.raises(ValidationError) as refusal:
        asked_from("x" * 100_000)
    assert len(refusal.value.errors()[0]["msg"]) < 200


def test_a_question_of_many_mistakes_is_refused_in_few_words() -> None:
    with pytest.raises(BadQuestion) as refusal:
        read_question({f"{n}" * 10_000: n for n in range(1000)})
    assert len(str(refusal.value)) < 3000
    assert "requester is missing; add it" in str(refusal.value)
