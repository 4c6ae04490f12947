"""What CSS makes of a text: readable, hidden, in doubt, or out of its place.

An allow-list, not a model of a browser: a declaration that is not known to leave text as it was puts the text in doubt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import tinycss2
from tinycss2 import color3

from notifiers.email.html import allowed

DARKEST_BACKGROUND, LIGHTEST_TEXT = 0.88, 0.58  # brightness, from 0 to 1
LEAST_DIFFERENCE = 0.5  # of brightness, as the W3C's techniques for accessibility ask for (AERT, 2.2)
_PIXELS = {"px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "em": 16.0, "rem": 16.0, "ex": 8.0}
_NUMBERS = ("number", "dimension", "percentage")
_PLAIN = (*_NUMBERS, "ident", "hash", "literal")
_COLOUR_FUNCTIONS = ("rgb", "rgba", "hsl", "hsla")
_TEXT_COLOURS, _BACKGROUNDS = ("color", "text-fill-color"), ("background", "background-color")
_OF_FONT = ("font", "font-size", "line-height")
_COLOURED = (*_TEXT_COLOURS, *_BACKGROUNDS)
_BROWSER = re.compile("^-(?:webkit|moz|ms|apple|qt)-")

Value = Sequence[Any]  # tinycss2's tokens, without white space and comments


class Style(NamedTuple):
    """What one style says. `block` and `keeps_lines` are None where it doesn't say."""

    hidden: bool = False
    doubtful: bool = False
    displaced: bool = False  # may stand over, or above, what is shown before it
    anywhere: bool = False  # may stand over anything
    dark: bool = False  # light text on a dark background: readable until something within says a colour, too
    block: bool | None = None
    keeps_lines: bool | None = None
    scale: float = 1.0  # of the font


PLAIN = Style()


@lru_cache(maxsize=2_048)
def inline_style(text: str) -> Style:
    """What a style attribute says; what is escaped or commented in it, programs read differently."""
    if "\\" in text or "/*" in text or "\xa0" in text:
        return Style(doubtful=True)
    return read(tinycss2.parse_blocks_contents(text, skip_comments=True, skip_whitespace=True))


def read(declarations: Sequence[Any], *, dark_mode: bool = False) -> Style:
    """What a list of declarations says together; where it holds in dark mode only, its colours are no matter."""
    known = [each for each in declarations if each.type == "declaration"]
    said = [(_BROWSER.sub("", each.lower_name), _without_spaces(each.value)) for each in known]
    if dark_mode:
        said = [(name, value) for name, value in said if not name.endswith(("color", "background"))]
    dark = _is_light_on_dark(said)
    wrong = {name for name, value in said if not (_is_listed(name, value) or (dark and name in _COLOURED))}
    moving = {name for name in wrong if name.startswith(allowed.MOVING)} - {"margin-left", "margin-right"}
    displays = {_word(value) for name, value in said if name == "display"}
    moving |= displays & allowed.MOVING_DISPLAYS
    hidden = displays == {"none"} and not moving
    spaces = [_word(value).startswith("pre") for name, value in said if name == "white-space"]
    return Style(
        hidden,
        doubtful=not hidden and (bool(wrong) or len(displays) > 1 or len(known) < len(declarations)),
        displaced=bool(moving),
        anywhere="position" in moving,
        dark=dark,
        block=not displays.isdisjoint(allowed.BLOCK_DISPLAYS) if displays and not hidden else None,
        keeps_lines=spaces[-1] if spaces else None,
        scale=math.prod(_scale(value) for name, value in said if name in ("font", "font-size")),
    )


def _is_listed(name: str, value: Value) -> bool:
    """Whether a declaration is known to leave text readable where it stands."""
    word = _word(value)
    if name in _TEXT_COLOURS:
        return word in allowed.TEXT_COLOURS or _is_text_colour(value)
    if name in _BACKGROUNDS:
        return all(_is_background(token) for token in value)
    if word in allowed.NEUTRAL:
        return name not in ("all", "display")
    if name == "color-scheme":
        return _word(value[:1]) == "light"
    if name in allowed.WORDS:
        return word in allowed.WORDS[name]
    key = next((each for each in allowed.LENGTHS_OF_ALL if name.startswith(each)), name)
    if key in allowed.LENGTHS:
        low, high = allowed.LENGTHS[key]
        numbers = [token for token in value if token.type in _NUMBERS]
        return _is_plain(name, value) and all(low <= _pixels(name, token) <= high for token in numbers)
    return (name in allowed.FREE or name.startswith(allowed.FREE_PREFIXES)) and _is_plain(name, value)


def _without_spaces(value: Value) -> Value:
    return [token for token in value if token.type not in ("whitespace", "comment")]


def _word(value: Value) -> str:
    return value[0].lower_value if len(value) == 1 and value[0].type == "ident" else ""


def _is_plain(name: str, value: Value) -> bool:
    """Words, numbers, colours and names of fonts, but a line through the text and fonts of signs."""
    names_font = name.startswith(("font", "mso-"))  # elsewhere a string may be shown
    return all(
        (token.type in _PLAIN and _word([token]) not in ("line-through", *allowed.FONTS_OF_SIGNS))
        or (token.type == "string" and names_font and token.value.lower() not in allowed.FONTS_OF_SIGNS)
        or (token.type == "function" and token.lower_name in _COLOUR_FUNCTIONS)
        for token in value
    )


def _pixels(name: str, token: Any) -> float:
    """A length as CSS pixels, as if the font had 16 and the page 800; NaN, which lies in no range, in other units."""
    if token.type == "dimension":
        return float(token.value) * _PIXELS.get(token.lower_unit, math.nan)
    if token.type == "percentage":
        return float(token.value) * (0.16 if name in _OF_FONT else 8)
    return float(token.value) * (16 if name in ("font", "line-height") else 1)


def _scale(value: Value) -> float:
    """By how much a size of font is smaller, or larger, than that around it."""
    factors = {"em": 1.0, "ex": 0.5, "%": 0.01}
    units = [(token, "%" if token.type == "percentage" else getattr(token, "lower_unit", "")) for token in value]
    relative = [float(token.value) * factors[unit] for token, unit in units if unit in factors]
    return math.prod(relative) * (0.8 if _word(value) == "smaller" else 1)


def _brightness(colour: Any) -> float:
    """How light a colour is on white, from 0 to 1 (AERT, 2.2); NaN, neither light nor dark, where it can't be told."""
    if colour is None or colour == "currentColor":
        return math.nan
    return float((0.299 * colour.red + 0.587 * colour.green + 0.114 * colour.blue - 1) * colour.alpha + 1)


def _is_text_colour(value: Value) -> bool:
    """Whether text in this colour is read on a light background. An undefined variable leaves the colour as it was."""
    if len(value) == 1 and value[0].type == "function" and value[0].lower_name == "var":
        name, *fallback = _without_spaces(value[0].arguments) or [None]
        is_free = str(getattr(name, "value", "")).startswith(allowed.FREE_PREFIXES)
        return not is_free and (not fallback or _is_text_colour(fallback[1:]))
    return len(value) == 1 and _brightness(color3.parse_color(value[0])) <= LIGHTEST_TEXT


def _is_background(token: Any) -> bool:
    """Whether dark text is read on a background that is said with this, among others."""
    if token.type in (*_NUMBERS, "literal") or _word([token]) in allowed.BACKGROUNDS:
        return True
    colour = color3.parse_color(token)  # those that shine through add up
    return getattr(colour, "alpha", 0) in (0, 1) and _brightness(colour) >= DARKEST_BACKGROUND


def _is_light_on_dark(said: list[tuple[str, Value]]) -> bool:
    """Whether a style says one colour and one background, both opaque, the first much lighter than the second."""
    text = [color3.parse_color(token) for name, value in said if name in _TEXT_COLOURS for token in value]
    behind = [color3.parse_color(token) for name, value in said if name in _BACKGROUNDS for token in value]
    if len(text) != 1 or len(behind) != 1 or not all(getattr(each, "alpha", 0) == 1 for each in (*text, *behind)):
        return False
    return _brightness(text[0]) - _brightness(behind[0]) >= LEAST_DIFFERENCE
