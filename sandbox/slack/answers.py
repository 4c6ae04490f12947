"""What Slack's Web API answers in cases where local-slack says less than Slack."""

from sandbox.slack import views
from sandbox.slack.inside import Inside
from sandbox.slack.state import State
from sandbox.slack.workspace import BOT, Json

VIEWS = ("views.open", "views.push", "views.update", "views.publish")
PEOPLE = ("users.info", "users.lookupByEmail")
PAGE = 100
BIGGEST_PAGE = 999


def no(error: str, **more: object) -> Json:
    """An answer that says no."""
    return {"ok": False, "error": error, **more}


async def answer_to(state: State, inside: Inside, method: str, token: str, args: Json) -> Json:
    """Local-slack's answer, completed."""
    if method == "chat.postEphemeral" and (refused := await _unseen(inside, args)):
        return refused
    args = views.with_ids(args)
    if isinstance(args.get("view"), dict):
        args["view"] = views.with_ids(args["view"])
    answer = await inside.post(f"/api/{method}", args, token)
    if not answer["ok"]:
        return answer
    if method in VIEWS:
        return views.keep(state, method, args, answer)
    if method in ("chat.postMessage", "chat.update") and "metadata" in args:
        state.metadata[answer["channel"], answer["ts"]] = args["metadata"]
    if method in ("conversations.history", "conversations.replies"):
        messages = [message for message in answer["messages"] if message.get("subtype") != "ephemeral"]
        if method == "conversations.replies" and not messages:
            return no("thread_not_found")
        return {"ok": True, **_page([_with_metadata(state, args, message) for message in messages], args)}
    if method == "users.lookupByEmail" and state.people.get(answer["user"]["id"], {}).get("deleted"):
        return no("users_not_found")  # as its page says
    if method in PEOPLE:
        return {**answer, "user": _whole(state, answer["user"])}
    if method == "conversations.info":
        return {**answer, "channel": _room(state, answer["channel"])}
    return answer


async def _unseen(inside: Inside, args: Json) -> Json | None:
    """Only somebody in the channel can be shown something there; local-slack accepts any channel, even none."""
    for channel in (await inside.get("/_control/state"))["channels"]:
        if channel["id"] == args.get("channel"):
            return None if args.get("user") in channel["members"] else no("user_not_in_channel")
    return no("channel_not_found")


def _page(messages: list[Json], args: Json) -> Json:
    """The part that was asked for; local-slack returns all (https://docs.slack.dev/apis/web-api/pagination)."""
    oldest, latest = str(args.get("oldest") or "0"), str(args.get("latest") or "9")
    inclusive = _is_true(args.get("inclusive"))
    wanted = [m for m in messages if oldest < m["ts"] < latest or (inclusive and m["ts"] in (oldest, latest))]
    start = int(args.get("cursor") or 0)
    end = start + min(int(args.get("limit") or PAGE), BIGGEST_PAGE)
    more = end < len(wanted)
    cursor = {"next_cursor": str(end) if more else ""}
    return {"messages": wanted[start:end], "has_more": more, "response_metadata": cursor}


def _with_metadata(state: State, args: Json, message: Json) -> Json:
    """A message with its metadata, if that is asked for; local-slack keeps none."""
    metadata = state.metadata.get((args["channel"], message["ts"]))
    return {**message, "metadata": metadata} if metadata and _is_true(args.get("include_all_metadata")) else message


def _whole(state: State, user: Json) -> Json:
    """A user object with the fields that local-slack doesn't know, as in Slack or as the test set them.

    The address is there only for an app that may read it. https://docs.slack.dev/reference/objects/user-object
    """
    usual = {"is_restricted": False, "is_ultra_restricted": False, "is_app_user": False, "is_email_confirmed": True}
    whole: Json = usual | user | state.people.get(user["id"], {})
    if "users:read.email" not in state.scopes:
        whole["profile"] = {key: value for key, value in whole["profile"].items() if key != "email"}
    return whole


def _room(state: State, channel: Json) -> Json:
    known = next((room for room in state.workspace.channels if room.id == channel["id"]), None)
    is_member = known is None or BOT in known.members
    return {**channel, "is_member": is_member, "is_archived": channel["id"] in state.archived}


def _is_true(value: object) -> bool:
    return str(value).lower() in ("true", "1")
