"""The Slack channel's configuration is checked at once, and its secrets stay out of sight."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from notifiers.slack.config import SlackConfig

from .notifications import config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "rtm"}, "mode"),
        ({"bot_token": ""}, "bot_token is missing: mode socket needs the Bot User OAuth Token"),
        ({"bot_token": "xoxp-1"}, "one that begins with xoxb-"),
        ({"bot_token": "xoxb-1\nHost: evil.example"}, "bot_token doesn't look right"),
        ({"app_token": ""}, "app_token is missing: mode socket needs an App-Level Token"),
        ({"app_token": "xoxb-1"}, "one that begins with xapp-"),
        ({"mode": "http"}, "signing_secret is missing: mode http needs the Signing Secret"),
        ({"mode": "http", "signing_secret": "two words"}, "one word without spaces"),
        ({"api_url": "http://slack.example/api/"}, "plain http on this machine only"),
        ({"api_url": "https://slack.com@evil.example/"}, "use an https address"),
        ({"public_url": "javascript:alert(1)"}, "public_url"),
        ({"public_url": "https://x.example/a|b"}, "public_url"),
        ({"public_url": "https://x.example/><!channel>"}, "public_url"),
        ({"instance_name": ""}, "instance_name"),
        ({"instance_name": "A\nB"}, "one line of printable characters"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_field_is_named_and_no_secret_shown(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as raised:
        config(**changes)
    assert "evil" not in str(raised.value)
    assert "xoxp-1" not in str(raised.value)


def test_off_needs_nothing_and_secrets_do_not_print() -> None:
    assert SlackConfig().mode == "off"
    assert "xoxb" not in repr(config()) + str(config().model_dump())
    assert config(api_url="https://slack.example/api", public_url="https://a.example/").api_url.endswith("/api/")
    assert config(mode="http", signing_secret="0f1e", app_token="").mode == "http"
