"""The app's Home page: https://docs.slack.dev/surfaces/app-home."""

import asyncio
import logging
from typing import Any
from weakref import WeakValueDictionary

from countersign.errors import Unavailable, Unreachable
from countersign.notifications import Person
from notifiers.engine import Engine
from notifiers.slack.client.api import SlackApi
from notifiers.slack.outbound.views import MOST_LISTED, home_view, message_modal

log = logging.getLogger(__name__)


class Home:
    """Shows each person their page as things stand; a page that can't be shown is logged, and shown another time."""

    def __init__(self, api: SlackApi, engine: Engine, public_url: str) -> None:
        self._api = api
        self._engine = engine
        self._public_url = public_url
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def show(self, user: str, person: Person) -> None:
        """Show what waits for them, what they asked for, and what they may use now."""
        # One after another for each person, so that an older page never overwrites a newer one.
        async with self._turns.setdefault(user, asyncio.Lock()):
            mine = await self._engine.mine(person.id, MOST_LISTED)
            who = await self._engine.principal(person.id)
            await self._publish(user, home_view(mine, who, self._public_url))

    async def say(self, user: str, message: str) -> None:
        """Show why there is nothing to show."""
        await self._publish(user, {"type": "home", "blocks": message_modal(message)["blocks"]})

    async def _publish(self, user: str, view: dict[str, Any]) -> None:
        try:
            await self._api.call("views.publish", user, user_id=user, view=view)
        except (Unavailable, Unreachable) as error:
            log.warning("the Home page of %s is not up to date: %s", user, error)
