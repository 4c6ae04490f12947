"""Which elements the style sheets of a mail put in doubt: a sheet never makes text readable, nor surely hides it."""

from __future__ import annotations

import re
from typing import Any

import tinycss2

from notifiers.email import limits
from notifiers.email.html.declarations import PLAIN, Style, read

_NAME = re.compile(r"([.#]?)(-?[a-z_\u0080-\U0010ffff][\w-]*)", re.IGNORECASE)
_GROUPS = frozenset({"media", "supports", "layer"})
_HARMLESS = frozenset({"font-face", "page", "list", "charset", "viewport", "-ms-viewport"})
DEEPEST_GROUP = 3


class StyleSheets:
    """The rules that change what is shown, by the names an element must have for them to hold."""

    def __init__(self) -> None:
        self.doubtful = False  # of everything
        self._rules: dict[str, list[tuple[frozenset[str], Style]]] = {}
        self._room = limits.MOST_RULES

    def add(self, css: str) -> None:
        """Read one sheet."""
        self._read(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), 0, dark=False)

    def of(self, names: frozenset[str]) -> list[Style]:
        """What the sheets may say of an element that has these names: its tag, `.class` and `#id`."""
        return [style for name in names for needed, style in self._rules.get(name, ()) if needed <= names]

    def _read(self, rules: list[Any], depth: int, *, dark: bool) -> None:
        for rule in rules:
            self._room -= 1
            if self._room < 0 or rule.type == "error":
                self.doubtful = True
                return
            if rule.type == "qualified-rule":
                self._add(rule, dark=dark)
            elif rule.type == "at-rule":
                self._group(rule, depth, dark=dark)

    def _group(self, rule: Any, depth: int, *, dark: bool) -> None:
        keyword = rule.lower_at_keyword
        if keyword in _GROUPS and rule.content is not None and depth < DEEPEST_GROUP:
            asks = tinycss2.serialize(rule.prelude)[:1_000].lower()
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            self._read(inner, depth + 1, dark=dark or "prefers-color-scheme" in asks)
        elif keyword not in _HARMLESS or "data:" in tinycss2.serialize(rule.content or []):
            self.doubtful = True  # a font within the mail may draw any letter as another

    def _add(self, rule: Any, *, dark: bool) -> None:
        found = tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True)
        style = read(found, dark=dark)
        selectors = tinycss2.serialize(rule.prelude)[: limits.LONGEST_STYLE].lower()
        unseen = re.search(r"::?(before|after|marker|first-line|first-letter)", selectors)
        style = style._replace(doubtful=style.doubtful or style.hidden, hidden=False)
        if style == PLAIN or (unseen and not style.doubtful and not style.displaced):
            return
        for selector in selectors.split(","):
            self._add_selector(selector, style)

    def _add_selector(self, selector: str, style: Style) -> None:
        """By the last compound alone, without its attributes and pseudo-classes: too many elements, never too few."""
        last = re.split(r"[\s>+~]+", re.sub(r"\[[^\]]*\]?|:not\([^)]*\)?", "", selector).strip())[-1]
        names = frozenset(sign + name for sign, name in _NAME.findall(re.sub(r"::?[\w-]+(\([^)]*\)?)?", "", last)))
        if not names or "\\" in selector:
            self.doubtful = True
            return
        key = max(names, key=lambda name: (name[0] in "#.", name))
        rules = self._rules.setdefault(key, [])
        if len(rules) < limits.MOST_RULES_OF_ONE:
            rules.append((names, style))
        else:
            self.doubtful = True
