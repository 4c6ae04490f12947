"""CSS declarations, cut where CSS cuts them (CSS Syntax Module Level 3, section 5), in linear time."""

from __future__ import annotations

import re
from typing import NamedTuple

SPACE = " \t\n\f\r"  # all that HTML and CSS take for white space
STRING = r""""(?:[^"\\\n\r\f]++|\\[^\n\r\f])*+"|'(?:[^'\\\n\r\f]++|\\[^\n\r\f])*+'"""
_INNER = rf"(?:[^()\[\]{{}}\"'\\]++|{STRING})"
PARENTHESES = rf"\((?:{_INNER}|\({_INNER}*+\))*+\)"
_VALUE = rf"(?:[^;\"'(){{}}\[\]\\<>@]++|\\[^\n\r\f]|{STRING}|{PARENTHESES})*+"
_DECLARATION = re.compile(rf"(?P<name>[A-Za-z_-][\w-]{{0,80}}+)[{SPACE}]*+:(?P<value>{_VALUE})(?:;|\Z)", re.ASCII)
_BETWEEN = re.compile(rf"[{SPACE};]*+")
_IMPORTANT = re.compile(rf"![{SPACE}]*important\Z", re.IGNORECASE | re.ASCII)


class Declaration(NamedTuple):
    """A property and its value, both lower case, and whether it is `!important`."""

    name: str
    value: str
    important: bool


def declarations(text: str) -> list[Declaration] | None:
    """The declarations of a text; None where it isn't plain enough to be cut the same way by every program."""
    if "/*" in text:
        return None
    found: list[Declaration] = []
    at = _end_of_gap(text, 0)
    while at < len(text):
        match = _DECLARATION.match(text, at)
        if not match:
            return None
        value = match["value"].strip(SPACE)
        marked = _IMPORTANT.search(value)
        value = value[: marked.start()].rstrip(SPACE) if marked else value
        found.append(Declaration(lower(match["name"]), lower(value), marked is not None))
        at = _end_of_gap(text, match.end())
    return found


def lower(text: str) -> str:
    """Fold the case of ASCII, and of nothing else: to browsers a Kelvin sign is no k."""
    return text.lower() if text.isascii() else "".join(c.lower() if c.isascii() else c for c in text)


def _end_of_gap(text: str, at: int) -> int:
    match = _BETWEEN.match(text, at)
    return match.end() if match else at
