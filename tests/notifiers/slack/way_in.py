"""The way in as a whole: a real Slack to click in, a real engine behind it, and both ways for Slack to reach us."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from pydantic import SecretStr
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.routing import Route

from countersign.models import Verdict
from countersign.views import AuditEventView
from notifiers.engine import Engine as Protocol
from notifiers.slack.config import SlackConfig
from notifiers.slack.inbound.app import SlackListener
from notifiers.slack.outbound import parts
from sandbox.slack import people
from sandbox.slack.state import Delivery
from sandbox.slack.workspace import BOT, Channel, Json, Mode, User
from tests.local_slack.people import insisting, until_seen
from tests.local_slack.server import FaultySlack
from tests.workflows.deployment import Deployment, Request, until
from tests.workflows.people import PEOPLE, policy

ROOM = "C01ROOM"
# Slack users who never count as people of the directory, though they have the address of one.
STRANGERS: dict[str, dict[str, Any]] = {
    "UGUEST": {"is_restricted": True},
    "USINGLE": {"is_ultra_restricted": True},
    "UBOT": {"is_bot": True},
    "ULEFT": {"deleted": True},
    "USTRANGE": {"is_stranger": True},
    "UFOREIGN": {"team_id": "T0OTHER"},
    "UUNSURE": {"is_email_confirmed": False},
}


def user_id(person: str) -> str:
    """The Slack user of somebody in the directory."""
    return f"U{person.upper()}"


def users() -> list[User]:
    """Everybody in the directory; strangers with the address of grace, a manager; and somebody the directory lacks."""
    known = [User(user_id(one), one, f"{one}@example.test") for one in PEOPLE]
    strange = [User(each, each.lower(), "grace@example.test", flags) for each, flags in STRANGERS.items()]
    return [*strange, *known, User("UNOBODY", "nobody", "nobody@example.test")]


def value_of(request: Request, level: int = 1) -> str:
    """The value of a button about a request."""
    return parts.value(request.id, level, request.deployment.store.reading.request(request.id).token_run)


def slack_policy(**changed: Any) -> str:
    """The plain policy, under which answers by Slack count, too."""
    return policy(channels={"email": "decide", "slack": "decide"}, **changed)


@dataclass
class Recorded:
    """Passes calls on to the real engine, and records, delays or fails them as a test says."""

    listener: Any
    failing: dict[str, Exception] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.listener, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            await asyncio.sleep(self.slow.get(name, 0))
            if error := self.failing.get(name):
                raise error
            return await method(*args, **kwargs)

        return call


@dataclass
class WayIn:
    """Slack, our app in it, and the engine behind it."""

    slack: FaultySlack
    deployment: Deployment
    seam: Recorded
    config: SlackConfig
    listener: SlackListener | None = None

    async def prompt(self, request: Request, level: int = 1, channel: str = ROOM) -> Json:
        """A message with all our buttons, as the notifier posts them."""
        return await self.buttons(value_of(request, level), channel)

    async def buttons(self, value: str, channel: str = ROOM) -> Json:
        """A message whose buttons have this value."""
        names = ("approve", "approve_with_comment", "reject", "cancel", "revoke", "give_back", "unheard_of")
        elements = [
            {"type": "button", "action_id": name, "value": value, "text": {"type": "plain_text", "text": name}}
            for name in names
        ]
        client = AsyncWebClient(self.slack.bot_token, self.slack.api_url)
        blocks = [{"type": "actions", "elements": elements}]
        posted = await client.chat_postMessage(channel=channel, text="A request", blocks=blocks)
        return {**posted["message"], "channel": posted["channel"]}

    async def click(self, message: Json, action: str, person: str) -> Delivery:
        """Somebody of the directory presses a button."""
        return await insisting(lambda: people.click(self.slack, message, action, user_id(person)))

    async def ephemerals(self, user: str, count: int = 1, channel: str = "") -> list[str]:
        """The ephemeral messages to a Slack user, once there are at least `count`."""

        async def look() -> list[str]:
            seen = await people.ephemerals(self.slack, user, channel)
            return [str(one["text"]) for one in seen] if len(seen) >= count else []

        return await until_seen(look)

    async def modal(self, person: str, callback: str) -> Json:
        """The form that is open for somebody, once it is this one and filled."""

        async def look() -> Json:
            view = people.open_modal_of(self.slack, user_id(person)) or {}
            filled = view.get("callback_id") == callback and (view.get("submit") or callback == "told")
            return view if filled else {}

        return await until_seen(look)

    async def said_in_modal(self, person: str) -> str:
        """What somebody is shown in place of a form."""
        view = await self.modal(person, "told")
        return str(view["blocks"][0]["text"]["text"])

    async def forget(self) -> None:
        """Start afresh: nobody has a form open, nothing fails."""
        self.slack.state.modals.clear()
        self.slack.faults.clear()
        self.seam.failing.clear()
        self.seam.slow.clear()
        self.seam.calls.clear()

    def refusals(self, request: Request) -> list[AuditEventView]:
        """The rows of the record about a request's answers that didn't count."""
        return [line for line in self.deployment.store.events.of(request.id) if line.kind == "answer_refused"]


def answers(deployment: Deployment, number: int) -> list[tuple[str, Verdict]]:
    """The decisions of a request."""
    return [(one.person, one.verdict) for one in deployment.store.reading.request(number).decisions]


def config_of(slack: FaultySlack) -> SlackConfig:
    """The channel's settings for this Slack."""
    return SlackConfig(
        mode=slack.workspace.mode,
        bot_token=SecretStr(slack.bot_token),
        app_token=SecretStr(slack.app_token),
        signing_secret=SecretStr(slack.signing_secret),
        api_url=slack.api_url,
    )


@asynccontextmanager
async def way_in(deployment: Deployment, mode: Mode) -> AsyncIterator[WayIn]:
    """Slack with the people of the directory, and our app listening to it."""
    async with AsyncExitStack() as stack:
        room = Channel(ROOM, "approvals", [BOT, *(user.id for user in users())])
        slack = await stack.enter_async_context(FaultySlack(users(), [room], mode))
        deployment.apply(slack_policy())
        seam = Recorded(deployment.engine)
        made = WayIn(slack, deployment, seam, config_of(slack))
        listener = await stack.enter_async_context(listening(made.config, seam, slack))
        made.listener = listener
        yield made


@asynccontextmanager
async def listening(config: SlackConfig, deployment: Protocol, slack: FaultySlack) -> AsyncIterator[SlackListener]:
    """Our app, in the mode of its configuration."""
    listener = SlackListener(config, deployment)
    await listener.start()
    try:
        if config.mode == "socket":
            await until(lambda: listener.findings()[0].state != "problem", "the socket is open")
            yield listener
            return
        async with serving(listener) as url:
            slack.request_url = url
            yield listener
    finally:
        await listener.close()


@asynccontextmanager
async def serving(listener: SlackListener) -> AsyncIterator[str]:
    """The app behind a real web server; yields its address."""
    app = Starlette(routes=[Route("/slack/events", listener.handle, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started, "the web server")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/slack/events"
    finally:
        server.should_exit = True
        await task


def fresh() -> str:
    """A word that occurs nowhere else."""
    return uuid.uuid4().hex[:12]
