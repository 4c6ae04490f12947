"""What CSS says of the text itself: its colours, size, lines and marks."""

from __future__ import annotations

import re

from notifiers.email.html.css import BACKGROUND_WORDS, NAMED_COLOURS
from notifiers.email.html.style import LARGEST_SHIFT, WORD, Reader, Style, only, within
from notifiers.email.html.values import NEUTRAL, SIZE_WORDS, UNSET, WHITE, colour, length

SMALLEST_LINE = 5.0  # CSS pixels


def _ink(style: Style, value: str) -> bool:
    style.ink = "inherit" if value in UNSET else value
    return value in UNSET or colour(value, WHITE) is not None


def _fill(style: Style, value: str) -> bool:
    return value in UNSET or value == "initial"


def _paper(style: Style, value: str) -> bool:
    """The colour in a background; none, or a transparent one, shows what is behind."""
    style.paper = "transparent"
    for word in WORD.findall(value.replace(", ", ",")):
        if word in NAMED_COLOURS or word[0] == "#" or word.startswith("rgb") or word in ("canvas", "window"):
            style.paper = word
            if colour(word, WHITE) is None:
                return False
        elif word not in BACKGROUND_WORDS and not length(word):
            return False
    return True


def _size(style: Style, value: str) -> bool:
    style.size = value
    found = length(value)
    style.vanishes = style.vanishes or (found is not None and found[0] == 0)
    if found and (found[0] < 0 or (found[1] in ("vw", "vh"))):
        return False
    return found is not None or value in NEUTRAL or value in SIZE_WORDS or value in ("larger", "smaller")


_FONT = re.compile(
    r"(?:(?:normal|italic|oblique|small-caps|bold|bolder|lighter|[1-9]00|condensed|expanded)[ \t\n\f\r]++){0,4}"
    r"(?P<size>[\w.%-]++)(?:/(?P<line>[\w.%]++))?[ \t\n\f\r].+",
    re.ASCII | re.DOTALL,
)


def _font(style: Style, value: str) -> bool:
    if value in NEUTRAL:
        return _size(style, value)
    match = _FONT.fullmatch(value)
    return match is not None and _size(style, match["size"]) and _line_height(style, match["line"] or "normal")


_LINE_UNITS = {"": 16.0, "em": 16.0, "rem": 16.0, "%": 0.16, "pt": 4 / 3}


def _line_height(style: Style, value: str) -> bool:
    found = length(value)
    if found is None:
        return value in NEUTRAL
    style.dim = style.dim or not SMALLEST_LINE <= found[0] * _LINE_UNITS.get(found[1], 1.0) <= LARGEST_SHIFT
    return True


def _opacity(style: Style, value: str) -> bool:
    found = length(value)
    if not found or found[1] not in ("", "%"):
        return value in NEUTRAL
    style.vanishes = style.vanishes or found[0] == 0
    style.dim = style.dim or 0 < found[0] * (0.01 if found[1] else 1) < 0.3
    return True


def _decoration(style: Style, value: str) -> bool:
    style.strikes = style.strikes or value == "line-through"
    style.decorates = True
    return value == "line-through" or "line-through" not in value


def _visibility(style: Style, value: str) -> bool:
    style.vanishes = style.vanishes or value in ("hidden", "collapse")
    style.shows = style.shows or value not in ("hidden", "collapse", "inherit")
    return value in ("visible", "hidden", "collapse", "inherit", "initial", "unset")


_WHITE_SPACE = {
    "normal": False, "nowrap": False, "initial": False, "collapse": False, "pre": True, "pre-wrap": True,
    "pre-line": True, "break-spaces": True, "preserve": True, "preserve-breaks": True,
}  # fmt: skip


def _white_space(style: Style, value: str) -> bool:
    style.keeps_lines = _WHITE_SPACE.get(value)
    return value in _WHITE_SPACE or value in ("inherit", "unset")


READERS: dict[str, Reader] = {
    "color": _ink, "-webkit-text-fill-color": _fill, "background": _paper, "background-color": _paper,
    "background-image": only(), "background-blend-mode": only(), "background-clip": only("border-box", "padding-box"),
    "color-scheme": only("light", "light dark", "dark light", "light only", "only light"), "filter": only(),
    "font-size": _size, "font": _font, "font-size-adjust": only(), "line-height": _line_height, "opacity": _opacity,
    "letter-spacing": within(-1, 30), "word-spacing": within(-3, 50), "quotes": only(), "visibility": _visibility,
    "text-decoration": _decoration, "text-decoration-line": _decoration,
    "-webkit-text-decoration": only("underline"), "text-line-through": only(),
    "white-space": _white_space, "white-space-collapse": _white_space,
    "-webkit-text-size-adjust": only("100%"), "text-size-adjust": only("100%"),
    "-webkit-text-stroke": only("0", "0px"), "-webkit-text-stroke-width": within(0, 1),
    "unicode-bidi": only("embed", "isolate", "plaintext"), "writing-mode": only("horizontal-tb"),
    "text-orientation": only("mixed"),
}  # fmt: skip
