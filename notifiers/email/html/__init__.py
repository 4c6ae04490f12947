"""What an HTML body shows, as lines of plain text in which quoted lines begin with `>`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from notifiers.email import caps
from notifiers.email.grammar import UNSURE
from notifiers.email.html import elements
from notifiers.email.html.declarations import SPACE, lower
from notifiers.email.html.dress import Dress, Worn
from notifiers.email.html.lines import Lines
from notifiers.email.html.look import Look, is_block
from notifiers.email.html.tags import Comment, End, Raw, Start, Text, Token, tokens
from notifiers.email.own_text import own_lines

_MOVED = UNSURE + "\ufdd0"  # stands where something may be shown over, or above, what stands before it


@dataclass
class _Open:
    name: str
    look: Look
    drops: bool  # whether this element, and not what encloses it, keeps its text from being said
    quotes: bool
    block: bool
    anchor: int | None = None  # the line with which what is placed absolutely within may begin
    filled: bool = False  # a table that has rows


def html_text(html: str, share: int = 1) -> str:
    """The text an HTML body shows, quotes marked, in the order it is shown. `share`: how many texts share the caps."""
    html = html.replace("\r\n", "\n").replace("\r", "\n")
    longest = caps.LARGEST_TEXT // share
    if len(html) > longest:
        html = f"{html[:longest]}{UNSURE}<!--"  # not to be overlooked in hidden text either
    found = list(tokens(html, share))
    page = _Page(Dress(found, share))
    for token in found:
        page.take(token)
        if len(page.lines.done) > caps.MOST_LINES:
            break
    return page.text()


class _Page:
    """Lays tokens out as lines."""

    def __init__(self, dress: Dress) -> None:
        self.lines = Lines()
        self._dress = dress
        self._open: list[_Open] = [_Open("", dress.root, False, False, True)]
        self._drops = 0  # how many of the open elements keep their text from being said
        self._lost = dress.unreadable  # what follows may be shown or not
        self._moved = dress.unreadable or dress.unsettled  # what follows may be shown above
        self._conditional = False
        self._said_at = -1  # the last line that shows anything
        self._roots: set[str] = set()  # of html, head and body

    def text(self) -> str:
        """The lines so far as one text."""
        self.lines.end()
        text = "\n".join(self.lines.done)
        moved = self._moved
        if not moved and _MOVED in text:
            moved = any(_MOVED in line for line in own_lines(text).lines)
        return (UNSURE + "\n") * moved + text.replace(_MOVED, UNSURE)

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
            self.lines.put("" if token.name in _UNSHOWN_RAW else UNSURE)
        else:
            self._lost = True
            self.lines.put(UNSURE)

    @property
    def _look(self) -> Look:
        return self._open[-1].look

    def _say(self, text: str) -> None:
        look = self._look
        blank = not text.strip(SPACE)
        if not blank and self._open[-1].name in elements.TABLE_FRAME:
            self.lines.put(_MOVED)
        if not blank and "head" in self._roots and self._is_in("head"):
            self._lost = True
        if look.gone and not self._lost:
            self.lines.parted = self.lines.parted or not blank
        elif look.faint and not (look.doubtful or self._lost or self._conditional):
            self.lines.faded = self.lines.faded or not blank
        elif not blank and (look.unsure or self._lost or self._conditional or self._may_break(text)):
            self.lines.put(UNSURE)
        elif look.keeps_lines:
            self.lines.put_as_is(text)
        else:
            self.lines.put(_SPACES.sub(" ", text))
        self._said_at = self._said_at if blank else len(self.lines.done)

    def _may_break(self, text: str) -> bool:
        """Whether a line may, or may not, end within this text."""
        return self._look.keeps_lines is None and "\n" in (text if self.lines.begun else text.lstrip(SPACE))

    def _is_in(self, name: str) -> bool:
        return any(each.name == name for each in self._open)

    def _start(self, tag: Start) -> None:
        if self._open[-1].name == "head" and tag.name not in elements.IN_HEAD:
            self._close(self._open.pop())
        self._check_implied_end(tag.name)
        if self._look.hidden and not self._lost:
            worn = Worn(self._look)  # nothing within can take it back
        else:
            worn = self._dress.on(self._look, tag)
            self._check_place(tag)
            self._check_moves(tag, worn)
        if tag.name == "br":
            self._break(worn.look)
        elif tag.name in elements.VOID:
            self._void(tag, worn.look)
        elif len(self._open) > caps.DEEPEST_TAG:
            self._lost = True
        else:
            self._enter(tag, worn)

    def _enter(self, tag: Start, worn: Worn) -> None:
        block = is_block(tag.name, worn.display) and not worn.floats
        if block is None:
            block = tag.name in elements.BLOCKS
        if block:
            self.lines.end(forced=tag.name == "p" and bool(self.lines.done))
        drops = self._is_dropping(worn.look) and not self._is_dropping(self._look)
        self._begin_special(tag, worn.look)
        quotes = tag.name == "blockquote" or (tag.name == "div" and tag.attributes.get("name", "") == "quote")
        self.lines.depth += quotes
        self._drops += drops
        anchor = len(self.lines.done) if worn.lifted else self._open[-1].anchor
        self._open.append(_Open(tag.name, worn.look, drops, quotes, block, anchor))

    def _check_place(self, tag: Start) -> None:
        """Whether browsers put an element elsewhere than where it stands."""
        name = tag.name
        if name in ("html", "head", "body"):
            self._moved = self._moved or self._dress.is_late(
                tag, again=name in self._roots or bool(self.lines.done or self.lines.begun)
            )
            self._roots.add(name)
        parent = self._open[-1]
        parts = name in elements.PARTS
        table = next((each for each in reversed(self._open) if each.name == "table"), None) if parts else None
        stray = parent.name in elements.TABLE_FRAME and name not in elements.IN_TABLE and not _is_unseen_input(tag)
        late = name in ("caption", "tfoot", "legend") or (name == "thead" and (table is None or table.filled))
        if stray or late:
            self.lines.put(_MOVED)
        elif parts and table is None:
            self._lost = True  # browsers drop such a tag, and what it says
        elif name == "form" and self._is_in("form"):
            self.lines.put(UNSURE)
            self._lost = True
        if table and name in elements.ROWS:
            table.filled = True

    def _check_moves(self, tag: Start, worn: Worn) -> None:
        """Whether an element may stand beside, over or above what is shown before it."""
        if worn.look.hidden:
            return
        aligned = tag.name in elements.ALIGNED and lower(tag.attributes.get("align", "")) in ("left", "right")
        if worn.floats or aligned or (worn.joins and self.lines.begun):
            self.lines.put(UNSURE)
        anchor = self._open[-1].anchor
        if worn.lifted == "absolute" and not worn.moves and anchor is not None and anchor > self._said_at:
            self.lines.put(UNSURE)
        elif worn.lifted in ("absolute", "fixed"):
            self._moved = True
        elif worn.moves:
            self.lines.put(_MOVED)

    def _begin_special(self, tag: Start, look: Look) -> None:
        if look.gone or (look.faint and tag.name not in elements.NO_TEXT):
            return
        marks = _marks(tag)
        if marks & elements.QUOTE_BEGINS:
            self.lines.mark("-----Original Message-----")
        elif tag.name in elements.SIGNED and any(
            elements.SIGNATURE in mark or mark in elements.SIGNATURES for mark in marks
        ):
            self.lines.mark("-- ")
        elif tag.name == "li":
            self.lines.put("* ")
        elif tag.name in elements.CELLS:
            self.lines.put("\t" if self.lines.begun else "")
        elif tag.name == "q":
            self.lines.put('"')
        elif tag.name in elements.NO_TEXT:
            self.lines.put(UNSURE)

    def _break(self, look: Look) -> None:
        if look.hidden and not self._look.hidden:
            self.lines.put(UNSURE)  # whether it breaks the line is for a style to say
        elif not look.gone:
            self.lines.put(UNSURE if look.unsure and not self._look.unsure else "")
            self.lines.end(forced=True)

    def _void(self, tag: Start, look: Look) -> None:
        if tag.name == "wbr":
            self.lines.parted = True
        if tag.name == "hr" and not look.gone:
            self.lines.mark("________________________________")
        if tag.name in elements.PICTURES and not look.gone and not _is_pixel(tag) and not _is_unseen_input(tag):
            self.lines.put(UNSURE)

    def _end(self, name: str) -> None:
        if name in ("br", "p") and not any(each.name == name for each in self._open):
            self.lines.end(forced=True)
            return
        at = next((n for n in range(len(self._open) - 1, 0, -1) if self._open[n].name == name), 0)
        if not at:
            return
        within = self._open[at + 1 :]
        if name not in elements.BLOCKS | elements.CELLS and any(_is_special(each.name) for each in within):
            self.lines.put(UNSURE)  # browsers keep what is open within, and its line
            self._lost = True
            return
        if self._drops and any(each.drops for each in within):
            self._lost = True  # closed without its own end tag: programs differ on where it ends
        for each in reversed(self._open[at:]):
            self._close(each)
        del self._open[at:]

    def _close(self, element: _Open) -> None:
        if element.block:
            self.lines.end()
        self.lines.depth -= element.quotes
        self._drops -= element.drops
        if element.name == "q":
            self.lines.put('"')

    def _comment(self, text: str) -> None:
        folded = lower(text.strip(SPACE))
        if "[endif]" in folded:
            self._conditional = False
        elif folded.startswith("[if") and folded.endswith(("]", "<!")):
            self._conditional = True
        self.lines.parted = True

    def _check_implied_end(self, name: str) -> None:
        if not self._drops or self._lost:
            return
        for element in reversed(self._open):
            if element.drops and name in elements.ENDED_BY.get(element.name, ()):
                self._lost = True
            if element.drops or element.name in ("table", "ul", "ol", "dl"):
                return

    @staticmethod
    def _is_dropping(look: Look) -> bool:
        return look.gone or look.unsure


_UNSHOWN_RAW = frozenset({"style", "script", "title"})
_SPACES = re.compile(rf"[{SPACE}]+")


def _is_special(name: str) -> bool:
    return name in elements.BLOCKS or name in elements.CELLS


def _marks(tag: Start) -> set[str]:
    names: Iterable[str] = (tag.attributes.get(name, "")[:1_000] for name in ("id", "class", "name"))
    return {mark[:100] for name in names for mark in lower(name).split()}


def _is_unseen_input(tag: Start) -> bool:
    return tag.name == "input" and lower(tag.attributes.get("type", "")) == "hidden"


def _is_pixel(tag: Start) -> bool:
    """A picture of at most one pixel: shown, but not seen."""
    return {
        tag.attributes.get("width", "").removesuffix("px"),
        tag.attributes.get("height", "").removesuffix("px"),
    } <= {"0", "1"}
