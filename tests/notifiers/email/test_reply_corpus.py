"""Every mail of tests/mails is read as expected.toml, beside them, says."""

import tomllib
from email import message_from_bytes
from email.policy import default
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import pytest

from notifiers.email.reply import KnownNames, read_reply

MAILS = Path(__file__).parents[2] / "mails"
# The names in the directory of the other people concerned with the request that the mails are about.
OTHERS = ["Alice Arundel", "Bob Babbage", "Jürgen Müller"]
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((MAILS / "expected.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_mail_says_what_the_table_says(name: str) -> None:
    expected = EXPECTED[name]
    raw = (MAILS / name).read_bytes()
    sender = parseaddr(message_from_bytes(raw, policy=default).get("From", ""))[0]
    read = read_reply(raw, KnownNames(sender, OTHERS))
    assert (read.verdict, read.code) == (expected["verdict"], expected.get("code", "answer")), expected["shows"]
    assert "comment" not in expected or read.comment == expected["comment"]
    assert bool(read.reason) == (read.verdict == "none")


def test_every_mail_is_in_the_table_and_most_decide_nothing() -> None:
    assert {path.name for path in MAILS.glob("*.eml")} == set(EXPECTED)
    assert sum(each["verdict"] == "none" for each in EXPECTED.values()) >= 80
