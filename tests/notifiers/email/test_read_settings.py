"""A wrong mail setting ends the start with an error that has its name and the remedy, but never its value."""

from __future__ import annotations

from typing import Any

import pytest

from countersign.errors import BadSetting
from notifiers.email.read_settings import email_channel
from notifiers.email.settings import EmailSettings

KEYS = {"mail_keys": "a1:" + 32 * "k"}
SECRET = "s3cret-of-mail"
TOKENS = {"oauth_client_id": "countersign", "oauth_client_secret": SECRET}

WRONG = {
    "a token server in clear": ({"oauth_token_url": "http://login.example.com", **TOKENS}, "_OAUTH_.*https://"),
    "no address": ({"oauth_token_url": "https://login.example.com:x", **TOKENS}, "_OAUTH_.*Invalid port"),
    "a mailbox with a long name": ({"imap_host": "imap.example.com", "imap_username": 300 * "x"}, "_IMAP_.*characters"),
    "a login in clear": (
        {"smtp_host": "mx.example.com", "smtp_security": "none", "smtp_username": "x", "smtp_password": SECRET},
        "_SMTP_.*use tls or starttls",
    ),
    "a blank name of the server": (
        {"mail_rule": "authentication_results", "mail_authserv_id": "  "},
        "COUNTERSIGN_MAIL_AUTHSERV_ID is missing",
    ),
}


@pytest.mark.parametrize(("wrong", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_named_with_its_remedy(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(BadSetting, match=message) as refused:
        email_channel(EmailSettings(**(KEYS | wrong)))
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(("security", "port"), [("tls", 465), ("starttls", 587), ("none", 25)])
def test_the_usual_port_of_the_mail_server_goes_without_saying(security: Any, port: int) -> None:
    given: dict[str, Any] = {
        "smtp_host": "smtp.example.com",
        "smtp_security": security,
        "mail_sender": "c@example.com",
        **KEYS,
    }
    for named, used in ((0, port), (2525, 2525)):
        config = email_channel(EmailSettings(**given, smtp_port=named)).config
        assert config
        assert config.smtp.port == used
