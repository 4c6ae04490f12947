"""A Slack workspace for the tests of sending, with some people who can't be written to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from notifiers.slack.config import SlackConfig
from sandbox.slack.tool import NoSlack
from sandbox.slack.workspace import BOT, Channel, User
from tests.local_slack.server import FaultySlack

from .notifications import config

ROOM, CLOSED, PRIVATE = "C01ROOM", "C02CLOSED", "C03PRIVATE"
# Users who never count as members of our workspace, and why.
NOT_MEMBERS: dict[str, tuple[dict[str, Any], str]] = {
    "UBOT": ({"is_bot": True}, "is a bot's"),
    "UFLOW": ({"is_workflow_bot": True}, "is a bot's"),
    "UGUEST": ({"is_restricted": True}, "is a guest's"),
    "USINGLE": ({"is_ultra_restricted": True}, "is a guest's"),
    "USTRANGE": ({"is_stranger": True}, "belongs to another workspace"),
    "UFOREIGN": ({"team_id": "T0OTHER"}, "belongs to another workspace"),
    "UNEVER": ({"is_invited_user": True}, "was invited and never joined"),
    "UUNSURE": ({"is_email_confirmed": False}, "has no confirmed mail address"),
}
MEMBERS = ("alice", "grace", "heidi", "ivan")


def user_id(person: str) -> str:
    return f"U{person.upper()}"


def address(user: str) -> str:
    return f"{user.removeprefix('U').lower()}@acme.example"


@asynccontextmanager
async def workspace() -> AsyncIterator[FaultySlack]:
    """The workspace; if it can't be had, the tests that need it are skipped with the reason."""
    users = [User(user_id(one), one, address(one)) for one in MEMBERS]
    users += [User(one, one.lower(), address(one), flags) for one, (flags, _) in NOT_MEMBERS.items()]
    users += [User("ULEFT", "left", address("ULEFT"), {"deleted": True})]
    rooms = [Channel(ROOM, "room", (BOT, user_id("grace"))), Channel(CLOSED, "closed", ())]
    try:
        async with FaultySlack(users, [*rooms, Channel(PRIVATE, "private", (), private=True)]) as slack:
            yield slack
    except NoSlack as error:
        pytest.skip(str(error))


async def fresh(slack: FaultySlack) -> FaultySlack:
    """The same workspace, reset to how it started."""
    await slack.inside.post("/_control/reset", {})
    state = slack.state
    slack.faults.clear()
    slack.calls.clear()
    state.archived.clear()
    state.metadata.clear()
    state.scopes = set(type(state)(state.workspace).scopes)
    state.people = type(state)(state.workspace).people
    return slack


def config_for(slack: FaultySlack, **changes: Any) -> SlackConfig:
    return config(**({"bot_token": slack.bot_token, "api_url": slack.api_url} | changes))
