"""Finds what was posted before: Slack has no key that prevents posting twice, so an unsure sender looks first."""

from datetime import timedelta
from typing import Any

from countersign.errors import Unavailable
from countersign.notifications import Notification
from notifiers.slack.client.api import SlackApi
from notifiers.slack.inbound.payload_parts import short_run

# https://docs.slack.dev/messaging/message-metadata
EVENT_TYPE = "countersign_notice"
# How far our clocks and Slack's may differ.
CLOCKS_APART = timedelta(minutes=5)
PAGE = 200
MOST_PAGES = 25


def mark(notification: Notification) -> dict[str, Any]:
    """The metadata of a notification's message, which only apps see: its id and its run, as a number may recur."""
    return {
        "event_type": EVENT_TYPE,
        "event_payload": {"id": notification.id, "run": short_run(notification.token_run)},
    }


async def find(api: SlackApi, notification: Notification, channel: str, thread: str = "") -> str:
    """The `ts` of the notification's message in this conversation, posted since it was written; "" if there is none.

    Raises Unavailable if Slack can't be asked, or there is too much to look through: better late than twice.
    """
    ours = (await api.myself()).bot_id
    oldest = f"{(notification.written_at - CLOCKS_APART).timestamp():.6f}"
    where = {"channel": channel, "oldest": oldest, "limit": PAGE, "include_all_metadata": True}
    method = "conversations.replies" if thread else "conversations.history"
    if thread:
        where["ts"] = thread
    cursor = None
    for _ in range(MOST_PAGES):
        answer = await api.call(method, f"the conversation {channel}", cursor=cursor, **where)
        for message in answer.get("messages") or []:
            if message.get("bot_id") == ours and _is_of(notification, message.get("metadata")):
                return str(message["ts"])
        cursor = (answer.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return ""
    raise Unavailable(f"there are too many messages in {channel} to see whether {_called(notification)} stands there")


def _called(notification: Notification) -> str:
    return f"#{notification.approval_id}" if notification.approval_id else f"the notification {notification.event}"


def _is_of(notification: Notification, metadata: object) -> bool:
    """Whether a message's metadata are the mark of this notification.

    Marks of messages that were posted before marks held the run have none.
    """
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT_TYPE:
        return False
    payload, ours = metadata.get("event_payload"), short_run(notification.token_run)
    return isinstance(payload, dict) and payload.get("id") == notification.id and payload.get("run", ours) == ours
