"""The Slack channel, made from the settings."""

from functools import partial

from notifiers.base import Channel
from notifiers.settings import wrong_ones_named
from notifiers.slack.config import SlackConfig
from notifiers.slack.doctor import slack_checks
from notifiers.slack.inbound.app import SlackListener
from notifiers.slack.outbound.preview import preview
from notifiers.slack.outbound.send import SlackSender
from notifiers.slack.settings import SlackSettings


def channel(settings: SlackSettings) -> Channel:
    """The channel; only its checks if Slack is off. Raises BadSetting naming the setting that is wrong."""
    config = slack_config(settings)
    if config is None:
        return Channel(name="slack", checks=slack_checks(None))
    return Channel(
        name="slack",
        checks=slack_checks(config),
        live=partial(SlackSender, config),
        listener=partial(SlackListener, config),
        preview=partial(preview, config),
    )


def slack_config(settings: SlackSettings) -> SlackConfig | None:
    """How to reach Slack; None if it is off. Raises BadSetting naming the setting that is wrong."""
    if settings.slack_mode == "off":
        return None
    with wrong_ones_named("The Slack settings (COUNTERSIGN_SLACK_...)"):
        return SlackConfig(
            mode=settings.slack_mode,
            bot_token=settings.slack_bot_token,
            app_token=settings.slack_app_token,
            signing_secret=settings.slack_signing_secret,
            api_url=settings.slack_api_url,
            public_url=settings.public_url,
            instance_name=settings.instance_name,
        )
