"""The codes of errors: each has a title and is documented, and survives being sent or stored."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from countersign.error_codes import ErrorCode
from countersign.errors import Refused, refused_with

API_PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def test_every_code_has_a_meaning_and_is_documented() -> None:
    assert all(code.meaning for code in ErrorCode)
    documented = re.findall(r"^\| `([a-z-]+)` \|", API_PAGE.read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(ErrorCode)


def test_a_refusal_that_was_sent_is_the_same_refusal() -> None:
    error = Refused("5 minutes are too many.", ErrorCode.TOO_MANY_MINUTES, minutes=5, limit=2)
    again = refused_with(str(error), json.loads(json.dumps(error.details)))
    assert (str(again), again.code, again.fields) == (str(error), "too-many-minutes", {"minutes": 5, "limit": 2})


@pytest.mark.parametrize("details", [None, "x", [], 1])
def test_a_refusal_of_before_there_were_codes_is_one_still(details: object) -> None:
    again = refused_with("No.", details)
    assert (str(again), again.code, again.fields) == ("No.", "refused", {})
