"""Reads a CSS style: one `style` attribute, or the declarations of one rule.

What isn't known here to be harmless is `odd`, so that a trick nobody thought of decides nothing.
"""

from __future__ import annotations

import re

from notifiers.email import caps
from notifiers.email.html import box, ink
from notifiers.email.html.box import BOX, check_box
from notifiers.email.html.css import BOUNDED, HARMLESS, OF_ONE_PROGRAM
from notifiers.email.html.declarations import Declaration, declarations
from notifiers.email.html.style import Style, is_bounded

_READERS = box.READERS | ink.READERS


def read_style(text: str) -> Style:
    """Read a `style` attribute, or the declarations of a rule."""
    style = Style()
    found = declarations(text) if len(text) <= caps.LONGEST_STYLE else None
    if found is None:
        style.odd = style.moves = style.says = True
        style.lifted = "fixed" if "\\" in text or "posi" in text.lower() else ""
        return style
    said: dict[str, str] = {}
    weights: dict[str, bool] = {}
    decorated = 0
    for each in found:
        decorated += "text-decoration" in each.name
        if each.name in HARMLESS or each.name.startswith(OF_ONE_PROGRAM):
            continue
        if said.setdefault(each.name, each.value) != each.value:
            style.odd = True
        if weights.setdefault(_GROUPS.get(each.name, each.name), each.important) != each.important:
            style.odd = True
        style.important = style.important or each.important
        _declare(style, each)
    check_box(style, said)
    if style.strikes and decorated > 1:
        style.odd = True  # such as a line that can't be seen
    style.says = style != Style(important=style.important)
    return style


_GROUPS = {"background-color": "background", "font-size": "font", "-webkit-text-fill-color": "color"}


_RESTING = frozenset({"none", "normal", "auto", "initial", "unset", "revert"})  # under any name but `all`
_OF_COLOUR = frozenset({"color", "background", "background-color"})


def _declare(style: Style, each: Declaration) -> None:
    name, value = each.name, each.value
    if name.startswith("--"):
        style.variables |= {name}
    elif name.startswith("mso-"):
        style.dim = style.dim or (name == "mso-hide" and value != "none")
    elif name in _READERS:
        resolved = _without_variable(style, value) if name in _OF_COLOUR else value
        if "\\" in resolved or not _READERS[name](style, resolved):
            style.odd = True
    elif name in BOUNDED:
        if not is_bounded(style, value):
            style.odd = style.moves = True
    elif name not in BOX and (name == "all" or value not in _RESTING):
        style.odd = style.moves = True


_VARIABLE = re.compile(r"var\( ?(--[\w-]{1,80}) ?(?:, ?([^()]*(?:\([^()]*\))?))?\)", re.ASCII)


def _without_variable(style: Style, value: str) -> str:
    """A value with what is used where its variable isn't set; where it is set, the whole style is odd."""
    match = _VARIABLE.fullmatch(value)
    if not match:
        return value
    style.uses |= {match[1]}
    return (match[2] or "").strip() or "unset"
