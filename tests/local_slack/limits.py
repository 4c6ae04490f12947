"""What Slack refuses: its documented limits for messages, views and metadata, as one table.

https://docs.slack.dev/reference/block-kit/blocks, .../block-kit/block-elements, .../block-kit/composition-objects,
https://docs.slack.dev/reference/views, https://docs.slack.dev/reference/methods/chat.postMessage and .../chat.update
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sandbox.slack.workspace import Json

# For each kind of thing: the path of a text or a list, its least and greatest length. `*` is each item of a list.
Lengths = dict[str, tuple[int, int]]
LENGTHS: dict[str, Lengths] = {
    "message": {"blocks": (0, 50)},
    "modal": {
        "blocks": (0, 100),
        "title.text": (1, 24),
        "submit.text": (1, 24),
        "close.text": (1, 24),
        "private_metadata": (0, 3000),
        "callback_id": (0, 255),
        "external_id": (0, 255),
    },
    "home": {"blocks": (0, 100), "private_metadata": (0, 3000), "callback_id": (0, 255), "external_id": (0, 255)},
    "section": {"block_id": (1, 255), "text.text": (1, 3000), "fields": (1, 10), "fields.*.text": (1, 2000)},
    "header": {"block_id": (1, 255), "text.text": (1, 150)},
    "context": {"block_id": (1, 255), "elements": (1, 10), "elements.*.text": (1, 3000)},
    "actions": {"block_id": (1, 255), "elements": (1, 25)},
    "input": {"block_id": (1, 255), "label.text": (1, 2000), "hint.text": (1, 2000)},
    "divider": {"block_id": (1, 255)},
    "button": {"text.text": (1, 75), "action_id": (1, 255), "value": (1, 2000), "url": (1, 3000)},
    "plain_text_input": {"action_id": (1, 255), "placeholder.text": (1, 150)},
    "static_select": {"action_id": (1, 255), "placeholder.text": (1, 150), "options": (1, 100)},
    "users_select": {"action_id": (1, 255), "placeholder.text": (1, 150)},
    "datepicker": {"action_id": (1, 255), "placeholder.text": (1, 150)},
    "radio_buttons": {"action_id": (1, 255), "options": (1, 10)},
    "checkboxes": {"action_id": (1, 255), "options": (1, 10)},
    "overflow": {"action_id": (1, 255), "options": (1, 5)},
    "option": {"text.text": (1, 75), "value": (1, 150), "description.text": (1, 75)},
    "confirm": {"title.text": (1, 100), "text.text": (1, 300), "confirm.text": (1, 30), "deny.text": (1, 30)},
}
REQUIRED = {
    "modal": ("title", "blocks"),
    "home": ("blocks",),
    "header": ("text",),
    "context": ("elements",),
    "actions": ("elements",),
    "input": ("label", "element"),
    "button": ("text",),
    "static_select": ("options",),
    "radio_buttons": ("options",),
    "checkboxes": ("options",),
    "overflow": ("options",),
    "option": ("text", "value"),
    "confirm": ("title", "text", "confirm", "deny"),
}
# These texts may not be mrkdwn.
PLAIN = {
    "modal": ("title", "submit", "close"),
    "header": ("text",),
    "button": ("text",),
    "input": ("label", "hint"),
    "confirm": ("title", "confirm", "deny"),
}
BLOCKS = {"section", "header", "context", "actions", "input", "divider"}
CONTEXT_ELEMENTS = {"mrkdwn", "plain_text", "image"}
STYLES = {None, "primary", "danger"}
TEXT = {"chat.postMessage": 40_000, "chat.postEphemeral": 40_000, "chat.update": 4_000}
INPUT = 3000
# Not documented; met in practice at 13,172 (https://github.com/slackapi/bolt-js/issues/2509).
ALL_BLOCKS = 13_000


def refusal(method: str, args: Json) -> Json | None:
    """Slack's answer to arguments that break a rule, in Slack's words; None if they break none."""
    if method in TEXT:
        return _message_refusal(args, TEXT[method])
    view = args.get("view")
    if method.startswith("views.") and (problems := list(view_problems(view))):
        return _no("invalid_arguments", problems)
    return None


def view_problems(view: object) -> Iterator[str]:
    """Everything that is wrong with a view."""
    if not isinstance(view, dict) or view.get("type") not in ("modal", "home"):
        yield "must provide an object with a type [json-pointer:/view]"
        return
    yield from _problems(view["type"], view, "/view")
    yield from _blocks_problems(view.get("blocks"), "/view/blocks")
    inputs = any(isinstance(block, dict) and block.get("type") == "input" for block in view.get("blocks") or [])
    if view["type"] == "modal" and inputs and "submit" not in view:
        yield "missing required field: submit [json-pointer:/view]"


def _message_refusal(args: Json, longest: int) -> Json | None:
    text, blocks, metadata = args.get("text") or "", args.get("blocks"), args.get("metadata")
    if not text and not blocks:
        return _no("no_text", [])
    if len(text) > longest:
        return _no("msg_too_long", [])
    if "metadata" in args and not _is_metadata(metadata):
        return _no("invalid_metadata_format", ["must have event_type and event_payload [json-pointer:/metadata]"])
    if "blocks" in args and not isinstance(blocks, list):
        return _no("invalid_blocks_format", [])
    problems = [*_problems("message", args, ""), *_blocks_problems(blocks, "/blocks")]
    if problems:
        return _no("invalid_blocks", problems) | {"errors": problems}
    if len(json.dumps(blocks, ensure_ascii=False)) > ALL_BLOCKS:
        return _no("msg_blocks_too_long", [])
    return None


def _no(error: str, problems: list[str]) -> Json:
    told = {"response_metadata": {"messages": [f"[ERROR] {problem}" for problem in problems]}} if problems else {}
    return {"ok": False, "error": error, **told}


def _is_metadata(metadata: object) -> bool:
    """https://docs.slack.dev/messaging/message-metadata; an empty object takes a message's metadata away."""
    if not isinstance(metadata, dict):
        return False
    return not metadata or (bool(metadata.get("event_type")) and isinstance(metadata.get("event_payload"), dict))


def _blocks_problems(blocks: Any, at: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, block in enumerate(blocks or []):
        here = f"{at}/{index}"
        kind = block.get("type") if isinstance(block, dict) else None
        if kind not in BLOCKS:
            yield f"unsupported type: {kind} [json-pointer:{here}/type]"
            continue
        yield from _problems(kind, block, here)
        if kind == "section" and not (block.get("text") or block.get("fields")):
            yield f"must define either `text` or `fields` [json-pointer:{here}]"
        if (block_id := block.get("block_id")) in seen:
            yield f"block_id {block_id} already exists [json-pointer:{here}/block_id]"
        seen |= {block_id} if block_id else set()
        yield from _elements_problems(kind, block, here)
        yield from _wordless(block, here)


def _wordless(thing: Any, at: str) -> Iterator[str]:
    """https://docs.slack.dev/reference/block-kit/composition-objects/text-object: none is empty, wherever it stands."""
    parts = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ()
    if isinstance(thing, dict) and thing.get("type") in ("plain_text", "mrkdwn") and "text" not in thing:
        yield f"missing required field: text [json-pointer:{at}]"
    for name, part in parts:
        yield from _wordless(part, f"{at}/{name}")


def _elements_problems(kind: str, block: Json, at: str) -> Iterator[str]:
    places = [(f"{at}/elements/{index}", element) for index, element in enumerate(block.get("elements") or [])]
    places += [(f"{at}/{name}", block[name]) for name in ("accessory", "element") if name in block]
    seen: set[str] = set()
    for here, element in places:
        element_kind = element.get("type")
        if kind == "context" and element_kind in CONTEXT_ELEMENTS:
            continue
        if kind == "context" or element_kind not in LENGTHS or element_kind in BLOCKS:
            yield f"unsupported type: {element_kind} [json-pointer:{here}/type]"
            continue
        yield from _problems(element_kind, element, here)
        yield from _input_problems(element, here)
        if (action_id := element.get("action_id")) in seen:
            yield f"action_id {action_id} already exists [json-pointer:{here}/action_id]"
        seen |= {action_id} if action_id else set()
        for index, option in enumerate(element.get("options") or []):
            yield from _problems("option", option, f"{here}/options/{index}")
        if "confirm" in element:
            yield from _problems("confirm", element["confirm"], f"{here}/confirm")


def _input_problems(element: Json, at: str) -> Iterator[str]:
    for name in ("min_length", "max_length"):
        if not 0 <= element.get(name, 1) <= INPUT:
            yield f"must be at most {INPUT} [json-pointer:{at}/{name}]"
    if element.get("style") not in STYLES:
        yield f"must be primary or danger [json-pointer:{at}/style]"


def _problems(kind: str, thing: Json, at: str) -> Iterator[str]:
    """The rules of the three tables that a thing of this kind breaks."""
    for name in REQUIRED.get(kind, ()):
        if thing.get(name) is None:
            yield f"missing required field: {name} [json-pointer:{at}]"
    for name in PLAIN.get(kind, ()):
        if name in thing and thing[name].get("type") != "plain_text":
            yield f"must be plain_text [json-pointer:{at}/{name}/type]"
    for path, (least, most) in LENGTHS[kind].items():
        for pointer, value in _values(thing, path.split("."), at):
            what = "items" if isinstance(value, list) else "characters"
            if len(value) > most:
                yield f"must be less than {most + 1} {what} [json-pointer:{pointer}]"
            if len(value) < least:
                yield f"must be more than {least - 1} {what} [json-pointer:{pointer}]"


def _values(thing: Any, path: list[str], at: str) -> Iterator[tuple[str, str | list[Any]]]:
    """The texts and lists at the path, if any, each with its JSON pointer."""
    if not path:
        if isinstance(thing, str | list):
            yield at, thing
    elif path[0] == "*":
        for index, part in enumerate(thing):
            yield from _values(part, path[1:], f"{at}/{index}")
    elif isinstance(thing, dict) and thing.get(path[0]) is not None:
        yield from _values(thing[path[0]], path[1:], f"{at}/{path[0]}")
