"""The settings of Slack; documented in docs/settings.md."""

from typing import Literal

from pydantic import SecretStr

from notifiers.settings import ChannelSettings


class SlackSettings(ChannelSettings):
    """Slack's section of the settings."""

    slack_mode: Literal["off", "socket", "http"] = "off"
    slack_bot_token: SecretStr = SecretStr("")
    slack_app_token: SecretStr = SecretStr("")
    slack_signing_secret: SecretStr = SecretStr("")
    slack_api_url: str = "https://slack.com/api/"
