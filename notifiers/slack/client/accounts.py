"""Slack's accounts: which are members of our workspace, and how long that is cached."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from countersign.errors import CountersignError, Unavailable

# Flags of https://docs.slack.dev/reference/objects/user-object, and what each says of the account.
FLAGS = (
    ("deleted", "is deactivated"),
    ("is_bot", "is a bot's"),
    ("is_workflow_bot", "is a bot's"),
    ("is_connector_bot", "is a bot's"),
    ("is_restricted", "is a guest's"),
    ("is_ultra_restricted", "is a guest's"),
    ("is_stranger", "belongs to another workspace"),
    ("is_invited_user", "was invited and never joined"),
)
SLACKBOT = "USLACKBOT"  # a bot that Slack does not flag as one
# With more entries than this, expired ones are dropped.
MOST_KEPT = 5000

Clock = Callable[[], float]


def why_not(user: Mapping[str, Any], team: str) -> str:
    """Why an account is not a member of our workspace with a confirmed address, as a phrase after its name.

    "" if it is.
    """
    if user.get("id") == SLACKBOT:
        return "is a bot's"
    flagged = next((why for flag, why in FLAGS if user.get(flag)), "")
    if flagged:
        return flagged
    if user.get("team_id") != team:
        return "belongs to another workspace"
    if user.get("is_email_confirmed", True) is not True:
        return "has no confirmed mail address"
    return ""


def address_of(user: Mapping[str, Any]) -> str:
    """The account's mail address. Raises Unavailable if Slack's answer lacks it, as everybody has one."""
    profile = user.get("profile")
    address = profile.get("email") if isinstance(profile, Mapping) else None
    if not isinstance(address, str) or not address:
        raise Unavailable(
            "Slack does not tell mail addresses: the app lacks the scope users:read.email: "
            "install it again from the manifest"
        )
    return address


class Found(NamedTuple):
    """A cached result, and until when it is used."""

    what: str | CountersignError
    until: float


class Cache:
    """Caches Slack's answers for `seconds`, errors of the class `refusal` for `refused_seconds`, no other errors."""

    def __init__(
        self, seconds: float, refused_seconds: float, refusal: type[CountersignError], clock: Clock = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._refused_seconds = refused_seconds
        self._refusal = refusal
        self._clock = clock
        self._kept: dict[str, Found] = {}

    async def get(self, key: str, ask: Callable[[], Awaitable[str]]) -> str:
        """The cached result, or that of `ask`; raises what it raises."""
        kept = self._kept.get(key)
        if kept is None or kept.until <= self._clock():
            kept = await self._find_out(key, ask)
        if isinstance(kept.what, CountersignError):
            raise self._refusal(str(kept.what))
        return kept.what

    def forget(self, key: str) -> None:
        """Drop it, so that the next call asks again."""
        self._kept.pop(key, None)

    async def _find_out(self, key: str, ask: Callable[[], Awaitable[str]]) -> Found:
        try:
            found = Found(await ask(), self._clock() + self._seconds)
        except self._refusal as error:
            found = Found(error, self._clock() + self._refused_seconds)
        if len(self._kept) >= MOST_KEPT:
            self._kept = {key: one for key, one in self._kept.items() if one.until > self._clock()}
        self._kept[key] = found
        return found
