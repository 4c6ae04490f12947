"""Remedies: what people read about a wrong value, never in the words of the library that found it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from countersign.errors import BadQuestion
from countersign.question import read_question
from countersign.remedies import UNNAMED, remedy


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (Annotated[str, Field(max_length=128)], "x" * 129, "is too long; use at most 128 characters"),
        (Annotated[str, Field(min_length=2)], "x", "is too short; use at least 2 characters"),
        (Annotated[int, Field(ge=1)], 0, "must be 1 or more"),
        (Annotated[int, Field(le=9)], 10, "must be 9 or less"),
        (int, "soon", "must be a whole number"),
        (int, 1.5, "must be a whole number"),
        (int, None, "must be a whole number"),
        (int, "9" * 5000, "must be a smaller number"),
        (float, "soon", "must be a number"),
        (bool, "perhaps", "must be true or false"),
        (str, 1, "must be text"),
        (Colour, "green", "must be red or blue"),
        (Literal["on", "off"], "red", "must be on or off"),
        (list[str], "red", "must be a list"),
        (datetime, "soon", UNNAMED),
    ],
)
def test_each_kind_has_a_remedy_of_ours(kind: Any, value: object, message: str) -> None:
    with pytest.raises(ValidationError) as found:
        TypeAdapter(kind).validate_python(value)
    assert remedy(found.value.errors()[0]) == message


@pytest.mark.parametrize(
    "changed",
    [
        {"reason": "x" * 1001},
        {"reason": None},
        {"ticket": "x" * 129},
        {"minutes": 0},
        {"minutes": "soon"},
        {"minutes": []},
    ],
)
def test_no_question_is_refused_in_the_words_of_the_library(changed: dict[str, Any]) -> None:
    with pytest.raises(BadQuestion) as found:
        read_question({"requester": "alice", "device": "db-1", "protocol": "ssh"} | changed)
    assert str(found.value).startswith(next(iter(changed)))
    assert "should" not in str(found.value)
