"""Every mail of tests/mails is read as expected.toml, beside them, says."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from notifiers.email.reply import read_reply

MAILS = Path(__file__).parents[2] / "mails"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((MAILS / "expected.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_mail_says_what_the_table_says(name: str) -> None:
    expected = EXPECTED[name]
    read = read_reply((MAILS / name).read_bytes())
    assert (read.verdict, read.code) == (expected["verdict"], expected.get("code", "answer")), expected["shows"]
    assert "comment" not in expected or read.comment == expected["comment"]
    assert bool(read.reason) == (read.verdict == "none")


def test_every_mail_is_in_the_table_and_most_decide_nothing() -> None:
    assert {path.name for path in MAILS.glob("*.eml")} == set(EXPECTED)
    assert sum(each["verdict"] == "none" for each in EXPECTED.values()) >= 80
