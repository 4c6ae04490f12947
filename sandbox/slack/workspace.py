"""Who and what is in the test's Slack: people, channels, our app."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Mode = Literal["socket", "http"]

APP_ID = "A01APP"
BOT = "U0BOT"
TEAM = "T01TEST"
# Made anew each time: nothing here is worth keeping secret, and nothing can be mistaken for a real token.
SCOPES = (
    *("chat:write", "commands", "users:read", "users:read.email", "im:write", "im:history", "im:read"),
    *("channels:history", "channels:read", "groups:history", "groups:read"),
)


@dataclass(frozen=True)
class User:
    """Somebody in Slack. `flags` are fields of their user object, such as `{"deleted": True}`, from the start.

    https://docs.slack.dev/reference/objects/user-object
    """

    id: str
    name: str
    email: str = ""
    flags: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Channel:
    """A channel; without `BOT` among the members our app isn't in it."""

    id: str
    name: str
    members: Sequence[str] = (BOT,)
    private: bool = False


@dataclass(frozen=True)
class Workspace:
    """One workspace with one app, and the app's secrets."""

    users: Sequence[User]
    channels: Sequence[Channel]
    mode: Mode
    bot_token: str = field(default_factory=lambda: f"xoxb-test-{secrets.token_hex(8)}")
    app_token: str = field(default_factory=lambda: f"xapp-test-{secrets.token_hex(8)}")
    signing_secret: str = field(default_factory=lambda: secrets.token_hex(16))

    def settings(self, hook_url: str) -> Json:
        """The settings of local-slack; it knows none of a person's flags except `is_bot`, so those are the proxy's."""
        return {
            "workspace": {"name": "Test", "domain": "test", "teamId": TEAM},
            "apps": [
                {
                    **{"appId": APP_ID, "botUserId": BOT, "botName": "countersign"},
                    **{"botToken": self.bot_token, "appToken": self.app_token, "signingSecret": self.signing_secret},
                    **{"mode": "events" if self.mode == "http" else "socket", "requestUrl": hook_url},
                }
            ],
            "users": [
                {"id": user.id, "name": user.name, "real_name": user.name, "email": user.email}
                | {"is_bot": bool(user.flags.get("is_bot"))}
                for user in self.users
            ],
            "channels": [
                {"id": c.id, "name": c.name, "is_private": c.private, "members": list(c.members)} for c in self.channels
            ],
        }
