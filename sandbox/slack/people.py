"""What people do in Slack, and what they see there."""

import secrets
import time
from collections.abc import Sequence

from sandbox.slack.deliveries import PREPARED
from sandbox.slack.server import SlackServer
from sandbox.slack.state import Delivery
from sandbox.slack.workspace import BOT, Json


class NotDelivered(Exception):
    """The app didn't acknowledge: in Slack, the person sees a warning sign, or "We had some trouble connecting".

    `unanswered` is what was sent to the app without an answer so far.
    """

    def __init__(self, why: str, unanswered: Sequence[Delivery] = ()) -> None:
        super().__init__(why)
        self.unanswered = unanswered


class CannotDo(Exception):
    """Slack's own client doesn't let a person do this; the text says why."""


async def messages(slack: SlackServer, channel: str) -> list[Json]:
    """The messages in a channel, oldest first, replies included, with metadata; without ephemeral ones."""
    return [
        {**message, "metadata": slack.state.metadata.get((channel, message["ts"]), {})}
        for message in await _all_messages(slack, channel)
        if message.get("subtype") != "ephemeral"
    ]


async def ephemerals(slack: SlackServer, user: str, channel: str = "") -> list[Json]:
    """The ephemeral messages that a person was shown, in one channel or anywhere, oldest first."""
    channels = [channel] if channel else [c["id"] for c in (await slack.inside.get("/_control/state"))["channels"]]
    seen = [message for c in channels for message in await _all_messages(slack, c)]
    return [message for message in seen if message.get("ephemeral_to") == user]


async def dm_of(slack: SlackServer, user: str) -> str:
    """The id of the conversation between a person and the app; empty if there is none yet."""
    for channel in (await slack.inside.get("/_control/state"))["channels"]:
        if channel["is_im"] and {user, BOT} <= set(channel["members"]):
            return str(channel["id"])
    return ""


def home_of(slack: SlackServer, user: str) -> Json | None:
    """The app's home as the person sees it."""
    return slack.state.homes.get(user)


def open_modal_of(slack: SlackServer, user: str) -> Json | None:
    """The modal that a person has before them."""
    stack = slack.state.modals.get(user)
    return stack[-1] if stack else None


async def say(slack: SlackServer, channel: str, text: str, user: str) -> None:
    """Write a message."""
    await slack.inside.post("/_control/message", {"channel": channel, "user": user, "text": text})


async def open_home(slack: SlackServer, user: str) -> Delivery:
    """Open the app's home."""
    return await _doing(slack, "/_control/open-home", {"user": user}, "events_api", user)


async def command(slack: SlackServer, name: str, text: str, user: str, channel: str = "") -> Delivery:
    """Type a slash command (`/connect`), in a channel or in the conversation with the app."""
    channel = channel or await _any_channel(slack, user)
    body = {"user": user, "channel": channel, "command": name, "text": text}
    return await _doing(slack, "/_control/command", body, "slash_commands", user)


async def click(slack: SlackServer, message: Json, action_id: str, user: str) -> Delivery:
    """Press a button of a message as the person saw it, which may since have changed."""
    block, element = _button(message, action_id)
    action = {**element, "block_id": block["block_id"]}
    body = {"channel": message["channel"], "messageTs": message["ts"], "user": user, "action": action}
    return await _doing(slack, "/_control/interact", body, "interactive", user)


async def click_in_view(slack: SlackServer, view: Json, action_id: str, user: str, value: str = "") -> Delivery:
    """Press a button of a home or a modal: the one with that value, if several share the action id."""
    block, element = _button(view, action_id, value)
    action = {key: element[key] for key in ("type", "action_id", "value", "text") if key in element}
    payload: Json = {
        "type": "block_actions",
        "container": {"type": "view", "view_id": view["id"]},
        "view": view,
        "actions": [{**action, "block_id": block["block_id"], "action_ts": now()}],
    }
    return await send_prepared(slack, payload, user)


async def submit(slack: SlackServer, values: dict[str, str], user: str) -> Delivery:
    """Fill in the open modal, by action ids, and submit it; raises CannotDo if Slack's client wouldn't."""
    view = open_modal_of(slack, user)
    if view is None:
        raise CannotDo("no modal is open")
    return await submit_view(slack, view, values, user)


async def submit_view(slack: SlackServer, view: Json, values: dict[str, str], user: str) -> Delivery:
    """Submit a modal as the person saw it, which may since have changed or been closed."""
    left = set(values)
    state: Json = {}
    for block in (block for block in view["blocks"] if block["type"] == "input"):
        element = block["element"]
        left.discard(element["action_id"])
        state[block["block_id"]] = {element["action_id"]: _filled(block, values.get(element["action_id"], ""))}
    if left:
        raise CannotDo(f"the modal doesn't ask for {', '.join(sorted(left))}")
    payload = {"type": "view_submission", "view": {**view, "state": {"values": state}}, "response_urls": []}
    return await send_prepared(slack, payload, user)


def _button(shown: Json, action_id: str, value: str = "") -> tuple[Json, Json]:
    for block in shown.get("blocks") or []:
        for element in [*(block.get("elements") or []), block.get("accessory") or {}]:
            if element.get("action_id") == action_id and value in ("", element.get("value")):
                return block, element
    raise CannotDo(f"there is no {action_id!r} to press")


def _filled(block: Json, text: str) -> Json:
    """An input block's state, https://docs.slack.dev/reference/views/modal-views#view-object-fields."""
    element = block["element"]
    if not text and not block.get("optional"):
        raise CannotDo(f"{element['action_id']} must be filled in")
    if element["type"] == "plain_text_input":
        if text and not element.get("min_length", 0) <= len(text) <= element.get("max_length", 3000):
            raise CannotDo(f"{element['action_id']} is too short or too long")
        return {"type": element["type"], "value": text or None}
    if element["type"] in ("static_select", "radio_buttons"):
        options = [option for option in element["options"] if option["value"] == text]
        if text and not options:
            raise CannotDo(f"{element['action_id']} has no option {text!r}")
        return {"type": element["type"], "selected_option": options[0] if options else None}
    selected = {"users_select": "selected_user", "datepicker": "selected_date"}[element["type"]]
    return {"type": element["type"], selected: text or None}


async def send_prepared(slack: SlackServer, payload: Json, user: str) -> Delivery:
    """Have Slack send an interaction that local-slack has no way to make."""
    key = PREPARED + secrets.token_hex(8)
    slack.state.prepared[key] = payload
    body = {"channel": key, "messageTs": "0", "user": user, "action": {"action_id": "prepared"}}
    return await _doing(slack, "/_control/interact", body, "interactive", user)


async def _doing(slack: SlackServer, path: str, body: Json, kind: str, user: str) -> Delivery:
    """Have local-slack do it, which waits for the app's answer; returns what it sent and how the app answered."""
    before = len(slack.deliveries)
    await slack.inside.post(path, body)
    for delivery in slack.deliveries[before:]:
        if (delivery.kind, delivery.user) == (kind, user) and delivery.status == 200:
            if delivery.problems:
                raise NotDelivered("; ".join(delivery.problems))
            return delivery
    answers = [
        f"{each.kind} {each.status or 'unanswered'} after {each.seconds:.1f} s" for each in slack.deliveries[before:]
    ]
    unanswered = [each for each in slack.deliveries[before:] if (each.kind, each.user) == (kind, user)]
    raise NotDelivered(f"{path} by {user}: {', '.join(answers) or 'nothing was sent'}", unanswered)


async def _any_channel(slack: SlackServer, user: str) -> str:
    for channel in (await slack.inside.get("/_control/state"))["channels"]:
        if user in channel["members"]:
            return str(channel["id"])
    answer = await slack.inside.post("/api/conversations.open", {"users": user}, slack.bot_token)
    return str(answer["channel"]["id"])


async def _all_messages(slack: SlackServer, channel: str) -> list[Json]:
    return list((await slack.inside.get(f"/_control/messages/{channel}"))["messages"]) if channel else []


def now() -> str:
    """A timestamp as Slack writes it."""
    return f"{time.time():.6f}"
