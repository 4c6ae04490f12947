"""Whether a mail client shows text under a given CSS style: yes, no, or not surely.

What surely isn't shown is not said. What may or may not be shown makes its line no answer: a property that isn't known
here to be harmless is such a doubt, so that a trick nobody thought of decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from notifiers.email import caps
from notifiers.email.own_text_css import BACKGROUND_WORDS, HARMLESS, NAMED_COLOURS, Colour

SMALLEST_TEXT = 5.0  # CSS pixels
SMALLEST_BOX = 5.0
LARGEST_SHIFT = 500.0
LARGEST_NUDGE = 20.0
LEAST_CONTRAST = 1.3  # WCAG 2.1's contrast ratio; text wants 4.5, and the palest signatures have about 1.6

_NEUTRAL = frozenset(
    {
        "inherit",
        "initial",
        "unset",
        "revert",
        "auto",
        "normal",
        "none",
        "",
        "windowtext",
        "window",
        "canvas",
        "canvastext",
        "currentcolor",
    }
)
_ABSOLUTE = {"px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "": 1.0}
_RELATIVE = {"em": 1.0, "rem": 1.0, "%": 0.01, "ex": 0.5, "ch": 0.5}
_UNSET = re.compile(r"var\(--[\w-]{1,60}\)")  # what sets a variable is a doubt of its own, so this one is not set
_RGB = re.compile(
    r"rgba?\(\s?(\d{1,3})\s?[, ]\s?(\d{1,3})\s?[, ]\s?(\d{1,3})"
    r"(?:\s?[,/]\s?(\d{1,3}(?:\.\d{1,9})?|\.\d{1,9})(%)?)?\s?\)",
    re.ASCII,
)
_SIZE_WORDS = {"xx-small": 9, "x-small": 10, "small": 13, "medium": 16, "large": 18, "x-large": 24, "xx-large": 32}
_LENGTH = re.compile(r"([+-]?\d{0,6}(?:\.\d{1,12})?)\s?(px|pt|pc|in|cm|mm|em|rem|ex|ch|%|vw|vh|)", re.ASCII)


@dataclass(frozen=True)
class Look:
    """How text looks at one place, inherited from what encloses it."""

    hidden: bool = False
    struck: bool = False
    unseen: bool = False  # by `visibility`, which an element within may take back
    doubtful: bool = False
    ink: Colour = (0, 0, 0)
    paper: Colour = (255, 255, 255)
    size: float = 16.0
    keeps_lines: bool = False
    block: bool | None = None  # what `display` says of this element, where it says it

    @property
    def gone(self) -> bool:
        """Whether surely no reader sees this text."""
        return self.hidden or self.struck or self.unseen or self.size < 1

    @property
    def unsure(self) -> bool:
        """Whether a reader may not see this text."""
        return self.doubtful or self.size < SMALLEST_TEXT or _contrast(self.ink, self.paper) < LEAST_CONTRAST


def styled(look: Look, style: str) -> Look:
    """The look inside an element with this `style` attribute."""
    look = replace(look, block=None) if look.block is not None else look
    if not style:
        return look
    if len(style) > caps.LONGEST_STYLE:
        return replace(look, doubtful=True)
    placed: dict[str, list[str]] = {}
    for declaration in style.split(";"):
        name, colon, value = declaration.partition(":")
        name, value = name.strip().lower(), value.strip().lower().removesuffix("!important").strip()
        if colon and name in _PLACING:
            placed.setdefault(name, []).append(value)
        elif colon and name:
            look = _declared(look, name, value)
    return _placed(_displayed(look, placed.pop("display", [])), placed)


def coloured(look: Look, ink: str = "", paper: str = "") -> Look:
    """The look inside an element with HTML's own colour attributes."""
    if ink:
        look = _inked(look, ink.strip().lower())
    return _papered(look, paper.strip().lower()) if paper else look


def _displayed(look: Look, displays: list[str]) -> Look:
    if not displays:
        return look
    if set(displays) == {"none"}:
        return replace(look, hidden=True)
    value = displays[-1]
    if "none" in displays or value not in _DISPLAYS:
        return replace(look, doubtful=True)
    return replace(look, block=_DISPLAYS[value])


_SIDES = ("left", "top", "right", "bottom")
_PLACING = frozenset(
    {"display", "position", "width", "height", "max-width", "max-height", "overflow", "overflow-y", *_SIDES}
)
_DISPLAYS = {
    "block": True, "inline": False, "inline-block": False, "list-item": True, "table": True, "table-row": True,
    "table-cell": None, "initial": None, "inherit": None, "unset": None, "revert": None, "table-row-group": True,
}  # fmt: skip


def _placed(look: Look, placed: dict[str, list[str]]) -> Look:
    """What the size and place of its box make of an element; said twice, it is a doubt."""
    box = {name: values[-1] for name, values in placed.items()}
    lifted = box.get("position", "static") not in ("static", "relative", *_NEUTRAL)
    if lifted and any(_pixels(box.get(side, "")) <= -LARGEST_SHIFT for side in _SIDES):
        return replace(look, hidden=True)
    flat = any(box.get(name) in ("0", "0px", "0pt") for name in ("height", "max-height"))
    if flat and {box.get("overflow"), box.get("overflow-y")} & {"hidden", "clip"}:
        return replace(look, hidden=True)
    moved = any(abs(_pixels(box.get(side, ""))) > LARGEST_NUDGE for side in _SIDES)
    doubtful = lifted or moved or any(len(set(values)) > 1 for values in placed.values())
    for name in ("width", "height", "max-width", "max-height"):
        doubtful = doubtful or not _is_roomy(box.get(name, "auto"))
    return replace(look, doubtful=look.doubtful or doubtful)


def _pixels(value: str) -> float:
    """A length in pixels; 0 for what is none, far away for what can't be told."""
    if value in _NEUTRAL:
        return 0.0
    length = _length(value)
    return length[0] * _ABSOLUTE.get(length[1], 16.0) if length else LARGEST_NUDGE + 1


def _is_roomy(value: str) -> bool:
    if value in _NEUTRAL or value in ("fit-content", "max-content", "min-content"):
        return True
    length = _length(value)
    return length is not None and length[0] >= (SMALLEST_BOX if length[1] in _ABSOLUTE else 0.05)


def _declared(look: Look, name: str, value: str) -> Look:
    if name.startswith("mso-"):
        return replace(look, doubtful=look.doubtful or (name == "mso-hide" and value != "none"))
    if name in HARMLESS and ("\\" not in value or name == "font-family"):
        return look
    if "\\" in name or "\\" in value or "/*" in name or ("(" in value and not value.startswith(("rgb", "var(--"))):
        return replace(look, doubtful=True)
    reader = _READERS.get(name)
    if reader is None:
        return replace(look, doubtful=True)
    return reader(look, value)


def _inked(look: Look, value: str) -> Look:
    if value in _NEUTRAL or _UNSET.fullmatch(value):
        return look
    colour = _colour(value, look.paper)
    return replace(look, ink=colour) if colour else replace(look, doubtful=True)


def _papered(look: Look, value: str) -> Look:
    for word in value.replace(", ", ",").split():
        colour = _colour(word, look.paper)
        if colour:
            return replace(look, paper=colour)
        if word not in _NEUTRAL and not _UNSET.fullmatch(word) and word not in BACKGROUND_WORDS and not _length(word):
            return replace(look, doubtful=True)
    return look


def _colour(value: str, paper: Colour) -> Colour | None:
    """The colour a value makes on this paper; None where it can't be told."""
    if value in NAMED_COLOURS:
        return NAMED_COLOURS[value]
    if re.fullmatch(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", value, re.ASCII):
        digits = value[1:] if len(value) > 5 else "".join(digit * 2 for digit in value[1:])
        parts = [int(digits[n : n + 2], 16) for n in range(0, len(digits), 2)]
        return _mixed(parts[:3], parts[3] / 255 if len(parts) > 3 else 1.0, paper)
    numbers = _RGB.fullmatch(value)
    if not numbers:
        return None
    alpha = float(numbers[4] or 1) * (0.01 if numbers[5] else 1)
    return _mixed([int(numbers[n]) for n in (1, 2, 3)], alpha, paper)


def _mixed(ink: list[int], alpha: float, paper: Colour) -> Colour:
    red, green, blue = (round(ink[n] * alpha + paper[n] * (1 - alpha)) for n in range(3))
    return red, green, blue


def _length(value: str) -> tuple[float, str] | None:
    match = _LENGTH.fullmatch(value)
    if not match or not match[1].strip("+-."):
        return None
    return float(match[1]), match[2]


def _sized(look: Look, value: str) -> Look:
    if value in _NEUTRAL or value in ("larger", "smaller"):
        return look
    if value in _SIZE_WORDS:
        return replace(look, size=float(_SIZE_WORDS[value]))
    length = _length(value)
    if length and length[1] in _ABSOLUTE:
        return replace(look, size=length[0] * _ABSOLUTE[length[1]])
    if length and length[1] in _RELATIVE:
        return replace(look, size=length[0] * _RELATIVE[length[1]] * (16.0 if length[1] == "rem" else look.size))
    return replace(look, doubtful=True)


def _font(look: Look, value: str) -> Look:
    for word in value.split():
        size = word.partition("/")[0]
        if _length(size) and not size.isdigit():
            return _sized(look, size)
    return look


def _shifted(look: Look, value: str) -> Look:
    lengths = [_length(word) for word in value.split() if word not in _NEUTRAL]
    far = any(
        each is None or abs(each[0]) > LARGEST_SHIFT or each[0] * _ABSOLUTE.get(each[1], 16) < -60 for each in lengths
    )
    return replace(look, doubtful=look.doubtful or far)


def _faded(look: Look, value: str) -> Look:
    length = _length(value)
    if length and length[0] == 0:
        return replace(look, hidden=True)
    return replace(look, doubtful=look.doubtful or not length or length[0] < 0.3)


def _decorated(look: Look, value: str) -> Look:
    return replace(look, struck=look.struck or "line-through" in value)


def _seen(look: Look, value: str) -> Look:
    if value in ("visible", "hidden", "collapse"):
        return replace(look, unseen=value != "visible")
    return look if value == "inherit" else replace(look, doubtful=True)


def _spaced(look: Look, value: str) -> Look:
    return replace(look, keeps_lines=value.startswith(("pre", "break-spaces"))) if value != "inherit" else look


_LINE_UNITS = {"": 16.0, "em": 16.0, "rem": 16.0, "%": 0.16, "pt": 4 / 3}


def _line_high(look: Look, value: str) -> Look:
    length = _length(value)
    low = length is not None and length[0] * _LINE_UNITS.get(length[1], 1.0) < SMALLEST_BOX
    return replace(look, doubtful=look.doubtful or low or (length is None and value not in _NEUTRAL))


def _only(*values: str) -> Callable[[Look, str], Look]:
    return lambda look, value: look if value in values or value in _NEUTRAL else replace(look, doubtful=True)


_READERS: dict[str, Callable[[Look, str], Look]] = {
    "color": _inked, "-webkit-text-fill-color": _inked, "background": _papered, "background-color": _papered,
    "background-image": _only(), "font-size": _sized, "font": _font, "opacity": _faded, "line-height": _line_high,
    "text-decoration": _decorated, "text-decoration-line": _decorated, "-webkit-text-decoration": _decorated,
    "text-line-through": _only(), "white-space": _spaced, "white-space-collapse": _spaced,
    "text-indent": _shifted,
    "margin": _shifted, "margin-left": _shifted, "margin-right": _shifted, "margin-top": _shifted,
    "margin-inline-start": _shifted, "margin-inline-end": _shifted, "margin-block-start": _shifted,
    "margin-block-end": _shifted, "padding-inline-start": _shifted, "padding-block": _shifted,
    "margin-bottom": _shifted, "margin-block": _shifted, "margin-inline": _shifted, "padding": _shifted,
    "padding-left": _shifted, "padding-right": _shifted, "padding-top": _shifted, "padding-bottom": _shifted,
    "visibility": _seen, "float": _only(),
    "zoom": _only("1", "100%"),
    "unicode-bidi": _only("embed", "isolate", "plaintext"), "writing-mode": _only("horizontal-tb"),
    "text-orientation": _only("mixed"), "filter": _only(), "transform": _only(), "clip": _only(), "box-shadow": _only(),
    "text-shadow": _only(), "z-index": _only(),
}  # fmt: skip


def _contrast(one: Colour, other: Colour) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = ((c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
