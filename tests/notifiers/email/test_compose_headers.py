"""Headers of one line each, ASCII only."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from notifiers.email.compose_headers import POLICY, UTF8_POLICY


@pytest.mark.parametrize("value", ["a\r\nBcc: x@y.example", "a\nb", "a\x00b", "a\u2028b", "a\u202eb", "ä"])
def test_what_could_not_be_one_plain_line_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="Subject may hold printable ASCII only"):
        EmailMessage(POLICY)["Subject"] = value


def test_with_smtputf8_a_header_may_hold_more_but_still_no_line_break() -> None:
    mail = EmailMessage(UTF8_POLICY)
    mail["To"] = "gräce@acme.example"
    assert mail.as_bytes().startswith("To: gräce@acme.example\r\n".encode())
    with pytest.raises(ValueError):
        mail["Cc"] = "a\nb"


def test_a_header_that_may_stand_once_stands_once() -> None:
    mail = EmailMessage(POLICY)
    mail["Subject"] = "one"
    with pytest.raises(ValueError):
        mail["Subject"] = "two"
