"""The modals and home views that people have before them.

local-slack has one stack of modals for everybody, and gives a view a new id at each change; in Slack everybody has
their own stack, and ids stay. So the proxy keeps the views.
"""

import secrets
import time

from sandbox.slack.state import State
from sandbox.slack.workspace import Json


def as_view(view: Json) -> Json:
    """A view as Slack keeps it, with an id and a hash."""
    view_id = "V" + secrets.token_hex(5).upper()
    kept = {**view, "id": view_id, "root_view_id": view_id, "previous_view_id": None, "hash": _new_hash()}
    return with_ids(kept)


def with_ids(shown: Json) -> Json:
    """The arguments of a message, or a view, in which each block without an id gets one, as in Slack."""
    blocks = [{"block_id": secrets.token_urlsafe(4), **block} for block in shown.get("blocks") or []]
    return {**shown, "blocks": blocks} if blocks else shown


def put(stack: list[Json], view: Json, instead_of: str = "") -> None:
    """Put a view on top of the stack, or in place of another, whose id it takes."""
    for at, old in enumerate(stack):
        if old["id"] == instead_of:
            stack[at] = {**view, "id": old["id"], "root_view_id": old["root_view_id"], "hash": _new_hash()}
            return
    stack.append(view)


def keep(state: State, method: str, args: Json, answer: Json) -> Json:
    """Keep the view that a call made or changed; returns the answer with the view as kept."""
    view = answer["view"]
    if method == "views.publish":
        state.homes[args["user_id"]] = view
    elif method == "views.update":
        old = open_view(state, args)
        for stack in state.modals.values():
            if old in stack:
                put(stack, view, instead_of=str(old and old["id"]))
        view = open_view(state, args) or view
    else:
        trigger = state.triggers[args["trigger_id"]]
        trigger.used = True
        stack = state.modals.setdefault(trigger.user, [])
        if method == "views.open":
            stack.clear()
        stack.append(view)
    return {**answer, "view": view}


def open_view(state: State, args: Json) -> Json | None:
    """The view that a call names, if anybody has it before them."""
    view_id, external_id = args.get("view_id"), args.get("external_id")
    for view in state.views():
        if view["id"] == view_id or (external_id and view.get("external_id") == external_id):
            return view
    return None


def _new_hash() -> str:
    return f"{time.time():.0f}.{secrets.token_hex(4)}"
