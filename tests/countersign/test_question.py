"""Reading any JSON as a question, or refusing it with the field and the remedy."""

from __future__ import annotations

from typing import Any

import pytest

from countersign.errors import BadQuestion
from countersign.question import read_question

GOOD = {"requester": "alice", "device": "db-1", "protocol": "ssh"}


def test_what_is_good_is_read_and_folded() -> None:
    raw = GOOD | {"requester": " Alice ", "source_address": "2001:DB8::0001", "reason": "a\u202eb\x07 ", "minutes": 30}
    question = read_question(raw)
    assert (question.requester, question.source_address, question.reason) == ("alice", "2001:db8::1", "ab")
    assert question.workflow_id == "connection:alice:db-1:ssh"


def test_no_part_of_an_id_can_reach_into_the_next() -> None:
    question = read_question(GOOD | {"requester": "a@b+c"})
    assert question.workflow_id == "connection:a%40b%2Bc:db-1:ssh"


@pytest.mark.parametrize("raw", [None, "alice", 1, [GOOD], True])
def test_what_is_no_object_is_shown_an_example(raw: Any) -> None:
    with pytest.raises(BadQuestion, match=r'one JSON object such as \{"requester"'):
        read_question(raw)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"protocol": "telnet"}, "protocol must be ssh, sftp, rdp or http"),
        ({"user": "x"}, "user is not a field; use requester, device, protocol"),
        ({"requester": "al ice"}, "requester 'al ice' is not an id"),
        ({"requester": "alice:db"}, "is not an id"),
        ({"device": "x" * 129}, "device"),
        ({"device": ""}, "device"),
        ({"source_address": "300.1.1.1"}, "source_address"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": True}, "minutes must be a whole number, not true or false"),
        ({"minutes": 10**9}, "minutes"),
        ({"reason": "x" * 1001}, "reason"),
        ({"reason": None}, "reason"),
    ],
)
def test_what_is_wrong_is_named_with_the_remedy(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(BadQuestion) as error:
        read_question(GOOD | changed)
    assert message in str(error.value)
    assert "Value error" not in str(error.value)


def test_every_field_that_is_wrong_is_named() -> None:
    with pytest.raises(BadQuestion) as error:
        read_question({"device": "db-1", "protocol": "ssh", "minutes": "soon", "why": ""})
    for word in ("requester is missing; add it", "minutes", "why is not a field"):
        assert word in str(error.value)
