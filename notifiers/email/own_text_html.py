"""What an HTML body shows, as lines of plain text in which quoted lines begin with `>`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from notifiers.email import caps
from notifiers.email import own_text_elements as elements
from notifiers.email.grammar import UNSURE
from notifiers.email.own_text_sheet import Sheet, read_sheets
from notifiers.email.own_text_style import Look, coloured, styled
from notifiers.email.own_text_tags import Comment, End, Raw, Start, Text, Token, tokens


@dataclass
class _Open:
    name: str
    look: Look
    drops: bool  # whether this element, and not what encloses it, keeps its text from being said
    quotes: bool


def html_text(html: str, share: int = 1) -> str:
    """The text an HTML body shows, quotes marked, in the order it is shown. `share`: how many texts share the caps."""
    found = list(tokens(html, caps.MOST_TAGS // share))
    styles = [token.text for token in found if isinstance(token, Raw) and token.name == "style"]
    sheet = read_sheets(styles, share)
    page = _Page(sheet)
    for token in found:
        page.take(token)
        if len(page.lines) > caps.MOST_LINES:
            break
    return page.text()


class _Page:
    """Lays tokens out as lines."""

    def __init__(self, sheet: Sheet) -> None:
        self.lines: list[str] = []
        self._sheet = sheet
        self._line: list[str] = []
        self._open: list[_Open] = [_Open("", Look(), False, False)]
        self._depth = 0
        self._drops = 0  # how many of the open elements keep their text from being said
        self._lost = False  # what follows may be shown or not
        self._moved = False  # what follows may be shown above
        self._conditional = False
        self._dropped = False  # something unsaid stood right here

    def text(self) -> str:
        """The lines so far as one text."""
        self._end_line()
        return "\n".join([UNSURE, *self.lines] if self._moved else self.lines)

    def take(self, token: Token) -> None:
        """Lay out one token."""
        if isinstance(token, Text):
            self._say(token.text)
        elif isinstance(token, Start):
            self._start(token)
        elif isinstance(token, End):
            self._end(token.name)
        elif isinstance(token, Comment):
            self._comment(token.text)
        elif isinstance(token, Raw):
            self._put("" if token.name in _UNSHOWN_RAW else UNSURE)
        else:
            self._lost = True
            self._put(UNSURE)

    @property
    def _look(self) -> Look:
        return self._open[-1].look

    def _say(self, text: str) -> None:
        look = self._look
        blank = not text.strip()
        if not blank and self._open[-1].name in elements.TABLE_FRAME and not self._depth:
            self._moved = True
        if self._open[-1].name == "head" and not blank:
            self._lost = True
        if look.gone:
            self._dropped = self._dropped or not blank
        elif not blank and (look.unsure or self._lost or self._conditional):
            self._put(UNSURE)
        elif look.keeps_lines:
            self._keep_lines(text)
        else:
            self._put(_SPACES.sub(" ", text))

    def _keep_lines(self, text: str) -> None:
        first, *rest = text.replace("\r", "").split("\n", caps.MOST_LINES)[: caps.MOST_LINES]
        self._put(first)
        for line in rest:
            self._end_line(forced=True)
            self._put(line)

    def _put(self, text: str) -> None:
        if not text:
            return
        if self._dropped and self._line and self._line[-1][-1:].isalnum() and text[0].isalnum():
            self._line.append(UNSURE)  # a word that something unsaid splits is no word
        self._dropped = False
        if text[0] == " " and (not self._line or self._line[-1].endswith(" ")) and not self._look.keeps_lines:
            text = text[1:]
        if text:
            self._line.append(text)

    def _end_line(self, forced: bool = False) -> None:
        """End the line; an empty one stays only where a line break was `forced`."""
        if self._line or forced:
            self.lines.append(">" * self._depth + " " * bool(self._depth) + "".join(self._line).rstrip(" "))
        self._line = []
        self._dropped = False

    def _start(self, tag: Start) -> None:
        if self._open[-1].name == "head" and tag.name not in elements.IN_HEAD:
            self._close(self._open.pop())
        if tag.name == "br":
            if not self._look.gone:
                self._end_line(forced=True)
            return
        look = self._look_inside(tag)
        self._check_implied_end(tag.name)
        if tag.name in elements.VOID:
            self._void(tag, look)
            return
        drops = self._is_dropping(look) and not self._is_dropping(self._look)
        block = tag.name in elements.BLOCKS if look.block is None else look.block
        if block:
            self._end_line(forced=tag.name == "p" and bool(self.lines))
        if len(self._open) > caps.DEEPEST_TAG:
            self._lost = True
            return
        self._begin_special(tag, look)
        quotes = tag.name == "blockquote" or (tag.name == "div" and tag.attributes.get("name", "") == "quote")
        self._depth += quotes
        self._drops += drops
        self._open.append(_Open(tag.name, replace(look, block=block), drops, quotes))

    def _begin_special(self, tag: Start, look: Look) -> None:
        marks = {tag.attributes.get("id", "").lower(), *tag.attributes.get("class", "").lower().split()}
        if look.gone:
            return
        if marks & elements.QUOTE_BEGINS or tag.attributes.get("name", "").lower() in elements.QUOTE_BEGINS:
            self._mark("-----Original Message-----")
        elif marks & elements.SIGNATURES and tag.name in ("div", "span", "p", "pre", "table", "section"):
            self._mark("-- ")
        elif tag.name == "li":
            self._put("* ")
        elif tag.name in ("td", "th"):
            self._put("\t" if self._line else "")
        elif tag.name == "q":
            self._put('"')

    def _mark(self, line: str) -> None:
        self._end_line()
        self.lines.append(">" * self._depth + line)

    def _void(self, tag: Start, look: Look) -> None:
        if tag.name == "wbr":
            self._dropped = True
        if tag.name == "hr" and not look.gone:
            self._mark("________________________________")
        if (
            tag.name in elements.PICTURES
            and not look.gone
            and not _is_pixel(tag)
            and tag.attributes.get("type") != "hidden"
        ):
            self._put(UNSURE)

    def _end(self, name: str) -> None:
        if name in ("br", "p") and not any(each.name == name for each in self._open):
            self._end_line(forced=True)
            return
        at = next((n for n in range(len(self._open) - 1, 0, -1) if self._open[n].name == name), 0)
        if not at:
            return
        if self._drops and any(each.drops for each in self._open[at + 1 :]):
            self._lost = True  # closed without its own end tag: programs differ on where it ends
        for each in reversed(self._open[at:]):
            self._close(each)
        del self._open[at:]

    def _close(self, element: _Open) -> None:
        if element.look.block:
            self._end_line()
        self._depth -= element.quotes
        self._drops -= element.drops
        if element.name == "q":
            self._put('"')

    def _comment(self, text: str) -> None:
        folded = text.strip().lower()
        if "[endif]" in folded:
            self._conditional = False
        elif folded.startswith("[if") and folded.endswith(("]", "<!")):
            self._conditional = True
        self._dropped = True

    def _check_implied_end(self, name: str) -> None:
        if not self._drops:
            return
        for element in reversed(self._open):
            if element.drops and name in elements.ENDED_BY.get(element.name, ()):
                self._lost = True
            if element.drops or element.name in ("table", "ul", "ol", "dl"):
                return

    def _look_inside(self, tag: Start) -> Look:
        attributes = tag.attributes
        look = coloured(
            self._look, attributes.get("color", "") if tag.name == "font" else "", attributes.get("bgcolor", "")
        )
        if tag.name == "body":
            look = coloured(look, attributes.get("text", ""))
        if tag.name == "pre":
            look = replace(look, keeps_lines=True)
        look = styled(look, attributes.get("style", ""))
        sheet = self._sheet.effect(tag.name, attributes)
        hidden = "hidden" in attributes or sheet == "hides"
        shown_again = hidden and "display" in attributes.get("style", "").lower()
        if not (hidden or sheet or tag.name in _CHANGING):
            return look
        return replace(
            look,
            hidden=look.hidden or (hidden and not shown_again) or tag.name in elements.HIDDEN,
            struck=look.struck or tag.name in elements.STRUCK,
            doubtful=look.doubtful or shown_again or sheet == "touches" or tag.name in elements.NO_TEXT,
        )

    @staticmethod
    def _is_dropping(look: Look) -> bool:
        return look.gone or look.unsure


_CHANGING = elements.HIDDEN | elements.STRUCK | elements.NO_TEXT
_UNSHOWN_RAW = frozenset({"style", "script", "title"})
_SPACES = re.compile(r"[ \t\n\r\f]+")


def _is_pixel(tag: Start) -> bool:
    """A picture of at most one pixel: shown, but not seen."""
    return {
        tag.attributes.get("width", "").removesuffix("px"),
        tag.attributes.get("height", "").removesuffix("px"),
    } <= {"0", "1"}
