"""All of Countersign with Slack: a real worker that posts, a real portal that listens, and people who answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from portal.__main__ import plan
from portal.app import create_app
from portal.server import Server
from sandbox.slack import people
from sandbox.slack.state import Delivery
from sandbox.slack.workspace import BOT, Channel, Json, Mode, User
from store.tables import repeats
from tests.databases import new_sqlite
from tests.local_slack.people import insisting, until_seen
from tests.local_slack.server import FaultySlack
from tests.workflows.deployment import Deployment, Request, new_namespace, until
from tests.workflows.people import PEOPLE, policy

# For tests of sending, which is the same however Slack reaches us. What Slack sends us is tested both ways.
MOSTLY_BY_SOCKET = pytest.mark.parametrize(
    "shared_context", ["socket", pytest.param("http", marks=pytest.mark.whole)], indirect=True, scope="session"
)
ROOM, ARCHIVED = "C01ROOM", "C02GONE"
SECONDS = 120


def user_id(person: str) -> str:
    """The Slack user of somebody in the directory."""
    return f"U{person.upper()}"


def slack_policy(**changed: Any) -> str:
    """The plain policy, under which answers by mail and by Slack count."""
    return policy(**{"channels": {"email": "decide", "slack": "decide"}} | changed)


@dataclass
class Context:
    """The engine, its Slack, and what people see and do there."""

    deployment: Deployment
    slack: FaultySlack

    async def until_connected(self) -> None:
        """Wait until Slack can reach the app; in Socket Mode, until there is exactly one socket."""
        if self.slack.state.workspace.mode == "socket":
            await until(lambda: self.slack.sockets == 1, "the one socket to Slack")

    def count_anew(self) -> None:
        """Forget how often things were refused, as after an hour, so that the next refusal gets a row of its own."""
        with self.deployment.store.database.transaction() as connection:
            connection.execute(delete(repeats))

    async def messages(self, person: str, number: int) -> list[Json]:
        """The messages of our app to somebody about a request, oldest first, without replies below them."""
        return [one for one in await self.all_messages(person, number) if not _is_reply(one)]

    async def replies(self, person: str, number: int) -> list[Json]:
        """The replies below those messages."""
        return [one for one in await self.all_messages(person, number) if _is_reply(one)]

    async def all_messages(self, person: str, number: int) -> list[Json]:
        """The messages to somebody about a request, and the replies below them."""
        return await self.in_channel(await people.dm_of(self.slack, user_id(person)), number)

    async def in_channel(self, channel: str, number: int) -> list[Json]:
        """The messages in a channel about a request."""
        return [one for one in await people.messages(self.slack, channel) if f"#{number}" in words_of(one)]

    async def message(self, person: str, number: int, *words: str, without: str = "") -> Json:
        """The one message to somebody about a request, once it has these `words` and is `without` the others."""

        async def look() -> list[Json]:
            found = await self.messages(person, number)
            return [one for one in found if _says(one, words, without)]

        return await self.one_of(look, f"{person} #{number} {words}")

    async def in_room(self, number: int, *words: str, room: str = ROOM, without: str = "") -> Json:
        """The same for a room."""

        async def look() -> list[Json]:
            return [one for one in await self.in_channel(room, number) if _says(one, words, without)]

        return await self.one_of(look, f"{room} #{number} {words}")

    async def one_of(self, look: Callable[[], Awaitable[list[Json]]], what: str) -> Json:
        """Wait until `look` finds a message, which has to be the only one."""
        deadline = time.monotonic() + SECONDS
        while not (found := await look()):
            assert time.monotonic() < deadline, f"there is no message: {what}"
            await asyncio.sleep(0.1)
        [message] = found
        return message

    async def click(self, message: Json, action: str, person: str) -> Delivery:
        """Somebody presses a button."""
        return await insisting(lambda: people.click(self.slack, message, action, user_id(person)))

    async def ephemerals(self, person: str, words: str) -> str:
        """The last ephemeral message to somebody with these words, once there is one."""

        async def look() -> str:
            seen = [str(one["text"]) for one in await people.ephemerals(self.slack, user_id(person))]
            return next((text for text in reversed(seen) if words in text), "")

        return await until_seen(look, SECONDS)

    async def settled(self, request: Request, words: str, *who: str) -> None:
        """Wait for each person's message with these words; its only button is a requester's, to give the grant back."""
        for person in who:
            message = await self.message(person, request.id, words)
            holds = words == "Approved" and person == request.question.requester
            assert actions_of(message) == (["give_back"] if holds else []), (person, words_of(message))

    def posted(self, number: int) -> list[Json]:
        """The messages that were posted about a request, replies included."""
        return [args for args in self.slack.calls_of("chat.postMessage") if f"#{number}" in str(args)]


def words_of(message: Json) -> str:
    """All that a message says."""
    return str(message.get("text")) + str(message.get("blocks"))


def actions_of(message: Json) -> list[str]:
    """The actions of a message's buttons; links don't count."""
    elements = [one for block in message.get("blocks") or [] for one in block.get("elements") or []]
    return [one["action_id"] for one in elements if one.get("type") == "button" and "url" not in one]


def still_asks(message: Json) -> bool:
    """Whether a message about a settled request still has a button other than the one to give its grant back."""
    return bool(set(actions_of(message)) - {"give_back"})


def _is_reply(message: Json) -> bool:
    return bool(message.get("thread_ts", message["ts"]) != message["ts"])


def _says(message: Json, words: tuple[str, ...], without: str) -> bool:
    said = words_of(message)
    return all(one in said for one in words) and (not without or without not in said)


@asynccontextmanager
async def slack_deployment(temporal: str, folder: Path, mode: Mode, awake: bool = True) -> AsyncIterator[Context]:
    """Countersign as a whole, with everybody in the directory in Slack but `judy`."""
    async with AsyncExitStack() as stack:
        users = [User(user_id(one), one, f"{one}@example.test") for one in PEOPLE if one != "judy"]
        stranger = User("USTRANGER", "stranger", "stranger@example.test")
        everybody = [BOT, stranger.id, *(one.id for one in users)]
        rooms = [Channel(ROOM, "approvals", everybody), Channel(ARCHIVED, "old", everybody)]
        slack = await stack.enter_async_context(FaultySlack([*users, stranger], rooms, mode))
        settings = {
            "slack_mode": mode,
            "slack_bot_token": slack.bot_token,
            "slack_app_token": slack.app_token,
            "slack_signing_secret": slack.signing_secret,
            "slack_api_url": slack.api_url,
        }
        url = new_sqlite(folder / "countersign.db")
        made = Deployment(temporal, await new_namespace(temporal), url, awake, **settings)
        deployment = await stack.enter_async_context(made)
        deployment.apply(slack_policy())
        server = Server(create_app(plan(deployment.settings)), "127.0.0.1", 0)
        serving = asyncio.create_task(server.serve())

        async def end() -> None:
            server.should_exit = True
            await serving

        stack.push_async_callback(end)
        await until(lambda: server.started, "the portal")
        slack.request_url = f"{server.url}/slack/events"
        context = Context(deployment, slack)
        await context.until_connected()
        yield context
