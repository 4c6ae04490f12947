"""Which app, bot and workspace we are: a payload that names others is not for us."""

import asyncio

from countersign.errors import Unavailable
from countersign.models import Model
from notifiers.slack.client.api import SlackApi
from notifiers.slack.inbound.payload_parts import Author, Sender


class Ours(Model):
    """As Slack says it: https://docs.slack.dev/reference/methods/auth.test and bots.info."""

    team: str
    enterprise: str
    bot: str
    app: str


class Installation:
    """Asked of Slack once, when first needed; without its answer no payload is accepted."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._ours: Ours | None = None
        self._asking = asyncio.Lock()

    async def ours(self) -> Ours:
        """Who we are. Raises Unavailable."""
        async with self._asking:
            if self._ours is None:
                self._ours = await self._ask()
            return self._ours

    async def why_not_ours(self, sender: Sender, author: Author | None = None) -> str:
        """Why a payload is not for us, or ""; `author` wrote the message that was clicked. Raises Unavailable."""
        ours = await self.ours()
        if sender.is_org_install or sender.app != ours.app:
            return "This came from another app."
        if {sender.team, sender.user_team} != {ours.team} or sender.enterprise not in ("", ours.enterprise):
            return "Only members of our own workspace can do this, and this came from another one."
        if author and not (author.bot_id == ours.bot and author.app_id in ("", ours.app)):
            return "This message is not ours."
        return ""

    async def _ask(self) -> Ours:
        said = await self._api.call("auth.test", "the app")
        bot = str(said.get("bot_id") or "")
        known = (await self._api.call("bots.info", "the app", bot=bot)).get("bot") if bot else None
        app = str(known.get("app_id") or "") if isinstance(known, dict) else ""
        team = str(said.get("team_id") or "")
        if not (bot and app and team):
            raise Unavailable("Slack does not say who the app is: set a bot token, which begins with xoxb-")
        return Ours(team=team, enterprise=str(said.get("enterprise_id") or ""), bot=bot, app=app)
