"""The text of a message, with the names of its buttons, for those who may see its request."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from countersign.models import Event
from countersign.notifications import RequestNotification
from notifiers.slack.config import SlackConfig
from notifiers.slack.outbound.blocks import OUTCOMES, live, short

# A link or a time, with what is shown of it: https://docs.slack.dev/messaging/formatting-message-text
WITH_TEXT = re.compile(r"<[^|<>]*\|([^<>]*)>")
KEPT_UP_TO_DATE = {Event.ASKED, Event.OPENED, Event.REMINDED, *OUTCOMES}


def preview(config: SlackConfig, notification: RequestNotification) -> str:
    """The text of the message; of an outcome, that of the live message which shows it."""
    content = (live if notification.event in KEPT_UP_TO_DATE else short)(notification, config)
    lines = [line for block in content.blocks for line in _lines(block)]
    return unescape(WITH_TEXT.sub(r"\1", "\n".join(lines)))


def _lines(block: dict[str, Any]) -> Iterator[str]:
    """The texts of one block, each a line; those of buttons in brackets."""
    if "text" in block:
        yield _text(block)
    yield from (str(one["text"]) for one in block.get("fields", ()))
    elements = block.get("elements", ())
    if block["type"] == "actions":
        yield " ".join(f"[{_text(one)}]" for one in elements)
    else:
        yield from (str(one["text"]) for one in elements if isinstance(one.get("text"), str))
    yield ""


def _text(of: dict[str, Any]) -> str:
    return str(of["text"]["text"])
