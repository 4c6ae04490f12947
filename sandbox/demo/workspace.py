"""Slack at the start of the story: who is there, and in which room."""

from collections.abc import Sequence

from sandbox.mail_server import DOMAIN
from sandbox.slack.server import SlackServer
from sandbox.slack.workspace import BOT, Channel, User
from sandbox.temporal_tool import Say

ROOM = "C01WEB"
ROOM_NAME = "#web"
PEOPLE = ("ada", "alice", "bob", "carol", "dave", "grace", "heidi", "ivan", "mallory")
# Somebody in the workspace who is in no directory.
STRANGER = "sam"


def user_id(person: str) -> str:
    """The Slack user of somebody of the story."""
    return f"U{person.upper()}"


def new_slack(say: Say) -> SlackServer:
    """A Slack, not started yet, with everybody in it, and the stranger."""
    users = [User(user_id(one), one, f"{one}@{DOMAIN}") for one in (*PEOPLE, STRANGER)]
    return SlackServer(users, [Channel(ROOM, ROOM_NAME.strip("#"), _everybody(users))], "socket", say=say)


def _everybody(users: Sequence[User]) -> list[str]:
    return [BOT, *(user.id for user in users)]


def slack_settings(slack: SlackServer) -> dict[str, str]:
    """The environment that points our programs at this Slack."""
    return {
        "COUNTERSIGN_SLACK_MODE": "socket",
        "COUNTERSIGN_SLACK_BOT_TOKEN": slack.bot_token,
        "COUNTERSIGN_SLACK_APP_TOKEN": slack.app_token,
        "COUNTERSIGN_SLACK_API_URL": slack.api_url,
    }
