"""Where to write to somebody: from their mail address to their account in Slack and the conversation with them."""

import time
from functools import partial

from countersign.errors import Unreachable
from countersign.fields import folded_address
from notifiers.slack.client.accounts import Cache, Clock, address_of, why_not
from notifiers.slack.client.api import SlackApi

# An account hardly ever changes, Slack takes about 50 such look-ups a minute, and an answer is checked anew anyway.
KNOWN_SECONDS = 3600.0
# Short, so that somebody who was added to Slack, or corrected, is reached soon.
REFUSED_SECONDS = 60.0


class Recipients:
    """Finds the Slack users to write to."""

    def __init__(self, api: SlackApi, clock: Clock = time.monotonic) -> None:
        self._api = api
        self._users = Cache(KNOWN_SECONDS, REFUSED_SECONDS, Unreachable, clock)
        self._conversations = Cache(KNOWN_SECONDS, REFUSED_SECONDS, Unreachable, clock)

    async def user(self, address: str) -> str:
        """The Slack user with this mail address. Raises Unreachable, with the reason, and Unavailable."""
        return await self._users.get(address, partial(self._look_up, address))

    async def conversation(self, address: str) -> str:
        """The direct messages with the person at this address. Raises as `user` does."""
        return await self._conversations.get(address, partial(self._open, address))

    def forget(self, address: str) -> None:
        """Drop this person from the cache."""
        self._users.forget(address)
        self._conversations.forget(address)

    async def _look_up(self, address: str) -> str:
        if not address:
            raise Unreachable("the directory has no mail address to find this person in Slack by")
        account = (await self._api.call("users.lookupByEmail", address, email=address)).get("user")
        if not isinstance(account, dict) or not account.get("id"):
            raise Unreachable(f"nobody in this workspace has the address {address}")
        if reason := why_not(account, (await self._api.myself()).team_id):
            raise Unreachable(f"the Slack account of {address} {reason}; people are asked in Slack as its members only")
        if folded_address(address_of(account)) != folded_address(address):
            raise Unreachable(f"Slack finds an account for {address} that has another address")
        return str(account["id"])

    async def _open(self, address: str) -> str:
        user = await self.user(address)
        conversation = (await self._api.call("conversations.open", address, users=user)).get("channel")
        if not isinstance(conversation, dict) or not conversation.get("id"):
            raise Unreachable(f"Slack opens no conversation with {address}")
        return str(conversation["id"])
