"""What CSS makes of a text: readable, hidden, in doubt, or out of its place.

An allow-list, not a model of a browser: a declaration that is not known to leave text as it was puts the text in doubt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import tinycss2
from tinycss2 import color4

from notifiers.email.html import elements

DARKEST_BACKGROUND, LIGHTEST_TEXT = 0.75, 0.4  # relative luminance, as WCAG 2.1 defines it
SMALLEST, LARGEST = 6.0, 100.0  # CSS pixels of a font
LARGEST_OFFSET = 5.0  # CSS pixels that text may be moved by
_PIXELS = {"px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "em": 16.0, "rem": 16.0, "ex": 8.0}
LEAST_CONTRAST = 3.0  # as WCAG 2.1 measures it
_COLOURS = frozenset({"color", "background", "background-color"})
_NEUTRAL = frozenset({"inherit", "initial", "unset", "revert", "auto", "normal", "none"})
_SMALLEST_CLIP = {"width": 100.0, "max-width": 100.0, "height": 15.0, "max-height": 15.0}
_TEXT_COLOURS = frozenset(
    {"windowtext", "canvastext", "inherit", "initial", "unset", "currentcolor", "revert", "black"}
)
_BACKGROUND_COLOURS = frozenset({"transparent", "window", "canvas", "white", *_NEUTRAL})
_BLOCKS = frozenset({"block", "list-item", "table", "table-row", "table-row-group", "table-header-group"})
_INLINE = frozenset({"inline", "inline-block", "inline-table", "table-cell"})
_SIZES = frozenset(["small", "smaller", "medium", "large", "larger", "x-large", "xx-large"])


class Style(NamedTuple):
    """What one style says. `block` and `keeps_lines` are None where it doesn't say."""

    hidden: bool = False
    doubtful: bool = False
    displaced: bool = False  # may stand over, or above, what is shown before it
    anywhere: bool = False  # may stand over anything
    block: bool | None = None
    keeps_lines: bool | None = None
    scale: float = 1.0  # of the font
    coloured: bool = False  # says a colour, or a background
    dark: bool = False  # light text on a dark background: readable until an element within says a colour, too


PLAIN = Style()
Value = Sequence[Any]  # tinycss2's tokens, without white space and comments


@lru_cache(maxsize=2_048)
def inline_style(text: str) -> Style:
    """What a style attribute says; what is escaped or commented in it, programs read differently."""
    if "\\" in text or "/*" in text or "\xa0" in text:
        return Style(doubtful=True)
    return read(tinycss2.parse_blocks_contents(text, skip_comments=True, skip_whitespace=True))


def read(declarations: Sequence[Any], *, dark: bool = False) -> Style:
    """What a list of declarations says together; `dark`: they hold in dark mode only, so colours don't matter."""
    style = PLAIN
    displays = set()
    if not dark and _is_light_on_dark(declarations):
        style = PLAIN._replace(dark=True)
    for each in declarations:
        if each.type != "declaration":
            style = style._replace(doubtful=True)
            continue
        value = [token for token in each.value if token.type not in ("whitespace", "comment")]
        if each.lower_name == "display":
            displays.add(_word(value))
        elif not (dark and each.lower_name.endswith(("color", "background"))):
            style = _with(style, each.lower_name, value)
            style = style._replace(coloured=style.coloured or each.lower_name in _COLOURS)
    return _displayed(style._replace(doubtful=style.doubtful or _clips(declarations)), displays)


def _clips(declarations: Sequence[Any]) -> bool:
    """Whether a style cuts off what a box doesn't hold, and makes the box small."""
    said = {each.lower_name: each.value for each in declarations if each.type == "declaration"}
    overflows = [value for name, value in said.items() if name.startswith("overflow")]
    if all(_word([token for token in value if token.type != "whitespace"]) == "visible" for value in overflows):
        return False
    sizes = ((_number(token), least) for name, least in _SMALLEST_CLIP.items() for token in said.get(name, ()))
    return any(size is not None and size < least for size, least in sizes)


def _is_light_on_dark(declarations: Sequence[Any]) -> bool:
    """Whether a style says one colour and one background, the first much lighter than the second."""
    found: dict[str, list[tuple[float, float] | None]] = {"color": [], "background": []}
    for each in declarations:
        if each.type == "declaration" and each.lower_name in _COLOURS:
            tokens = [token for token in each.value if token.type != "whitespace"]
            found[each.lower_name.removesuffix("-color")] += map(_lightness, tokens)
    (text, *more), (behind, *others) = found["color"] or [None], found["background"] or [None]
    if more or others or text is None or behind is None:
        return False
    return text[1] == behind[1] == 1 and (text[0] + 0.05) / (behind[0] + 0.05) >= LEAST_CONTRAST


def _displayed(style: Style, displays: set[str]) -> Style:
    if not displays:
        return style
    block = {word in _BLOCKS for word in displays}
    known = displays <= _BLOCKS | _INLINE and len(block) == 1
    hidden = displays == {"none"} and not style.displaced
    return style._replace(
        hidden=hidden, doubtful=(style.doubtful and not hidden) or not (known or hidden), block=block.pop()
    )


def _with(style: Style, name: str, value: Value) -> Style:
    word = _word(value)
    if name == "white-space":
        return style._replace(keeps_lines=word.startswith("pre"), doubtful=style.doubtful or word not in _SPACES)
    if name in _MOVES or name.startswith(("inset", "offset", "position-", "anchor", "grid", "flex")):
        stays = (word in _NEUTRAL and name != "all") or _MOVES.get(name, _never)(value)
        return style if stays else style._replace(displaced=True, anywhere=style.anywhere or name == "position")
    if name == "font-size":
        style = style._replace(scale=style.scale * _scale(value))
    if style.dark and name in _COLOURS:
        return style
    known = _READERS.get(name) or (_any if name in elements.FREE or name.startswith(elements.FREE_PREFIXES) else _never)
    fine = known(value) or (word in _NEUTRAL and name not in ("color", "font-size", "opacity"))
    return style if fine else style._replace(doubtful=True)


def _word(value: Value) -> str:
    return value[0].lower_value if len(value) == 1 and value[0].type == "ident" else ""


def _number(token: Any) -> float | None:
    """A token as CSS pixels; None where it is no length that can be told."""
    if token.type == "number":
        return float(token.value)
    if token.type == "percentage":
        return float(token.value) * 8  # of a page that may be so wide
    if token.type == "dimension" and token.lower_unit in _PIXELS:
        return float(token.value) * _PIXELS[token.lower_unit]
    return None


def _any(value: Value) -> bool:
    """Words, numbers, strings and colours, whatever they are."""
    return all(
        token.type in ("ident", "number", "dimension", "percentage", "string", "hash", "literal", "unicode-range")
        or (token.type == "function" and token.lower_name in ("rgb", "rgba", "hsl", "hsla"))
        for token in value
    )


def _never(value: Value) -> bool:
    return False


def _words(*words: str) -> Callable[[Value], bool]:
    return lambda value: _word(value) in words


def _lengths(low: float, high: float) -> Callable[[Value], bool]:
    """Any plain value whose lengths are so many pixels."""

    def fits(value: Value) -> bool:
        sizes = [_number(token) for token in value if token.type in ("number", "dimension", "percentage")]
        return _any(value) and all(size is not None and low <= size <= high for size in sizes)

    return fits


def _scale(value: Value) -> float:
    token = value[0] if len(value) == 1 else None
    if token is not None and token.type == "percentage":
        return float(token.value) / 100
    return float(token.value) if token is not None and getattr(token, "lower_unit", "") in ("em", "ex") else 1.0


def _is_readable_size(value: Value) -> bool:
    if _word(value) in _SIZES or _word(value) in ("inherit", "initial", "unset"):
        return True
    if len(value) != 1:
        return False
    size = float(value[0].value) * 0.16 if value[0].type == "percentage" else _number(value[0])
    return size is not None and SMALLEST <= size <= LARGEST


def _is_readable_height(value: Value) -> bool:
    """Whether lines of this height don't cover each other."""
    least = {"number": 0.8, "percentage": 60 * 8, "dimension": SMALLEST}
    size = _number(value[0]) if len(value) == 1 else None
    return size is not None and size >= least.get(value[0].type, 0)


def _is_readable_font(value: Value) -> bool:
    """`font` names a size where it isn't one word; the line's height may follow behind a slash."""
    sizes = [token for token in value if token.type in ("dimension", "percentage")]
    words = {token.lower_value for token in value if token.type == "ident"}
    named = bool(words & (_SIZES | {"inherit", "initial", "menu", "caption"}))
    return _any(value) and (_is_readable_size(sizes[:1]) if sizes else named)


def luminance(red: float, green: float, blue: float) -> float:
    """How light a colour is, of parts from 0 to 1 (WCAG 2.1, relative luminance)."""
    linear = (part / 12.92 if part <= 0.04 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue))
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def _lightness(token: Any) -> tuple[float, float] | None:
    """How light a colour is, and how opaque; None where it is none that can be told."""
    colour = color4.parse_color(token)
    if colour is None or colour == "currentcolor" or colour.space not in ("srgb", "hsl", "hwb"):
        return None
    red, green, blue = colour.to("srgb").coordinates
    return luminance(red or 0, green or 0, blue or 0), float(colour.alpha)


def is_text_colour(value: Value) -> bool:
    """Whether text in this colour is read on a light background. An undefined variable leaves the colour as it was."""
    if len(value) != 1:
        return False
    if _word(value) in _TEXT_COLOURS or (value[0].type == "function" and value[0].lower_name == "var"):
        return True
    found = _lightness(value[0])
    return found is not None and found[0] * found[1] + 1 - found[1] <= LIGHTEST_TEXT


def is_background(value: Value) -> bool:
    """Whether dark text is read on this background."""
    for token in value:
        word = token.lower_value if token.type == "ident" else ""
        plain = (
            word in _BACKGROUND_COLOURS
            or word in _BACKGROUNDS
            or token.type in ("number", "dimension", "percentage", "literal")
        )
        found = None if plain else _lightness(token)
        if not plain and (found is None or found[0] * found[1] + 1 - found[1] < DARKEST_BACKGROUND):
            return False
    return True


def is_coloured_plainly(name: str, value: str) -> bool:
    """Whether an attribute of HTML's own, such as `bgcolor`, leaves text readable."""
    value = f"#{value}" if re.fullmatch("[0-9a-f]{6}", value) else value
    tokens = tinycss2.parse_component_value_list(value.strip(), skip_comments=True)
    if len(tokens) != 1 or tokens[0].type not in ("ident", "hash") or _lightness(tokens[0]) is None:
        return False  # other values are other colours there than in CSS
    return is_background(tokens) if name == "bgcolor" else is_text_colour(tokens)


_BACKGROUNDS = frozenset({
    "repeat", "no-repeat", "repeat-x", "repeat-y", "scroll", "fixed", "local", "center", "left", "right", "top",
    "bottom",
})  # fmt: skip
_SPACES = frozenset({
    "normal", "nowrap", "pre", "pre-wrap", "pre-line", "break-spaces", "inherit", "initial", "unset",
})  # fmt: skip
_LOGICAL = tuple(f"-{axis}{end}" for axis in ("block", "inline") for end in ("", "-start", "-end"))
_SIDES = ("left", "top", "right", "bottom")
# What may put text over or above other text, and what it may still say.
_MOVES: dict[str, Callable[[Value], bool]] = {
    "position": _words("static", "relative", "inherit", "initial"),
    **{side: _lengths(-LARGEST_OFFSET, LARGEST_OFFSET) for side in _SIDES},
    "margin": _lengths(-8, 800), "margin-left": _lengths(-10, 800), "margin-right": _lengths(-10, 800),
    **{f"margin{part}": _lengths(-8, 800) for part in _LOGICAL},
    "margin-top": _lengths(-8, 800), "margin-bottom": _lengths(-8, 800),
    "box-shadow": _lengths(-10, 20), "outline": _lengths(0, 10), "outline-width": _lengths(0, 10),
    "transform": _never, "translate": _never, "rotate": _never, "scale": _never, "order": _never, "all": _never,
    "content": _never, "clip": _never, "clip-path": _never, "mask": _never, "mask-image": _never, "filter": _never,
    "columns": _never,
}  # fmt: skip
_READERS: dict[str, Callable[[Value], bool]] = {
    "color": is_text_colour, "background": is_background, "background-color": is_background,
    "-webkit-text-fill-color": is_text_colour,
    "font-size": _is_readable_size, "font": _is_readable_font,
    "visibility": _words("visible", "inherit", "initial"), "opacity": lambda v: len(v) == 1 and _number(v[0]) == 1,
    "line-height": _is_readable_height,
    "width": _lengths(20, 2500), "max-width": _lengths(100, 8000), "min-width": _lengths(0, 800),
    "height": _lengths(8, 8000), "max-height": _lengths(100, 80000), "min-height": _lengths(0, 1000),
    "text-indent": _lengths(-40, 100), "letter-spacing": _lengths(-1, 5), "word-spacing": _lengths(-1, 10),
    "text-decoration": lambda v: _any(v) and not any(_word([t]) == "line-through" for t in v),
    "text-decoration-line": lambda v: _any(v) and not any(_word([t]) == "line-through" for t in v),
    "vertical-align": _lengths(-8, 80), "zoom": _lengths(1, 1), "mso-hide": _words("none"),
    "unicode-bidi": _words("normal", "embed", "isolate", "plaintext"),
    "writing-mode": _words("horizontal-tb"), "text-shadow": _words("none"), "float": _words("none"),
    "-webkit-text-stroke-width": _lengths(0, 0), "-webkit-text-stroke": _lengths(0, 0),
    "-webkit-text-size-adjust": _any, "color-scheme": lambda v: bool(v) and _word(v[:1]) in ("light", "normal", "only"),
    "list-style": lambda v: _any(v) and all(t.type == "ident" for t in v),
    "list-style-image": _words("none"), "list-style-type": lambda v: all(t.type == "ident" for t in v),
    "text-transform": _words("none", "uppercase", "lowercase", "capitalize"),
    "background-image": _words("none"), "background-clip": _words("border-box", "padding-box", "initial"),
    "overflow": _any, "overflow-x": _any, "overflow-y": _any, "font-size-adjust": _words("none", "inherit"),
    **{f"{name}{part}": _lengths(0, 50) for name in ("border", *(f"border-{side}" for side in _SIDES))
       for part in ("", "-width", "-style", "-color", "-radius")},
    **{f"padding{part}": _lengths(0, 400) for part in (*("", *_LOGICAL), *(f"-{side}" for side in _SIDES))},
}  # fmt: skip
