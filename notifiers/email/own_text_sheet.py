"""Which elements a mail's style sheets could hide or move: by tag, class or id, leaning to the safe side."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from notifiers.email import caps
from notifiers.email.own_text_style import Look, styled

_PSEUDO = re.compile(r"::?[a-z-]+")
_NAME = re.compile(r"[.#]?[\w-]+")


Effect = Literal["hides", "touches"]


@dataclass
class Sheet:
    """What the rules that do more than colour and space could apply to. `everything`: to anything at all."""

    names: dict[str, Effect] = field(default_factory=dict)  # by "p", ".class" or "#id"
    everything: bool = False

    def effect(self, tag: str, attributes: dict[str, str]) -> Effect | None:
        """Whether a rule surely hides this element, could change how its text is shown, or neither."""
        if self.everything:
            return "touches"
        own = {tag, "#" + attributes.get("id", "").lower()}
        own.update("." + name.lower() for name in attributes.get("class", "").split())
        effects = {self.names[name] for name in own if name in self.names}
        return "touches" if "touches" in effects else next(iter(effects), None)


def read_sheets(texts: list[str], share: int = 1) -> Sheet:
    """Read the style sheets of a text; what is over a cap is taken to touch everything."""
    css = "\n".join(texts).replace("<!--", " ").replace("-->", " ")
    if len(css) > caps.LARGEST_STYLE // share or css.count("}") > caps.MOST_RULES // share:
        return Sheet(everything=bool(css))
    sheet = Sheet()
    depth = 0
    for rule in _without_comments(css).split("}"):
        depth += rule.count("{") - 1
        before, brace, declarations = rule.rpartition("{")
        selectors = before.rpartition("{")[2].rpartition(";")[2].strip().lower()
        if brace and selectors and not selectors.startswith("@"):
            look = styled(Look(), declarations)
            for selector in selectors.split(",") if _does_more(look) else ():
                _add(sheet, selector.strip(), hides=depth == 0 and look.hidden)
    return sheet


def _without_comments(css: str) -> str:
    pieces = css.split("/*")
    return pieces[0] + " ".join(piece.partition("*/")[2] for piece in pieces[1:])


def _does_more(look: Look) -> bool:
    """Whether a rule does more than colour and size what stays to be seen."""
    return look.unsure or look != Look(ink=look.ink, paper=look.paper, size=look.size)


def _add(sheet: Sheet, selector: str, *, hides: bool) -> None:
    last = re.split(r"[\s>+~]+", selector)[-1] if selector else ""
    if "]" in selector and "[" not in last:  # a bracket with a space in it was cut
        last = selector
    names = _NAME.findall(_PSEUDO.sub("", last.partition("[")[0]))
    marked = [name for name in names if name[0] in ".#"]
    if not names or "\\" in selector:
        sheet.everything = True
    for name in marked[-1:] or names[-1:]:
        plain = hides and name == selector and name not in sheet.names
        sheet.names[name] = "hides" if plain else "touches"
