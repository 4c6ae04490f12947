"""What Slack sends to the app, on its way through the proxy."""

import time

from sandbox.slack.state import Delivery, State, Trigger
from sandbox.slack.views import as_view, put
from sandbox.slack.workspace import Json

BASE = ("api_app_id", "token", "team", "user", "is_enterprise_install", "trigger_id")
PREPARED = "prepared:"  # a channel id that begins so: the payload is not a click on a message, but one of ours


def begin(state: State, kind: str, payload: Json) -> Delivery:
    """Note a delivery; if local-slack can't send such a payload itself, make it what Slack would send."""
    channel = (payload.get("channel") or {}).get("id", "") if kind == "interactive" else ""
    if channel.startswith(PREPARED):
        payload = {key: payload[key] for key in BASE if key in payload} | state.prepared.pop(channel)
    delivery = Delivery(kind, payload)
    if isinstance(user := payload.get("user"), dict):
        user["team_id"] = state.team_of(user["id"])
    if trigger := payload.get("trigger_id"):
        state.triggers[trigger] = Trigger(delivery.user, time.monotonic())
    state.deliveries.append(delivery)
    return delivery


def finish(state: State, delivery: Delivery, answer: object, status: int = 200) -> None:
    """Note the app's answer; for a modal that was submitted, do what it says."""
    delivery.seconds = time.monotonic() - delivery.started
    delivery.status = status
    delivery.answer = answer if isinstance(answer, dict) else {}
    if delivery.kind == "slash_commands" and delivery.answer:
        delivery.answer = as_ephemeral(delivery.answer)
    if delivery.payload.get("type") == "view_submission" and status == 200:
        _after_submission(state, delivery)


def as_ephemeral(answer: Json) -> Json:
    """An answer to a command or an interaction, only for the person who asked unless it says otherwise.

    https://docs.slack.dev/interactivity/handling-user-interaction#message_responses; local-slack shows it to everybody.
    """
    return {"response_type": "ephemeral", **answer}


def _after_submission(state: State, delivery: Delivery) -> None:
    """https://docs.slack.dev/surfaces/modals#close_all and the sections around it."""
    stack = state.modals.get(delivery.user, [])
    action = delivery.answer.get("response_action")
    if action in ("update", "push"):
        delivery.problems = list(state.view_problems(delivery.answer.get("view")))
        if delivery.problems:
            return
        view = as_view(delivery.answer["view"])
        put(stack, view, instead_of=delivery.payload["view"]["id"] if action == "update" else "")
    elif action == "clear":
        stack.clear()
    elif action != "errors":
        stack[:] = [view for view in stack if view["id"] != delivery.payload["view"]["id"]]
