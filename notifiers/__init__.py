"""The channels: each is a folder here, a line in `channels`, and its section of settings."""

from typing import TYPE_CHECKING

from notifiers.email.settings import EmailSettings
from notifiers.slack.settings import SlackSettings

if TYPE_CHECKING:
    from notifiers.base import Channel


class AllSettings(EmailSettings, SlackSettings):
    """The sections of all channels."""


def channels(settings: AllSettings) -> "list[Channel]":
    """All channels, as these settings configure them. Raises BadSetting, which names the setting that is wrong."""
    # Imported here, so that whoever needs only one module of a channel doesn't load them all.
    from notifiers.email.channel import channel as email
    from notifiers.slack.channel import channel as slack

    return [email(settings), slack(settings)]
