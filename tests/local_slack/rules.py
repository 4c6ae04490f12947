"""What Slack refuses before it does anything: by token, scope, channel, person, and by the arguments themselves.

The errors are those on each method's page, https://docs.slack.dev/reference/methods.
"""

from __future__ import annotations

import time

from sandbox.slack.answers import no
from sandbox.slack.state import State
from sandbox.slack.views import open_view
from sandbox.slack.workspace import BOT, Channel, Json

from . import limits

SCOPE = {
    "chat.postMessage": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "conversations.open": "im:write",
    "users.info": "users:read",
    "users.lookupByEmail": "users:read.email",
}
SCOPE_BY_CHANNEL = {
    "conversations.history": "history",
    "conversations.replies": "history",
    "conversations.info": "read",
}
WRITES = ("chat.postMessage", "chat.postEphemeral", "chat.update")
BY_CHANNEL_ID = ("chat.update", *SCOPE_BY_CHANNEL)


def refusal_of(state: State, method: str, token: str, args: Json) -> Json | None:
    """The answer to a call that Slack refuses, or None."""
    wanted = state.workspace.app_token if method == "apps.connections.open" else state.workspace.bot_token
    if token != wanted:
        return no("invalid_auth" if token else "not_authed")
    return (
        _by_scope(state, method, args)
        or _by_channel(state, method, str(args.get("channel", "")))
        or _by_person(state, method, args)
        or limits.refusal(method, args)
        or _by_view(state, method, args)
    )


def _by_scope(state: State, method: str, args: Json) -> Json | None:
    needed = SCOPE.get(method, "")
    if method in SCOPE_BY_CHANNEL:
        channel = _room(state, args.get("channel"))
        kind = "groups" if channel and channel.private else "channels" if channel else "im"
        needed = f"{kind}:{SCOPE_BY_CHANNEL[method]}"
    if not needed or needed in state.scopes:
        return None
    return no("missing_scope", needed=needed, provided=",".join(sorted(state.scopes)))


def _by_channel(state: State, method: str, channel_id: str) -> Json | None:
    if method in BY_CHANNEL_ID and channel_id.startswith("U"):
        return no("channel_not_found")  # a person's id is good for posting only
    channel = _room(state, channel_id)
    if method in WRITES and channel_id in state.archived:
        return no("is_archived")
    if channel is None or BOT in channel.members or method not in (*WRITES, *SCOPE_BY_CHANNEL):
        return None
    if channel.private:
        return no("channel_not_found")
    return None if method == "conversations.info" else no("not_in_channel")


def _by_person(state: State, method: str, args: Json) -> Json | None:
    """Refuse people whom Slack would refuse: local-slack opens conversations even with people who don't exist."""
    channel = str(args.get("channel", ""))
    if method == "chat.postMessage" and channel.startswith("U") and channel not in state.people:
        return no("channel_not_found")
    if method != "conversations.open" or "channel" in args:
        return None
    users = [user for user in str(args.get("users", "")).split(",") if user]
    if not users:
        return no("users_list_not_supplied")
    if not set(users) <= set(state.people):
        return no("user_not_found")
    return no("user_disabled") if any(state.people[user].get("deleted") for user in users) else None


def _by_view(state: State, method: str, args: Json) -> Json | None:
    """Slack's refusal of a call about views, if any (the methods' pages: `views.open`, `views.update`)."""
    if method in ("views.open", "views.push"):
        trigger = state.triggers.get(str(args.get("trigger_id")))
        if trigger is None:
            return no("invalid_trigger_id")
        if trigger.used:
            return no("exchanged_trigger_id")
        if time.monotonic() - trigger.given > state.trigger_seconds:
            return no("expired_trigger_id")
        if method == "views.push" and not state.modals.get(trigger.user):
            return no("not_found")
    if method == "views.update":
        view = open_view(state, args)
        if view is None:
            return no("not_found")
        if args.get("hash") not in (None, "", view["hash"]):
            return no("hash_conflict")
    return None


def _room(state: State, channel_id: object) -> Channel | None:
    return next((channel for channel in state.workspace.channels if channel.id == channel_id), None)
