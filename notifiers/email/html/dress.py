"""What each element of a mail wears: its attributes, its style, and the rules of the mail's sheets that may apply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from notifiers.email import caps
from notifiers.email.html import elements
from notifiers.email.html.declarations import lower
from notifiers.email.html.look import LEAST_CONTRAST, MOST_VARIABLES, Look, doubted, is_block, ruled, styled
from notifiers.email.html.properties import read_style
from notifiers.email.html.sheet import read_sheets
from notifiers.email.html.style import Style
from notifiers.email.html.tags import Raw, Start, Token
from notifiers.email.html.values import BLACK, WHITE, contrast, of_attribute

LARGEST_ATTRIBUTE = 2_500  # pixels, of a width or a space
LINK = "#0000ee"
_NOTHING = Style()
_UNREAD = Style(odd=True, says=True)
_BARE = Look()


class Worn(NamedTuple):
    """How an element and what is in it are shown."""

    look: Look
    display: str = ""
    moves: bool = False  # may stand over, or above, what is shown before it
    lifted: str = ""
    floats: bool = False
    joins: bool = False  # may stand in one line with what is shown before it


class Dress:
    """Tells of each element of one mail how it is shown."""

    def __init__(self, found: list[Token], share: int) -> None:
        starts = [token for token in found if isinstance(token, Start)]
        self._styles: dict[str, Style] = {"": _NOTHING}
        self._worn: dict[tuple[Look, str, tuple[tuple[str, str], ...]], Worn] = {}
        self._left = caps.LARGEST_STYLES // share
        self._sheet = read_sheets(_sheets(found), starts, share)
        self.unreadable = (
            self._sheet.everything or len(self._sheet.variables) > MOST_VARIABLES or any(map(_is_foreign_sheet, starts))
        )
        self.unsettled = any(map(_settles, starts)) or self._shows_the_unshown(starts)
        self.root = self._root()

    def _root(self) -> Look:
        """The look of a page whose html and body tags may never be written."""
        look = replace(_BARE, variables=frozenset(self._sheet.variables))
        for name in ("html", "body"):
            rules = self._sheet.of(name, {})
            look = ruled(look, rules, name)
            self.unsettled = self.unsettled or any(rule.moves or rule.lifted or rule.floats for rule in rules)
        return look

    def on(self, parent: Look, tag: Start) -> Worn:
        """An element in a place of this look."""
        key = (parent, tag.name, tuple(tag.attributes.items()))
        worn = self._worn.get(key)
        if worn is None:
            worn = self._worn[key] = self._put_on(parent, tag)
        return worn

    def _put_on(self, parent: Look, tag: Start) -> Worn:
        name, attributes = tag.name, tag.attributes
        style = self._style(attributes.get("style", ""))
        rules = self._sheet.of(name, attributes)
        look = _attributed(parent, tag, style)
        exact = all(lower(attributes.get(each, "")) == attributes.get(each, "") for each in ("class", "id"))
        look = ruled(look, rules if exact else [replace(rule, sure=False) for rule in rules], name)
        look = styled(look, style, name)
        if any(rule.important for rule in rules):
            look = ruled(look, [rule for rule in rules if rule.important], name)
        if name == "pre" and style.keeps_lines is None:
            look = replace(look, keeps_lines=True if look.keeps_lines is not None and not rules else None)
        look = _unsaid(look, parent, tag, style, rules)
        every = (style, *rules)
        return Worn(
            look,
            style.display,
            any(each.moves for each in every),
            max((each.lifted for each in every), key=_LIFTS.index),
            any(each.floats for each in every),
            style.odd or is_block(name, style.display) is None or _changes_lines(name, rules),
        )

    def is_late(self, tag: Start, again: bool) -> bool:
        """Whether an html or body tag after others, which browsers merge into the first, changes the page."""
        worn = self.on(_BARE, tag)
        look = worn.look
        differs = any(contrast(ink, BLACK) > 3 or contrast(paper, WHITE) > LEAST_CONTRAST for ink, paper in look.pairs)
        return again and (differs or look.gone or look.unsure or worn.moves or bool(worn.lifted or worn.floats))

    def _style(self, text: str) -> Style:
        style = self._styles.get(text)
        if style is None:
            self._left -= len(text)
            style = read_style(text) if self._left >= 0 else _UNREAD
            self._styles[text] = style
        return style

    def _shows_the_unshown(self, starts: Iterable[Start]) -> bool:
        """Whether a style may show what browsers show of no mail, such as its title."""
        for start in starts:
            if start.name in elements.UNSHOWN:
                styles = [self._style(start.attributes.get("style", "")), *self._sheet.of(start.name, start.attributes)]
                if any(style.display or style.odd for style in styles):
                    return True
        return False


_LIFTS = ["", "relative", "absolute", "fixed"]


def _changes_lines(name: str, rules: list[Style]) -> bool:
    return any(rule.odd or is_block(name, rule.display) != is_block(name) for rule in rules)


def _sheets(found: list[Token]) -> list[str]:
    return [token.text for token in found if isinstance(token, Raw) and token.name == "style"]


def _is_foreign_sheet(tag: Start) -> bool:
    """A style sheet that isn't here, or whose absence is asked for."""
    if tag.name == "meta":
        return lower(tag.attributes.get("http-equiv", "")) in ("content-security-policy", "default-style", "refresh")
    return tag.name == "link" and "stylesheet" in lower(tag.attributes.get("rel", ""))


def _settles(tag: Start) -> bool:
    """Whether a tag changes how the whole page is shown."""
    if tag.name == "meta" and lower(tag.attributes.get("name", "")) == "color-scheme":
        return "light" not in lower(tag.attributes.get("content", ""))
    return tag.name in ("frameset", "dialog") or any(name.startswith("shadowroot") for name in tag.attributes)


def _attributed(look: Look, tag: Start, style: Style) -> Look:
    """The look by the attributes of HTML itself."""
    name, attributes = tag.name, tag.attributes
    ink = attributes.get({"font": "color", "body": "text"}.get(name, ""), "")
    paper = attributes.get("bgcolor", "") if name in elements.COLOURED else ""
    if name == "a" and "href" in attributes and not style.ink:
        ink = ""
        if any(contrast((0, 0, 238), each[1]) < LEAST_CONTRAST for each in look.pairs):
            look = doubted(look)
    if ink or paper:
        look = _painted(look, ink, paper, style)
    if name == "table":  # which doesn't inherit colours in pages without a document type
        look = replace(look, pairs=look.pairs | {(BLACK, each[1]) for each in look.pairs})
    if name == "body" and any(_is_pale(attributes.get(each, "")) for each in ("link", "vlink", "alink")):
        look = doubted(look)
    if "popover" in attributes or (name in elements.COLOURED and attributes.get("background")):
        look = doubted(look)
    sizes = (attributes.get(each, "")[:9] for each in ("width", "cellpadding", "cellspacing", "border", "hspace"))
    if any(size.isascii() and size.isdigit() and int(size) > LARGEST_ATTRIBUTE for size in sizes):
        look = doubted(look)
    return look


def _painted(look: Look, ink: str, paper: str, style: Style) -> Look:
    inked, papered = of_attribute(lower(ink.strip())), of_attribute(lower(paper.strip()))
    if (ink and not inked) or (paper and not papered):
        return doubted(look)
    if (ink and style.ink == "inherit") or (paper and style.paper == "transparent"):
        return doubted(look)
    return styled(look, Style(ink=inked or "", paper=papered or "", says=True), "font")


def _is_pale(value: str) -> bool:
    if not value:
        return False
    look = _painted(_BARE, value, "", _NOTHING)
    return look.unsure


def _unsaid(look: Look, parent: Look, tag: Start, style: Style, rules: list[Style]) -> Look:
    """The look of what an element's name or `hidden` keeps from being said, where nothing can take that back."""
    name, plain = tag.name, not style.says and not rules
    if "hidden" in tag.attributes:
        foreign = parent.doubtful or name in elements.NO_TEXT  # such as what is in a drawing, which knows no `hidden`
        plain = plain and not foreign and lower(tag.attributes["hidden"]) != "until-found"
        look = replace(look, hidden=True) if plain else doubted(look)
    elif look.hidden and rules and not parent.hidden:
        look = doubted(replace(look, hidden=False))
    if name in elements.HIDDEN:
        look = replace(look, hidden=True) if plain else doubted(look)
    elif name in elements.STRUCK:
        look = replace(look, struck=True) if plain else doubted(look)
    elif name in elements.NO_TEXT:
        look = doubted(look)
    if (parent.struck or parent.faint) and (style.says or rules or name in ("table", *elements.TABLE_FRAME)):
        look = doubted(look)
    return look
