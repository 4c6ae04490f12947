"""The configuration of the Slack channel, checked once at the start."""

import re
from typing import Literal

from pydantic import ConfigDict, SecretStr, field_validator, model_validator

from countersign.models import Model
from notifiers.settings import InstanceName, WebAddress

# The name of this channel, as policies and the record have it.
CHANNEL = "slack"
SLACK = "https://slack.com/api/"
# How each secret begins, and where the app's pages at api.slack.com/apps show it. The signing secret has no prefix.
SECRETS = {
    "bot_token": ("xoxb-", "the Bot User OAuth Token from OAuth & Permissions"),
    "app_token": ("xapp-", "an App-Level Token with connections:write from Basic Information"),
    "signing_secret": ("", "the Signing Secret from Basic Information"),
}
NEEDED = {"off": (), "socket": ("bot_token", "app_token"), "http": ("bot_token", "signing_secret")}


class SlackConfig(Model):
    """How to reach Slack, with which secrets, and our name in messages. Printing it shows no secret."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    mode: Literal["off", "socket", "http"] = "off"
    bot_token: SecretStr = SecretStr("")
    app_token: SecretStr = SecretStr("")
    signing_secret: SecretStr = SecretStr("")
    api_url: str = SLACK
    public_url: WebAddress = ""
    instance_name: InstanceName = "Countersign"

    @model_validator(mode="after")
    def _all_that_the_mode_needs(self) -> "SlackConfig":
        for name in NEEDED[self.mode]:
            begins, what = SECRETS[name]
            secret: str = getattr(self, name).get_secret_value()
            if not secret:
                raise ValueError(f"{name} is missing: mode {self.mode} needs {what}")
            # One line of printable ASCII: all else would break the header that carries it.
            if not re.fullmatch(r"[!-~]+", secret) or not secret.startswith(begins):
                looks = f"one that begins with {begins}" if begins else "one word without spaces"
                raise ValueError(f"{name} doesn't look right: give {what}, {looks}")
        return self

    @field_validator("api_url")
    @classmethod
    def _an_api(cls, value: str) -> str:
        if not re.fullmatch(
            r"https://[^\s<>\"'\\@]+|http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:\d+)?(/\S*)?", value
        ):
            raise ValueError(f"use an https address like {SLACK}, or plain http on this machine only")
        return value.rstrip("/") + "/"
