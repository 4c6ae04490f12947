"""The channel's configuration is checked at once, field by field, and its secrets stay out of sight."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from notifiers.email.config import LONGEST_REPLY_USER, SmtpConfig
from notifiers.email.token import in_address, make, reply_address

from .notifications import SECRET, config


async def access_token() -> str:
    return "ya29.secret"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instance_name", ""),
        ("instance_name", "Acme\r\nBcc: x@y.example"),
        ("instance_name", " Acme"),
        ("instance_name", "x" * 61),
        ("instance_name", "A\u202eB"),
        ("sender_address", "countersign"),
        ("sender_address", "Acme <countersign@acme.example>"),
        ("sender_address", "zugänge@acme.example"),
        ("reply_address", "a@b@c"),
        ("reply_address", "x" * (LONGEST_REPLY_USER + 1) + "@acme.example"),
        ("sender_address", "countersign@acme.example>"),
        ("sender_address", "countersign@-acme.example"),
        ("public_url", "javascript:alert(1)"),
        ("public_url", "acme.example"),
        ("public_url", 'https://acme.example/"onclick="x'),
        ("keys", []),
        ("surprise", 1),
    ],
)
def test_a_wrong_field_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        config(**{field: value})


@pytest.mark.parametrize(
    ("smtp", "message"),
    [
        ({"host": ""}, "host"),
        ({"port": 70000}, "port"),
        ({"security": "ssl"}, "security"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"connections": 0}, "connections"),
        ({"username": "u", "password": "p4ss", "access_token": access_token}, "either a password or an access token"),
        ({"password": "p4ss"}, "a login needs a username"),
        ({"access_token": access_token}, "a login needs a username"),
        ({"username": "u"}, "with it a password or an access token"),
        ({"username": "u", "password": "p4ss", "security": "none"}, "use tls or starttls"),
        ({"host": "127.0.0.1.evil.example", "username": "u", "password": "p4ss", "security": "none"}, "in clear"),
    ],
)
def test_a_wrong_mail_server_is_refused_without_showing_its_password(smtp: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as refused:
        SmtpConfig(**({"host": "smtp.acme.example"} | smtp))
    assert "p4ss" not in str(refused.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.3.2.1", "::1"])
def test_a_login_in_clear_stays_on_this_machine(host: str) -> None:
    assert SmtpConfig(host=host, security="none", username="u", password="p4ss").username == "u"


def test_printing_it_shows_no_secret() -> None:
    shown = config(SmtpConfig(host="h", username="u", password="p4ss-w0rd"))
    for said in (repr(shown), str(shown), f"{shown.model_dump()}", f"{shown.keys!r}"):
        assert "p4ss-w0rd" not in said
        assert SECRET.decode() not in said


def test_a_slash_too_many_does_no_harm() -> None:
    assert config(public_url="https://countersign.acme.example/").public_url == "https://countersign.acme.example"


def test_the_longest_reply_address_fits_what_mail_servers_take() -> None:
    said = config(reply_address="x" * LONGEST_REPLY_USER + "@acme.example")
    made = reply_address(said.reply_address, 10**9, 99, make(said.keys, 10**9, 99, "grace"))
    assert len(made.partition("@")[0]) <= 64
    assert in_address(made) is not None
