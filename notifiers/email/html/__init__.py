"""What an HTML body shows, as lines of plain text in which quoted lines begin with `>`.

The tree is the WHATWG's, made by a library; what of it is readable, the allow-lists of `elements` and `declarations`
say. Text that may be hidden, struck or beside what stands around it has UNSURE before it: it never gives a yes, and
still counts for a no and for the comment. Where text may stand above or over other text, DISPLACED stands in its line.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from justhtml import JustHTML

from notifiers.email import limits
from notifiers.email.folding import DISPLACED, UNSURE
from notifiers.email.html import elements
from notifiers.email.html.declarations import PLAIN, Style, inline_style, is_coloured_plainly
from notifiers.email.html.lines import Lines
from notifiers.email.html.style_sheets import StyleSheets
from notifiers.email.mime.parts import Unreadable

SMALLEST_SCALE, LARGEST_SCALE = 0.6, 6.0  # of the font, by all elements around a text together
_SPACES = re.compile(r"[ \t\n\f\r]+")
# Where programs differ on what is a comment, or what stands in the head is shown or not.
_READ_DIFFERENTLY = re.compile(r"(?<!\]>)<!---?>|--!>|<head[^>]{0,200}>\s{0,99}[^<\s]", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"&#[0-9]{9}|&#[xX][0-9a-fA-F]{8}")


_COLOURING = ("bgcolor", "color", "text", "link", "vlink")


class _State(NamedTuple):
    """How the text of an element is shown."""

    gone: bool = False
    doubtful: bool = False
    keeps_lines: bool | None = False  # None: a line may, or may not, end within its text
    scale: float = 1.0
    depth: int = 0
    dark: bool = False  # light text on a dark background


def html_text(html: str, share: int = 1) -> str:
    """The text an HTML body shows, quotes marked. `share`: how many texts share the limits. Raises Unreadable."""
    if _LONG_NUMBER.search(html):
        raise Unreadable("malformed", "The HTML of the mail is malformed.")
    whole = html.replace("\r\n", "\n").replace("\r", "\n")
    html = _capped(whole, share)
    tree = JustHTML(html, sanitize=False, scripting_enabled=False)
    page = _Page(share, doubtful=_READ_DIFFERENTLY.search(html) is not None)
    page.read_sheets(tree.root)
    page.lay_out(tree.root)
    return page.text(is_cut=html != whole or whole.endswith(f"{UNSURE}<!--"))


def _capped(html: str, share: int) -> str:
    """No more than so many characters, tags and references."""
    cut = html[: limits.LARGEST_TEXT // share]
    at = -1
    for sign, most in (("<", limits.MOST_TAGS // share), ("&", limits.MOST_REFERENCES // share)):
        if cut.count(sign) > most:
            at = len(sign.join(cut.split(sign, most)[:most]))
            cut = cut[:at]
    return cut


class _Page:
    """Lays a tree out as lines, without recursion: a tree may be as deep as it likes."""

    def __init__(self, share: int, *, doubtful: bool) -> None:
        self.lines = Lines()
        self._sheets = StyleSheets()
        self._sheets.doubtful = doubtful
        self._room = limits.LARGEST_STYLES // share
        self._displaced = False  # something may stand anywhere
        self._conditional = False

    def text(self, *, is_cut: bool) -> str:
        """The lines so far as one text; the last that says anything may go on where the rest was cut off."""
        self.lines.end()
        last = next((at for at in range(len(self.lines.done) - 1, -1, -1) if self.lines.done[at].strip()), -1)
        if is_cut and last >= 0:
            self.lines.done[last] += UNSURE
        return f"{DISPLACED}\n" * self._displaced + "\n".join(self.lines.done)

    def read_sheets(self, root: Any) -> None:
        """Read all style sheets before anything they may rule."""
        for node in _walk(root):
            if node.name == "script" or _styles_elsewhere(node):
                self._sheets.doubtful = True
            if node.name == "style":
                css = "".join(child.data or "" for child in node.children)
                self._room -= len(css)
                if self._room < 0:
                    self._sheets.doubtful = True
                    return
                self._sheets.add(css)

    def lay_out(self, root: Any) -> None:
        """Walk the tree in order."""
        states = [_State(doubtful=self._sheets.doubtful)]
        pending: list[tuple[Any, bool]] = [(root, False)]
        while pending and len(self.lines.done) <= limits.MOST_LINES:
            node, ends = pending.pop()
            if ends:
                if not states.pop().gone:
                    self._leave(node)
            elif node.name == "#text":
                self._say(node.data or "", states[-1], node.parent)
            elif node.name == "#comment":
                self._comment(node.data or "")
            elif node.name != "!doctype":
                states.append(self._enter(node, states[-1]))
                pending.append((node, True))
                pending.extend((child, False) for child in reversed(node.children or ()))

    def _say(self, text: str, state: _State, parent: Any) -> None:
        blank = not text.strip(" \t\n\f\r")
        if state.gone:
            self.lines.parted = self.lines.parted or not blank
            return
        out_of_place = parent is not None and parent.name in ("table", "tbody", "tr")
        breaks = state.keeps_lines is None and "\n" in text.strip()
        if not blank and (state.doubtful or self._conditional or out_of_place or breaks):
            self.lines.put(UNSURE)
        if state.keeps_lines:
            self.lines.put_as_is(text)
        else:
            self.lines.put(_SPACES.sub(" ", text))

    def _enter(self, node: Any, around: _State) -> _State:
        name, style, sheets = node.name, self._style_of(node), self._sheets.of(_names(node))
        if around.gone:
            return around
        known = name in elements.BLOCKS or name in elements.INLINE
        hides = known and (node.attrs.get("hidden", "no") or "").lower() in elements.HIDING
        again = (
            style.doubtful
            or style.displaced
            or (not style.hidden and style.block is not None)
            or any(s.block is not None for s in sheets)
        )
        if (style.hidden or hides or name in elements.UNSHOWN) and not again:
            if name == "br":
                self.lines.put(UNSURE)  # whether it breaks the line is for a style to say
            return around._replace(gone=True)
        scale, keeps = self._size_and_spaces(node, style, around)
        doubtful = (
            hides
            or style.hidden
            or style.doubtful
            or style.displaced
            or not known
            or not self._has_plain_attributes(node)
        )
        doubtful = doubtful or (around.dark and (style.coloured or name == "table" or _says_colour(node)))
        for sheet in sheets:
            doubtful = doubtful or sheet.doubtful or sheet.dark or sheet.block not in (None, name in elements.BLOCKS)
            scale *= sheet.scale
            keeps = None if sheet.keeps_lines not in (None, keeps) else keeps
        self._displaced = self._displaced or style.anywhere or any(sheet.displaced for sheet in sheets)
        doubtful = doubtful or not SMALLEST_SCALE <= scale <= LARGEST_SCALE or around.depth > limits.DEEPEST_TAG
        shows = "-" not in name  # an extension's own element shows nothing but the text within
        self._place(node, style, doubtful=doubtful and shows)
        self._begin(node, doubtful=doubtful and shows)
        dark = around.dark or style.dark
        return _State(False, doubtful or around.doubtful, keeps, scale, around.depth + 1, dark)

    @staticmethod
    def _size_and_spaces(node: Any, style: Style, around: _State) -> tuple[float, bool | None]:
        keeps = around.keeps_lines if style.keeps_lines is None else style.keeps_lines
        return around.scale * style.scale, (True if node.name == "pre" else keeps)

    def _style_of(self, node: Any) -> Style:
        text = node.attrs.get("style") or ""
        self._room -= len(text)
        if len(text) > limits.LONGEST_STYLE or self._room < 0:
            return Style(doubtful=True)
        return inline_style(text) if text else PLAIN

    def _has_plain_attributes(self, node: Any) -> bool:
        for name, value in list(node.attrs.items())[: limits.MOST_ATTRIBUTES]:
            if name in _COLOURING:
                if not is_coloured_plainly(name, (value or "")[:40].lower()):
                    return False
            elif name == "align" and node.name in ("table", "img"):
                if (value or "").lower() in ("left", "right"):
                    return False
            elif name not in elements.ATTRIBUTES and not name.startswith(elements.ATTRIBUTE_PREFIXES):
                return False
        return len(node.attrs) <= limits.MOST_ATTRIBUTES

    def _place(self, node: Any, style: Style, *, doubtful: bool) -> None:
        """End the line where a block begins, and tell where it is open that it does."""
        block = node.name in elements.BLOCKS if style.block is None else style.block
        if style.displaced or node.name in elements.ELSEWHERE or (node.name == "thead" and _follows_rows(node)):
            self.lines.put(DISPLACED)
        if doubtful and self.lines.begun:
            self.lines.put(UNSURE)
        if block:
            self.lines.end(forced=node.name == "p" and bool(self.lines.done))
        elif node.name in elements.BLOCKS and style.block is None:
            self.lines.end()

    def _begin(self, node: Any, *, doubtful: bool) -> None:
        name, marks = node.name, _marks(node)
        if name == "br":
            self.lines.end(forced=True)
        elif name == "wbr":
            self.lines.parted = True
        elif name == "hr":
            self.lines.mark("________________________________")
        elif name in ("img", "input"):
            self.lines.put("" if _is_unseen(node) else UNSURE)
        elif name in elements.CELLS:
            self.lines.put("\t" if self.lines.begun else "")
        elif name == "li":
            self.lines.put("1. " if node.parent is not None and node.parent.name == "ol" else "* ")
        elif name == "q":
            self.lines.put('"')
        elif marks & elements.QUOTES:
            self.lines.mark("-----Original Message-----")
        elif name in elements.SIGNED and any(elements.SIGNATURE in m or m in elements.SIGNATURES for m in marks):
            self.lines.mark("-- ")
        elif doubtful and name not in elements.BLOCKS and name not in elements.INLINE:
            self.lines.put(UNSURE)
        self.lines.depth += _quotes(node)

    def _leave(self, node: Any) -> None:
        style = inline_style((node.attrs.get("style") or "")[: limits.LONGEST_STYLE]) if node.attrs else PLAIN
        if node.name in elements.BLOCKS if style.block is None else style.block:
            self.lines.end()
        if node.name == "q":
            self.lines.put('"')
        self.lines.depth -= _quotes(node)

    def _comment(self, text: str) -> None:
        """Outlook's conditional comments: what stands between them only some programs show."""
        folded = text.strip().lower()
        if "[endif]" in folded:
            self._conditional = False
        elif folded.startswith("[if") and folded.endswith(("]", "<!")):
            self._conditional = True
        self.lines.parted = True


def _walk(root: Any) -> Any:
    pending = [root]
    while pending:
        node = pending.pop()
        if node.name not in ("#text", "#comment", "!doctype"):
            yield node
            pending.extend(reversed(node.children or ()))


def _names(node: Any) -> frozenset[str]:
    classes = (f".{name}" for name in (node.attrs.get("class") or "").lower()[:1_000].split())
    return frozenset([node.name, f"#{(node.attrs.get('id') or '').lower()[:100]}", *classes])


def _marks(node: Any) -> set[str]:
    values = (node.attrs.get(name) or "" for name in ("id", "class", "name"))
    return {mark[:100] for value in values for mark in value[:1_000].lower().split()}


def _styles_elsewhere(node: Any) -> bool:
    """Whether an element brings in a style sheet from elsewhere, or darkness."""
    said = {name: (node.attrs.get(name) or "").lower()[:100] for name in ("rel", "name", "content")}
    sheet = node.name == "link" and "stylesheet" in said["rel"]
    return sheet or (node.name == "meta" and said["name"] == "color-scheme" and "light" not in said["content"])


def _says_colour(node: Any) -> bool:
    return not node.attrs.keys().isdisjoint(_COLOURING)


def _quotes(node: Any) -> bool:
    return bool(node.name == "blockquote" or (node.name == "div" and node.attrs.get("name") == "quote"))


def _follows_rows(node: Any) -> bool:
    siblings = list(node.parent.children if node.parent else ())
    return any(each.name in ("tbody", "tr") for each in siblings[: siblings.index(node)])


def _is_unseen(node: Any) -> bool:
    """A hidden field, or a picture of at most one pixel: shown, but not seen."""
    sizes = {(node.attrs.get(name) or "").removesuffix("px") for name in ("width", "height")}
    return (node.attrs.get("type") or "").lower() == "hidden" or sizes <= {"0", "1"}
