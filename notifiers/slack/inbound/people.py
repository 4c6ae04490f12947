"""Who clicked: an account of our own workspace, and the person in the directory with its confirmed address."""

import time
from collections.abc import Awaitable, Callable
from functools import partial

from countersign.errors import DISABLED, CountersignError, Unreachable
from countersign.notifications import Person
from notifiers.slack.client.accounts import Cache, Clock, address_of, why_not
from notifiers.slack.client.api import SlackApi
from notifiers.slack.inbound.payload_parts import Author, Sender

# How long an account's address is cached. A click may count this long after the address was changed in Slack. People
# deactivated there, or disabled in the directory, are refused at once, by Slack itself or by the engine.
KNOWN_SECONDS = 300.0
# Short, so that a correction by an administrator works soon; long enough that a series of clicks asks Slack once.
REFUSED_SECONDS = 30.0


class RejectedSender(CountersignError):
    """Whoever clicked or typed is not allowed to; the text is for them. `person` is who they are, if known."""

    def __init__(self, message: str, person: Person | None = None) -> None:
        super().__init__(message)
        self.person = person


class SlackPeople:
    """Finds the people behind clicks; `person_at` finds somebody of the directory by their mail address."""

    def __init__(
        self, api: SlackApi, person_at: Callable[[str], Awaitable[Person | None]], clock: Clock = time.monotonic
    ) -> None:
        self._api = api
        self._person_at = person_at
        self._addresses = Cache(KNOWN_SECONDS, REFUSED_SECONDS, RejectedSender, clock)

    async def identify(self, user: str) -> Person:
        """The person behind a Slack user.

        Raises RejectedSender, with the message for them, and Unavailable if Slack or the directory can't be asked.
        """
        address = await self._addresses.get(user, partial(self._address, user))
        person = await self._person_at(address)
        if person is None:
            message = f"Nobody in Countersign's directory has your address {address}; ask for it to be added."
            raise RejectedSender(message)
        if not person.enabled:
            raise RejectedSender(DISABLED, person)
        return person

    async def _address(self, user: str) -> str:
        ours = (await self._api.myself()).team_id
        try:
            account = (await self._api.call("users.info", user, user=user)).get("user")
        except Unreachable:
            raise RejectedSender(_refusal("is not known to it")) from None
        # Slack's answer must be for the id that was asked.
        if not isinstance(account, dict) or account.get("id") != user:
            raise RejectedSender(_refusal("is not known to it"))
        if reason := why_not(account, ours):
            raise RejectedSender(_refusal(reason))
        return address_of(account)


async def why_not_ours(api: SlackApi, sender: Sender, author: Author | None = None) -> str:
    """Why a payload is not for us, or ""; `author` wrote the message that was clicked.

    Raises Unavailable if Slack does not say who we are: then no payload is accepted.
    """
    app, ours = await api.app(), await api.myself()
    if sender.is_org_install or sender.app != app:
        return "This came from another app."
    if {sender.team, sender.user_team} != {ours.team_id} or sender.enterprise not in ("", ours.enterprise_id):
        return "Only members of our own workspace can do this, and this came from another one."
    if author and not (author.bot_id == ours.bot_id and author.app_id in ("", app)):
        return "This message is not ours."
    return ""


def _refusal(reason: str) -> str:
    return f"Nothing was changed: only members of the workspace may do this, and your Slack account {reason}."
