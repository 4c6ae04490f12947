"""For the tests of Slack messages: a notification about no request, a configuration, and what people read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from countersign.notifications import Notification
from notifiers.slack.config import SlackConfig
from tests.samples import GRACE, NOON


def general(mailbox: str = "INBOX@imap.acme.example", **changes: Any) -> Notification:
    """A notification about no request."""
    usual = {"id": "general.1.mailbox_unread.grace.slack", "event": "mailbox_unread", "to": GRACE, "written_at": NOON}
    return Notification(**(usual | {"fields": {"mailbox": mailbox, "since": "noon"}} | changes))


def config(**changes: Any) -> SlackConfig:
    usual: dict[str, Any] = {
        "mode": "socket",
        "bot_token": "xoxb-test-token",
        "app_token": "xapp-test-token",
        "instance_name": "Acme Gateways",
        "public_url": "https://countersign.acme.example",
    }
    return SlackConfig(**(usual | changes))


def texts(blocks: object) -> Iterator[str]:
    """All that people read in blocks, with the labels and confirmations of buttons."""
    if isinstance(blocks, dict):
        for key, value in blocks.items():
            if key == "text" and isinstance(value, str):
                yield value
            elif key != "type":
                yield from texts(value)
    elif isinstance(blocks, list):
        for one in blocks:
            yield from texts(one)


def actions(blocks: list[dict[str, Any]]) -> list[str]:
    """The buttons, in order."""
    return [element["action_id"] for block in blocks if block["type"] == "actions" for element in block["elements"]]


def whole(blocks: object) -> str:
    return json.dumps(blocks, ensure_ascii=False)
