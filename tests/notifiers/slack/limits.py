"""Slack's documented limits on what is sent, counted the strictest way: https://docs.slack.dev/reference/block-kit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

LONGEST_SECTION, LONGEST_FIELD, MOST_FIELDS = 3000, 2000, 10
LONGEST_HEADER, LONGEST_BUTTON, LONGEST_URL, LONGEST_VALUE = 150, 75, 3000, 2000
CONFIRM = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
MOST_BLOCKS, MOST_VIEW_BLOCKS, MOST_ELEMENTS, MOST_CONTEXT = 50, 100, 25, 10
LONGEST_TITLE, LONGEST_METADATA, LONGEST_INPUT = 24, 3000, 3000
# For the text beside the blocks: https://docs.slack.dev/reference/methods/chat.postMessage#truncating-content
LONGEST_TEXT = 4000
# For all blocks together as JSON. It is undocumented; people hit it at about 13,200 (slackapi/bolt-js issue 2509).
LONGEST_MESSAGE = 13_000


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def check_message(text: str, blocks: list[dict[str, Any]]) -> None:
    assert 1 <= units(text) <= LONGEST_TEXT
    assert 1 <= len(blocks) <= MOST_BLOCKS
    check_blocks(blocks)
    assert units(json.dumps(blocks, ensure_ascii=False)) <= LONGEST_MESSAGE


def check_view(view: dict[str, Any]) -> None:
    assert 1 <= len(view["blocks"]) <= MOST_VIEW_BLOCKS
    assert units(view.get("private_metadata", "")) <= LONGEST_METADATA
    for part in ("title", "submit", "close"):
        if part in view:
            _text(view[part], LONGEST_TITLE)
    check_blocks(view["blocks"])


def check_blocks(blocks: list[dict[str, Any]]) -> None:
    for block in blocks:
        _CHECKS[block["type"]](block)


def _text(text: dict[str, Any], longest: int) -> None:
    assert 1 <= units(text["text"]) <= longest
    assert text["type"] == "plain_text" or text["verbatim"] is True


def _section(block: dict[str, Any]) -> None:
    assert "text" in block or block["fields"]
    if "text" in block:
        _text(block["text"], LONGEST_SECTION)
    assert len(block.get("fields", [])) <= MOST_FIELDS
    for field in block.get("fields", []):
        _text(field, LONGEST_FIELD)


def _context(block: dict[str, Any]) -> None:
    assert 1 <= len(block["elements"]) <= MOST_CONTEXT
    for element in block["elements"]:
        _text(element, LONGEST_FIELD)


def _actions(block: dict[str, Any]) -> None:
    assert 1 <= len(block["elements"]) <= MOST_ELEMENTS
    assert len({button["action_id"] for button in block["elements"]}) == len(block["elements"])
    for button in block["elements"]:
        _text(button["text"], LONGEST_BUTTON)
        assert units(button.get("value", "")) <= LONGEST_VALUE
        assert units(button.get("url", "")) <= LONGEST_URL
        for part, longest in CONFIRM.items() if "confirm" in button else ():
            _text({"verbatim": True} | button["confirm"][part], longest)


def _input(block: dict[str, Any]) -> None:
    _text(block["label"], 2000)
    element = block["element"]
    assert 1 <= element.get("max_length", 1) <= LONGEST_INPUT
    if element["type"] == "plain_text_input":
        assert units(element.get("initial_value", "")) <= element["max_length"]


_CHECKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "header": lambda block: _text(block["text"], LONGEST_HEADER),
    "section": _section,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "divider": len,
}
