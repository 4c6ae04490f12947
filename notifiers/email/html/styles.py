"""What CSS makes of a text: readable, hidden, in doubt, or out of its place.

An allow-list, not a model of a browser: a declaration that is not known to leave text as it was puts the text in doubt.
"""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import tinycss2
from tinycss2 import color3

from notifiers.email import limits
from notifiers.email.folding import read_toml

ALLOWED = read_toml("html")
_WORDS = {name: frozenset(words.split()) for name, words in ALLOWED["words"].items()}
_LENGTHS: dict[str, tuple[float, float]] = ALLOWED["lengths"]
DARKEST_BACKGROUND, LIGHTEST_TEXT = 0.88, 0.58  # brightness, from 0 to 1
_PIXELS = {"px": 1.0, "pt": 4 / 3, "pc": 16.0, "in": 96.0, "cm": 37.8, "mm": 3.78, "em": 16.0, "rem": 16.0, "ex": 8.0}
_NUMBERS = ("number", "dimension", "percentage")
_COLOUR_FUNCTIONS = ("rgb", "rgba", "hsl", "hsla")
_BROWSER = re.compile("^-(?:webkit|moz|ms|apple|qt)-")
_NAME = re.compile(r"[.#]?-?[a-z_\u0080-\U0010ffff][\w-]*")
_PSEUDO = re.compile(r"::?[\w-]*")
_DARK_MODE = re.compile(r"\s*((only )?(screen|all) and )?\(prefers-color-scheme:\s*dark\)\s*")
DEEPEST_GROUP = 3  # levels of `@media` and the like in each other

Value = Sequence[Any]  # tinycss2's tokens, without white space and comments


def listed(key: str) -> frozenset[str]:
    """The words of one list of `html.toml`."""
    return frozenset(ALLOWED[key].split())


_MOVING, _FREE_PREFIXES = tuple(ALLOWED["moving"].split()), tuple(ALLOWED["free_prefixes"].split())
_NEUTRAL, _FREE, _BACKGROUNDS = listed("neutral"), listed("free"), listed("backgrounds")
_BLOCKS, _TEXT_COLOURS, _SIGNS = listed("blocks"), listed("text_colours"), listed("fonts_of_signs")


class Style(NamedTuple):
    """What one style says. `block` and `keeps_lines` are None where it doesn't say."""

    hidden: bool = False
    doubtful: bool = False
    displaced: bool = False  # may stand over, or above, what is shown before it
    anywhere: bool = False  # may stand over anything
    block: bool | None = None
    keeps_lines: bool | None = None
    resized: bool = False  # to a fraction or a multiple of the text around


PLAIN = Style()


@lru_cache(maxsize=2_048)
def inline_style(text: str) -> Style:
    """What a style attribute says; in doubt if it has escapes or comments, which programs read differently."""
    if "\\" in text or "/*" in text or "\xa0" in text:
        return Style(doubtful=True)
    return _read(tinycss2.parse_blocks_contents(text, skip_comments=True, skip_whitespace=True))


def _read(declarations: Sequence[Any], *, dark_mode: bool = False) -> Style:
    """What a list of declarations says together; if it holds in dark mode only, its colours don't matter."""
    known = [each for each in declarations if each.type == "declaration"]
    declared = [(_BROWSER.sub("", each.lower_name), _without_spaces(each.value)) for each in known]
    if dark_mode:
        declared = [(name, value) for name, value in declared if not name.endswith(("color", "background"))]
    wrong = {name for name, value in declared if not _is_plain(name, value)}
    moving = {name for name in wrong if name.startswith(_MOVING)} - {"margin-left", "margin-right"}
    displays = {_word(value) for name, value in declared if name == "display"}
    moving |= displays & listed("moving_displays")
    hidden = displays == {"none"} and not moving
    spaces = [_word(value).startswith("pre") for name, value in declared if name == "white-space"]
    return Style(
        hidden,
        doubtful=not hidden and (bool(wrong) or len(displays) > 1 or len(known) < len(declarations)),
        displaced=bool(moving),
        anywhere="position" in moving,
        block=not displays.isdisjoint(listed("block_displays")) if displays and not hidden else None,
        keeps_lines=spaces[-1] if spaces else None,
        resized=any(
            _is_relative(token) for name, value in declared if name in ("font", "font-size") for token in value
        ),
    )


def _is_plain(name: str, value: Value) -> bool:
    """Whether a declaration is known to leave text readable where it stands."""
    word = _word(value)
    if name in ("color", "text-fill-color", "mso-style-textfill-fill-color"):
        return word in _TEXT_COLOURS or _is_text_colour(value)
    if name in ("background", "background-color"):
        return all(map(_is_background, value))
    if word in _NEUTRAL:
        return name not in ("all", "display")
    if name == "color-scheme":
        return _word(value[:1]) == "light"
    if name in _WORDS:
        return word in _WORDS[name]
    # Also for names that begin with one of these, such as `margin-left`.
    key = next((each for each in ("margin", "padding", "border", "text-decoration") if name.startswith(each)), name)
    if key in _LENGTHS:
        low, high = _LENGTHS[key]
        numbers = [token for token in value if token.type in _NUMBERS]
        return _has_plain_tokens(name, value) and all(low <= _pixels(name, token) <= high for token in numbers)
    return (name in _FREE or name.startswith(_FREE_PREFIXES)) and _has_plain_tokens(name, value)


def _without_spaces(value: Value) -> Value:
    return [token for token in value if token.type not in ("whitespace", "comment")]


def _word(value: Value) -> str:
    return value[0].lower_value if len(value) == 1 and value[0].type == "ident" else ""


def _has_plain_tokens(name: str, value: Value) -> bool:
    """Whether a value has only words, numbers, colours and fonts, but no line-through and no font of signs."""
    names_font = name.startswith(("font", "mso-"))  # elsewhere a string may be shown
    return all(
        (token.type in (*_NUMBERS, "ident", "hash", "literal") and _word([token]) not in ("line-through", *_SIGNS))
        or (token.type == "string" and names_font and token.value.lower().rstrip(" 23") not in _SIGNS)  # "Wingdings 2"
        or (token.type == "function" and token.lower_name in _COLOUR_FUNCTIONS)
        for token in value
    )


def _pixels(name: str, token: Any) -> float:
    """A length as CSS pixels, as if the font had 16 and the page 800; for other units NaN, which is in no range."""
    if token.type == "dimension":
        return float(token.value) * _PIXELS.get(token.lower_unit, math.nan)
    if token.type == "percentage":
        return float(token.value) * (0.16 if name in ("font", "font-size", "line-height") else 8)
    return float(token.value) * (16 if name in ("font", "line-height") else 1)


def _is_relative(token: Any) -> bool:
    unit = "%" if token.type == "percentage" else getattr(token, "lower_unit", "")
    return _word([token]) == "smaller" or (unit in ("em", "ex", "%") and token.value not in (1, 100))


def _brightness(colour: Any) -> float:
    """How light a colour is on white, from 0 to 1; NaN, neither light nor dark, if that is unknown.

    The formula is from the W3C's techniques for accessibility (AERT, 2.2).
    """
    if colour is None or colour == "currentColor":
        return math.nan
    return float((0.299 * colour.red + 0.587 * colour.green + 0.114 * colour.blue - 1) * colour.alpha + 1)


def _is_text_colour(value: Value) -> bool:
    """Whether text in this colour is readable on a light background. An undefined variable keeps the colour."""
    if len(value) == 1 and value[0].type == "function" and value[0].lower_name == "var":
        name, *fallback = _without_spaces(value[0].arguments) or [None]
        is_free = str(getattr(name, "value", "")).startswith(_FREE_PREFIXES)
        return not is_free and (not fallback or _is_text_colour(fallback[1:]))
    return len(value) == 1 and _brightness(color3.parse_color(value[0])) <= LIGHTEST_TEXT


def _is_background(token: Any) -> bool:
    """Whether dark text can be read on a background with this token in its value."""
    if token.type in (*_NUMBERS, "literal") or _word([token]) in _BACKGROUNDS:
        return True
    colour = color3.parse_color(token)  # translucent ones add up
    return getattr(colour, "alpha", 0) in (0, 1) and _brightness(colour) >= DARKEST_BACKGROUND


class StyleSheets:
    """Which elements the sheets of a mail put in doubt, by a name of theirs: a tag, `.class` or `#id`.

    A sheet never makes text readable, nor surely hides it.
    """

    def __init__(self) -> None:
        self._room = limits.MOST_RULES
        self.doubtful = False  # all text is in doubt
        self.shows = False  # a rule says whether some element is shown
        self.keep_lines = False  # a rule may keep the line breaks of some element
        self.changed: set[str] = set()
        self.displaced: set[str] = set()

    def add(self, css: str) -> None:
        """Read one sheet."""
        self._read(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), 0, dark_mode=False)

    def _read(self, rules: list[Any], depth: int, *, dark_mode: bool) -> None:
        for rule in rules:
            self._room -= 1
            if self._room < 0 or rule.type == "error":
                self.doubtful = True
            elif rule.type == "qualified-rule":
                self._add(rule, dark_mode=dark_mode)
            elif rule.type == "at-rule":
                self._group(rule, depth, dark_mode=dark_mode)
            if self.doubtful:
                return

    def _group(self, rule: Any, depth: int, *, dark_mode: bool) -> None:
        keyword = rule.lower_at_keyword
        if keyword in ("media", "supports", "layer") and rule.content is not None and depth < DEEPEST_GROUP:
            dark_mode = dark_mode or bool(_DARK_MODE.fullmatch(tinycss2.serialize(rule.prelude).lower()))
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            self._read(inner, depth + 1, dark_mode=dark_mode)
        else:  # a font from elsewhere may draw any letter as another
            is_harmless = keyword in ("font-face", "page", "list", "charset", "viewport", "-ms-viewport")
            self.doubtful = not is_harmless or "src" in tinycss2.serialize(rule.content or []).lower()

    def _add(self, rule: Any, *, dark_mode: bool) -> None:
        found = tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True)
        style = _read(found, dark_mode=dark_mode)
        # What stands in brackets is no name of the element, whatever it looks like: `[title="] .x"]`.
        named = [token for token in rule.prelude if token.type not in ("[] block", "() block", "function", "comment")]
        selectors = tinycss2.serialize(named).lower()
        nests = any(each.type in ("qualified-rule", "at-rule") for each in found)  # nested rules may apply to anything
        self.doubtful = nests or len(selectors) > limits.LONGEST_STYLE
        self.shows = self.shows or style.block is not None
        self.keep_lines = self.keep_lines or bool(style.keeps_lines)
        is_plain = style._replace(keeps_lines=None, block=None) == PLAIN
        if is_plain and style.block is None:
            return
        for name in map(self._name, [] if self.doubtful else selectors.split(",")):
            if not (is_plain and style.block and name in _BLOCKS):
                self.changed.add(name)
            if style.displaced:
                self.displaced.add(name)

    def _name(self, selector: str) -> str:
        """One name that an element must have for a rule to apply: it may match too many elements, never too few."""
        last = re.split(r"[\s>+~]+", _PSEUDO.sub("", selector).strip())[-1]
        names = _NAME.findall(last)
        self.doubtful = self.doubtful or not names or "\\" in selector
        return max(names, key=lambda name: name[0] in ".#", default="")
