"""Which elements the style sheets of a mail put in doubt: a sheet never makes text readable, nor surely hides it."""

from __future__ import annotations

import re
from typing import Any

import tinycss2

from notifiers.email import limits
from notifiers.email.html import allowed
from notifiers.email.html.styles import read

_NAME = re.compile(r"[.#]?-?[a-z_\u0080-\U0010ffff][\w-]*")
_NO_NAMES = re.compile(r"\[[^\]]*\]?|::?[\w-]+(\([^)]*\)?)?")
_GROUPS = frozenset({"media", "supports", "layer"})
_HARMLESS = frozenset({"font-face", "page", "list", "charset", "viewport", "-ms-viewport"})
_DARK_MODE = re.compile(r"\s*((only )?(screen|all) and )?\(prefers-color-scheme:\s*dark\)\s*")
DEEPEST_GROUP = 3


class StyleSheets:
    """The names (a tag, `.class` or `#id`) of elements whose text the sheets may change, or put anywhere."""

    def __init__(self) -> None:
        self.doubtful = False  # all text is
        self.rule = False  # at all
        self.display = False  # some element, whether it is hidden or not
        self.keep_lines = False  # of some element
        self.changed: set[str] = set()
        self.displaced: set[str] = set()
        self._room = limits.MOST_RULES

    def add(self, css: str) -> None:
        """Read one sheet."""
        self._read(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), 0, dark_mode=False)

    def _read(self, rules: list[Any], depth: int, *, dark_mode: bool) -> None:
        for rule in rules:
            self._room -= 1
            if self._room < 0 or rule.type == "error":
                self.doubtful = True
                return
            if rule.type == "qualified-rule":
                self._add(rule, dark_mode=dark_mode)
            elif rule.type == "at-rule":
                self._group(rule, depth, dark_mode=dark_mode)

    def _group(self, rule: Any, depth: int, *, dark_mode: bool) -> None:
        keyword = rule.lower_at_keyword
        if keyword in _GROUPS and rule.content is not None and depth < DEEPEST_GROUP:
            dark_mode = dark_mode or bool(_DARK_MODE.fullmatch(tinycss2.serialize(rule.prelude).lower()))
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            self._read(inner, depth + 1, dark_mode=dark_mode)
        elif keyword not in _HARMLESS or "src" in tinycss2.serialize(rule.content or []).lower():
            self.doubtful = True  # a font from elsewhere may draw any letter as another

    def _add(self, rule: Any, *, dark_mode: bool) -> None:
        found = tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True)
        style = read(found, dark_mode=dark_mode)
        selectors = tinycss2.serialize(rule.prelude).lower()
        nested = any(each.type in ("qualified-rule", "at-rule") for each in found)  # and may rule anything
        self.doubtful = self.doubtful or nested or len(selectors) > limits.LONGEST_STYLE
        self.rule = True
        self.display = self.display or style.block is not None
        self.keep_lines = self.keep_lines or bool(style.keeps_lines)
        changes = style.hidden or style.doubtful or style.dark or style.scale != 1
        if not self.doubtful and (changes or style.displaced or style.block is not None):
            for name in map(self._name, selectors.split(",")):
                if changes or name not in (allowed.BLOCKS if style.block else allowed.INLINE):
                    self.changed.add(name)
                if style.displaced:
                    self.displaced.add(name)

    def _name(self, selector: str) -> str:
        """One name that an element must have for a rule to hold: too many elements will have it, never too few."""
        last = re.split(r"[\s>+~]+", _NO_NAMES.sub("", selector).strip())[-1]
        names = _NAME.findall(last)
        self.doubtful = self.doubtful or not names or "\\" in selector
        return max(names, key=lambda name: name[0] in ".#", default="")
