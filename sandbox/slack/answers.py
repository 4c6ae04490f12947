"""What Slack's Web API answers, where local-slack says less than Slack, or lets more pass."""

from __future__ import annotations

from sandbox.slack import views
from sandbox.slack.inside import Inside
from sandbox.slack.state import State
from sandbox.slack.workspace import Json

VIEWS = ("views.open", "views.push", "views.update", "views.publish")
HISTORIES = ("conversations.history", "conversations.replies")
PEOPLE = ("users.info", "users.lookupByEmail")


def refusal_of(state: State, method: str, token: str, args: Json) -> Json | None:
    """The answer of a call that Slack refuses, or None."""
    wanted = state.workspace.app_token if method == "apps.connections.open" else state.workspace.bot_token
    if token != wanted:
        return no("invalid_auth" if token else "not_authed")
    if method in VIEWS:
        return views.refusal(state, method, args)
    return None


def no(error: str, **more: object) -> Json:
    """An answer that says no."""
    return {"ok": False, "error": error, **more}


async def answer_to(state: State, inside: Inside, method: str, token: str, args: Json) -> Json:
    """Local-slack's answer, made whole."""
    args = views.with_ids(args)
    if isinstance(args.get("view"), dict):
        args["view"] = views.with_ids(args["view"])
    answer = await inside.post(f"/api/{method}", args, token)
    if not answer["ok"]:
        return answer
    if method in VIEWS:
        return views.keep(state, method, args, answer)
    if method in ("chat.postMessage", "chat.update") and isinstance(args.get("metadata"), dict):
        state.metadata[answer["channel"], answer["ts"]] = args["metadata"]
    if method in HISTORIES:
        return {**answer, "messages": _told(state, args, answer["messages"])}
    if method in PEOPLE:
        return {**answer, "user": _whole(state, answer["user"])}
    return answer


def _told(state: State, args: Json, messages: list[Json]) -> list[Json]:
    """Messages with their metadata, where asked for; local-slack keeps none, and tells of ephemeral ones too."""
    messages = [message for message in messages if message.get("subtype") != "ephemeral"]
    if str(args.get("include_all_metadata")).lower() not in ("true", "1"):
        return messages
    return [
        {**message, "metadata": state.metadata[key]}
        if (key := (args["channel"], message["ts"])) in state.metadata
        else message
        for message in messages
    ]


def _whole(state: State, user: Json) -> Json:
    """A user object with the fields that local-slack doesn't know, as Slack has them or as the test set them.

    https://docs.slack.dev/reference/objects/user-object
    """
    usual = {"is_restricted": False, "is_ultra_restricted": False, "is_app_user": False, "is_email_confirmed": True}
    return usual | user | state.people.get(user["id"], {})
