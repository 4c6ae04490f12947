"""Which elements a mail's style sheets may change: by tag, class or id, leaning to the safe side.

A rule is never sure here: which of several applies takes the whole of CSS to say. So it may apply, or may not, wherever
its last name stands. What can't be cut surely may apply to everything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from notifiers.email import caps
from notifiers.email.html.declarations import PARENTHESES, SPACE, STRING, lower
from notifiers.email.html.properties import read_style
from notifiers.email.html.style import Style
from notifiers.email.html.tags import Start

MOST_RULES_OF_ONE = 8  # that one element may have

_GAP = re.compile(rf"(?:[{SPACE}]++|<!--|-->)*+")
_COMMENT = re.compile(rf"({STRING})|/\*(?:[^*]++|\*(?!/))*+\*/")
_COMMENT_IN_URL = re.compile(r"url\([^\"')]{0,2000}/\*", re.IGNORECASE)
_PRELUDE = re.compile(rf"(?:[^{{}}\"'\\();@\[\]<]++|\[(?:[^\[\]\"'\\]++|{STRING})*+\]|{PARENTHESES}|{STRING})*+")
_BODY = re.compile(rf"\{{((?:[^{{}}\"'\\()\[\]]++|\\[^\n\r\f]|{STRING}|{PARENTHESES})*+)\}}")
_AT = re.compile(r"@([a-z-]{1,40}+)", re.IGNORECASE | re.ASCII)
_BRACKETS = re.compile(r"\[[^\]\"']*(?:\"[^\"]*\"|'[^']*')?[^\]\"']*\]")
_COMPOUND = re.compile(
    r"(?P<tag>\*|[a-z][\w-]*+)?(?P<rest>(?:[.#](?!-?\d)[\w-]++|::?[a-z-]++(?:\(\))?|\[[\w|-]*+\])*+)", re.ASCII
)
_NAME = re.compile(r"[.#][\w-]+|\[[\w|-]+", re.ASCII)
_UNSEEN_PSEUDO = re.compile(r"::?(?:-moz-|-webkit-|-ms-)?(?:selection|placeholder|input-placeholder|focus-inner)\b")
_ANYTHING = Style(odd=True, moves=True, says=True)
# Blocks of declarations that belong to no element.
_APART = frozenset({"font-face", "page", "list", "viewport", "-ms-viewport"})
_GROUPS = frozenset({"media", "supports", "-moz-document"})


@dataclass
class Sheet:
    """What rules may do. `everything`: a sheet could not be read."""

    rules: dict[str, list[Style]] = field(default_factory=dict)  # by "p", ".class", "#id" or "*"
    everything: bool = False
    variables: set[str] = field(default_factory=set)
    plain: bool = True  # every sheet surely is one, for every reader
    present: frozenset[str] = frozenset()  # all such names in the mail, and "[attribute"

    def of(self, tag: str, attributes: dict[str, str]) -> list[Style]:
        """The rules that may apply to an element."""
        if not self.rules:
            return []
        names = ["*", tag, *marks(attributes)]
        return [style for name in names for style in self.rules.get(name, ())]


def marks(attributes: dict[str, str]) -> list[str]:
    """The names by which rules know an element, besides its tag."""
    classes = ["." + name for name in lower(attributes.get("class", "")).split()[:50]]
    return [*classes, "#" + lower(attributes["id"])] if "id" in attributes else classes


def read_sheets(texts: list[str], starts: list[Start], share: int = 1) -> Sheet:
    """Read the style sheets of a mail with these tags; what is over a cap may apply to everything."""
    if not texts:
        return Sheet()
    if sum(map(len, texts)) > caps.LARGEST_STYLE // share:
        return Sheet(everything=True)
    present = {"html", "head", "body", "*"}
    for start in starts:
        present.update((start.name, *marks(start.attributes), *("[" + name for name in start.attributes)))
    sheet = Sheet(present=frozenset(present), plain=not any(map(_may_not_rule, starts)))
    budget = caps.MOST_RULES // share
    for text in filter(_may_rule, texts):
        budget = _read(sheet, text, budget)
        if sheet.everything or budget < 0:
            return Sheet(everything=True)
    return sheet


def _may_not_rule(tag: Start) -> bool:
    """Whether a tag is of a sheet for some readers only (by `media`, `type` or `title`), or makes one of no effect."""
    if tag.name == "style":
        return any((name, lower(value)) != ("type", "text/css") for name, value in tag.attributes.items())
    return tag.name in ("template", "noscript", "svg", "math", "select")


def _may_rule(text: str) -> bool:
    return "{" in text or "@" in text


def _read(sheet: Sheet, text: str, budget: int) -> int:
    """Read one sheet by itself, and say how many rules are left to read."""
    css = _COMMENT.sub(lambda match: match[1] or " ", text)
    sheet.everything = _COMMENT_IN_URL.search(text) is not None
    at, groups = _after_gap(css, 0), list[str]()
    while at < len(css) and budget >= 0 and not sheet.everything:
        budget -= 1
        if css[at] == "}" and groups:
            groups.pop()
            at = _after_gap(css, at + 1)
            continue
        keyword = _AT.match(css, at)
        end = keyword.end() if keyword else at
        prelude = _PRELUDE.match(css, end)
        end = prelude.end() if prelude else end
        if keyword and keyword[1].lower() == "charset" and css.startswith(";", end):
            at = _after_gap(css, end + 1)
            continue
        if keyword and keyword[1].lower() in _GROUPS and css.startswith("{", end) and len(groups) < 3:
            groups.append(css[at:end].lower())
            at = _after_gap(css, end + 1)
            continue
        body = _BODY.match(css, end)
        if body is None or (keyword and keyword[1].lower() not in _APART):
            sheet.everything = True
            break
        if not keyword:
            dark = any("prefers-color-scheme" in group for group in groups)
            _add(sheet, css[at:end], body[1], conditional=bool(groups), dark=dark)
        at = _after_gap(css, body.end())
    sheet.everything = sheet.everything or bool(groups)
    return budget


def _after_gap(css: str, at: int) -> int:
    match = _GAP.match(css, at)
    return match.end() if match else at


def _add(sheet: Sheet, selectors: str, body: str, *, conditional: bool, dark: bool) -> None:
    style = read_style(body)
    sheet.variables.update(style.variables)
    if dark:  # no colour of a night that isn't now
        style = replace(style, ink="", paper="")
        style.says = style != Style(important=style.important, says=True)
    if not style.says:
        return
    plain = re.sub(PARENTHESES, "()", _BRACKETS.sub(_name_of_bracket, lower(selectors)))
    for selector in plain.split(","):
        compounds = [_COMPOUND.fullmatch(part) for part in re.split(rf"[{SPACE}>+~]+", selector.strip(SPACE))]
        if not all(each and each[0] for each in compounds):
            sheet.everything = True
        elif not _UNSEEN_PSEUDO.search(selector):
            # Letters of either case are one in some pages, and differ in others.
            unlike = conditional or lower(selectors) != selectors or not sheet.plain
            _add_to(sheet, [each for each in compounds if each], style, conditional=unlike)


def _name_of_bracket(match: re.Match[str]) -> str:
    name = re.match(rf"\[[{SPACE}]*([\w|-]*)", match[0], re.ASCII)
    return f"[{name[1] if name else ''}]"


def _add_to(sheet: Sheet, compounds: list[re.Match[str]], style: Style, *, conditional: bool) -> None:
    needed = [name for each in compounds for name in (each["tag"] or "*", *_NAME.findall(each["rest"]))]
    if not sheet.present.issuperset(needed):
        return
    last = compounds[-1]
    named = [name for name in _NAME.findall(last["rest"]) if name[0] != "["]
    tag = "html" if ":root" in last["rest"] else last["tag"] or "*"
    pseudo = re.search(r":(before|after|marker|first-line|first-letter)", last["rest"])
    sure = len(compounds) == 1 and last[0] in (tag, *named) and not pseudo and not conditional
    rules = sheet.rules.setdefault(named[-1] if named else tag, [])
    rule = Style(odd=True, moves=style.moves or bool(style.lifted), says=True) if pseudo else replace(style, sure=sure)
    if rule not in rules:
        rules.append(rule)
    if len(rules) > MOST_RULES_OF_ONE:
        rules[:] = [_ANYTHING]
