"""The Slack channel made from its settings."""

from typing import Literal, Protocol

from pydantic import SecretStr, ValidationError

from countersign.errors import BadSetting
from countersign.remedies import said_of
from notifiers.slack.config import SlackConfig


class SlackSettings(Protocol):
    """The settings of this channel, as settings.py names them."""

    instance_name: str
    public_url: str
    slack_mode: Literal["off", "socket", "http"]
    slack_bot_token: SecretStr
    slack_app_token: SecretStr
    slack_signing_secret: SecretStr
    slack_api_url: str


def slack_config(settings: SlackSettings) -> SlackConfig | None:
    """How to reach Slack; None where it is off. Raises BadSetting naming the setting that is wrong."""
    if settings.slack_mode == "off":
        return None
    try:
        return SlackConfig(
            mode=settings.slack_mode,
            bot_token=settings.slack_bot_token,
            app_token=settings.slack_app_token,
            signing_secret=settings.slack_signing_secret,
            api_url=settings.slack_api_url,
            public_url=settings.public_url,
            instance_name=settings.instance_name,
        )
    except ValidationError as error:
        problems = "; ".join(said_of(one) for one in error.errors(include_input=False))
        raise BadSetting(f"The Slack settings (COUNTERSIGN_SLACK_...): {problems}.") from None
