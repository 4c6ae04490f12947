"""The values of CSS properties: lengths and colours. What can't be told is None."""

from __future__ import annotations

import re
from functools import lru_cache

from notifiers.email.html.css import NAMED_COLOURS, Colour

ABSOLUTE = {"px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "": 1.0}
RELATIVE = {"em": 1.0, "rem": 1.0, "%": 0.01, "ex": 0.5, "ch": 0.5}
UNSET = frozenset({"inherit", "unset", "revert", "currentcolor", "auto", ""})
NEUTRAL = frozenset({"inherit", "initial", "unset", "revert", "auto", "normal", "none", ""})
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
# What a browser, and Word, draw by themselves.
_SYSTEM = {"initial": BLACK, "windowtext": BLACK, "canvastext": BLACK, "window": WHITE, "canvas": WHITE}
SIZE_WORDS = {"xx-small": 9, "x-small": 10, "small": 13, "medium": 16, "large": 18, "x-large": 24, "xx-large": 32}
_LENGTH = re.compile(r"([+-]?\d{0,6}(?:\.\d{1,12})?)(px|pt|pc|in|cm|mm|em|rem|ex|ch|%|vw|vh|)", re.ASCII)
_HEX = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", re.ASCII)
_RGB = re.compile(
    r"rgba?\((\d{1,3})([, ])(\d{1,3})\2(\d{1,3})(?:[,/](\d{1,3}(?:\.\d{1,9})?|\.\d{1,9})(%)?)?\)",
    re.ASCII,
)
_AROUND = re.compile(r" ?([,/()]) ?")
_PERCENT = 8.0  # pixels, of a page that may be so wide


def length(value: str) -> tuple[float, str] | None:
    """A length as its number and unit."""
    match = _LENGTH.fullmatch(value)
    if not match or not match[1].strip("+-."):
        return None
    return float(match[1]), match[2]


def pixels(value: str) -> float | None:
    """A length in pixels, roughly; neutral words are 0."""
    if value in NEUTRAL:
        return 0.0
    found = length(value)
    if found is None:
        return None
    return found[0] * (_PERCENT if found[1] in ("%", "vw", "vh") else ABSOLUTE.get(found[1], 16.0))


def colour(value: str, paper: Colour) -> Colour | None:
    """The colour a value of CSS makes on this paper."""
    if value in NAMED_COLOURS:
        return NAMED_COLOURS[value]
    if value in _SYSTEM:
        return _SYSTEM[value]
    if value == "transparent":
        return paper
    if _HEX.fullmatch(value):
        digits = value[1:] if len(value) > 5 else "".join(digit * 2 for digit in value[1:])
        parts = [int(digits[n : n + 2], 16) for n in range(0, len(digits), 2)]
        return _mixed(parts[:3], parts[3] / 255 if len(parts) > 3 else 1.0, paper)
    numbers = _RGB.fullmatch(_AROUND.sub(r"\1", value)) if len(value) < 80 else None
    if not numbers:
        return None
    alpha = float(numbers[5] or 1) * (0.01 if numbers[6] else 1)
    return _mixed([min(int(numbers[n]), 255) for n in (1, 3, 4)], min(alpha, 1.0), paper)


def of_attribute(value: str) -> str | None:
    """A colour of HTML's own attributes as one of CSS; what isn't plain is another colour there than in CSS."""
    if value in NAMED_COLOURS or re.fullmatch(r"#[0-9a-f]{6}|#[0-9a-f]{3}", value, re.ASCII):
        return value
    return "#" + value if re.fullmatch(r"[0-9a-f]{6}", value, re.ASCII) else None


def _mixed(ink: list[int], alpha: float, paper: Colour) -> Colour:
    red, green, blue = (round(ink[n] * alpha + paper[n] * (1 - alpha)) for n in range(3))
    return red, green, blue


@lru_cache(maxsize=4_096)
def contrast(one: Colour, other: Colour) -> float:
    """WCAG 2.1's contrast ratio."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = ((c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
