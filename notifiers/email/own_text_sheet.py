"""Which elements a mail's style sheets could hide or move: by tag, class or id, leaning to the safe side."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from notifiers.email import caps
from notifiers.email.own_text_style import Look, styled

_PSEUDO = re.compile(r"::?[a-z-]+")
_NAME = re.compile(r"[.#]?[\w-]+")


@dataclass
class Sheet:
    """What the rules that do more than colour and space could apply to. `everything`: to anything at all."""

    names: set[str] = field(default_factory=set)  # "p", ".class", "#id"
    everything: bool = False

    def touches(self, tag: str, attributes: dict[str, str]) -> bool:
        """Whether a rule could change how this element's text is shown."""
        if self.everything:
            return True
        own = {tag, "#" + attributes.get("id", "").lower()}
        own.update("." + name.lower() for name in attributes.get("class", "").split())
        return not self.names.isdisjoint(own)


def read_sheets(texts: list[str]) -> Sheet:
    """Read the style sheets of a mail; what is longer than the cap is taken to touch everything."""
    css = "\n".join(texts).replace("<!--", " ").replace("-->", " ")
    if len(css) > caps.LARGEST_STYLE:
        return Sheet(everything=bool(css))
    sheet = Sheet()
    for rule in _without_comments(css).split("}"):
        before, brace, declarations = rule.rpartition("{")
        selectors = before.rpartition("{")[2].rpartition(";")[2].strip().lower()
        if brace and selectors and not selectors.startswith("@") and _does_more(declarations):
            for selector in selectors.split(","):
                _add(sheet, selector.strip())
    return sheet


def _without_comments(css: str) -> str:
    pieces = css.split("/*")
    return pieces[0] + " ".join(piece.partition("*/")[2] for piece in pieces[1:])


def _does_more(declarations: str) -> bool:
    look = styled(Look(), declarations)
    return look.hidden or look.struck or look.unsure or look.keeps_lines or look.block is not None or look != Look(
        ink=look.ink, paper=look.paper, size=look.size
    )  # fmt: skip


def _add(sheet: Sheet, selector: str) -> None:
    last = re.split(r"[\s>+~]+", selector)[-1] if selector else ""
    if "]" in selector and "[" not in last:  # a bracket with a space in it was cut
        last = selector
    names = _NAME.findall(_PSEUDO.sub("", last.partition("[")[0]))
    marked = [name for name in names if name[0] in ".#"]
    if not names or "\\" in selector:
        sheet.everything = True
    sheet.names.update(marked[-1:] or names[-1:])
