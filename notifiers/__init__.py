"""The channels: each is a folder here, a line in `channels`, and its section of settings."""

from typing import TYPE_CHECKING

from notifiers.email.settings import EmailSettings
from notifiers.slack.settings import SlackSettings

if TYPE_CHECKING:
    from notifiers.base import Channel


class AllSettings(EmailSettings, SlackSettings):
    """The sections of all channels."""


def channels(settings: AllSettings) -> "list[Channel]":
    """Every channel there is, as these settings have it. Raises BadSetting naming the setting that is wrong."""
    # Imported here: who only wants one module of a channel need not load them all.
    from notifiers.email.channel import channel as email
    from notifiers.slack.channel import channel as slack

    return [email(settings), slack(settings)]
