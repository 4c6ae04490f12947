"""Which app, bot and workspace we are: a payload that names others is not for us."""

import asyncio

from countersign.errors import Unavailable
from notifiers.slack.client.api import NOT_SAID, SlackApi
from notifiers.slack.inbound.payload_parts import Author, Sender


class Installation:
    """Asked of Slack once, when first needed; without its answer no payload is accepted."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._app = ""
        self._asking = asyncio.Lock()

    async def app(self) -> str:
        """The id of our app. Raises Unavailable."""
        async with self._asking:
            if not self._app:
                bot = (await self._api.myself()).bot_id
                known = (await self._api.call("bots.info", "the app", bot=bot)).get("bot")
                self._app = str(known.get("app_id") or "") if isinstance(known, dict) else ""
            if not self._app:
                raise Unavailable(NOT_SAID)
            return self._app

    async def why_not_ours(self, sender: Sender, author: Author | None = None) -> str:
        """Why a payload is not for us, or ""; `author` wrote the message that was clicked. Raises Unavailable."""
        app, ours = await self.app(), await self._api.myself()
        if sender.is_org_install or sender.app != app:
            return "This came from another app."
        if {sender.team, sender.user_team} != {ours.team_id} or sender.enterprise not in ("", ours.enterprise_id):
            return "Only members of our own workspace can do this, and this came from another one."
        if author and not (author.bot_id == ours.bot_id and author.app_id in ("", app)):
            return "This message is not ours."
        return ""
