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
from notifiers.email.html import allowed
from notifiers.email.html.lines import Lines
from notifiers.email.html.style_sheets import StyleSheets
from notifiers.email.html.styles import PLAIN, Style, inline_style
from notifiers.email.mime.parts import Unreadable

SMALLEST_SCALE, LARGEST_SCALE = 0.6, 6.0  # of the font, by all elements around a text together
_SPACES = re.compile(r"[ \t\n\f\r]+")
# Where programs differ on what is a comment, or what stands in the head is shown or not.
_READ_DIFFERENTLY = re.compile(r"(?<!\]>)<!---?>|--!>|<head[^>]{0,200}>\s{0,99}[^<\s]", re.IGNORECASE)
_COLOUR = re.compile("#[0-9a-f]{3}(?:[0-9a-f]{3})?|[a-z]+")
_LONG_NUMBER = re.compile(r"&#[0-9]{9}|&#[xX][0-9a-fA-F]{8}")


class _State(NamedTuple):
    """How the text of an element is shown."""

    gone: bool = False
    doubtful: bool = False
    keeps_lines: bool = False
    block: bool = False
    dark: bool = False  # light text on a dark background
    scale: float = 1.0
    depth: int = 0


def html_text(html: str, share: int = 1) -> str:
    """The text an HTML body shows, quotes marked. `share`: how many texts share the limits. Raises Unreadable."""
    if _LONG_NUMBER.search(html):
        raise Unreadable("malformed", "The HTML of the mail is malformed.")
    whole = html.replace("\r\n", "\n").replace("\r", "\n")
    html = _capped(whole, share)
    tree = JustHTML(html, sanitize=False, scripting_enabled=False)
    page = _Page(share, doubtful=_READ_DIFFERENTLY.search(html) is not None)
    page.read_sheets(tree)
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

    def read_sheets(self, tree: JustHTML) -> None:
        """Read all style sheets before anything they may rule."""
        if any(map(_styles_elsewhere, tree.query("script, noscript, link, meta"))):
            self._sheets.doubtful = True
        for node in tree.query("style"):
            css = "".join(child.data or "" for child in node.children or ())
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
                self._leave(node, states.pop())
            elif node.name == "#text":
                self._say(node.data or "", states[-1])
            elif node.name == "#comment":
                self._comment((node.data or "").lower(), states[-1])
            elif node.name != "!doctype":
                states.append(self._enter(node, states[-1]))
                pending.append((node, True))
                pending.extend((child, False) for child in reversed(node.children or ()))

    def _say(self, text: str, state: _State) -> None:
        blank = not text.strip(" \t\n\f\r")
        if state.gone:
            self.lines.parted = self.lines.parted or not blank
            return
        may_break = self._sheets.keep_lines and "\n" in text.strip()
        if not blank and (state.doubtful or self._conditional or may_break):
            self.lines.put(UNSURE)
        if state.keeps_lines:
            self.lines.put_as_is(text)
        else:
            self.lines.put(_SPACES.sub(" ", text))

    def _enter(self, node: Any, around: _State) -> _State:
        if around.gone:
            return around
        style, names = self._style_of(node), _names(node)
        changes, moves = not names.isdisjoint(self._sheets.changed), not names.isdisjoint(self._sheets.displaced)
        displaced = style.displaced or moves
        if self._is_gone(node, style) and not (changes or moves):
            if node.name == "br":
                self.lines.put(UNSURE)  # whether it breaks the line is for a style to say
            return around._replace(gone=True)
        self._displaced = self._displaced or style.anywhere or moves
        scale = around.scale * style.scale * (0.7 if node.name in allowed.SMALL else 1)
        doubtful = (
            _hides(node) or style.hidden or style.doubtful or displaced or changes or not _is_known(node)
            or not _has_plain_attributes(node)
            or (around.dark and (node.attrs or node.name == "table")) or (style.dark and self._sheets.rule)
            or not SMALLEST_SCALE <= scale <= LARGEST_SCALE or around.depth > limits.DEEPEST_TAG
        )  # fmt: skip
        block = node.name in allowed.BLOCKS if style.block is None else style.block
        keeps_lines = around.keeps_lines if style.keeps_lines is None else style.keeps_lines
        marks = bool(doubtful) and node.name != "hr" and not _is_of_extension(node)
        self._place(node, block=block, doubtful=marks, displaced=displaced)
        self._begin(node)
        return _State(
            doubtful=bool(doubtful or around.doubtful),
            keeps_lines=keeps_lines or node.name == "pre",
            block=block,
            dark=around.dark or style.dark,
            scale=scale,
            depth=around.depth + 1,
        )

    def _is_gone(self, node: Any, style: Style) -> bool:
        """Whether an element is surely hidden, if no sheet changes it."""
        if style.doubtful or style.displaced or style.block is not None:
            return False
        return node.name in allowed.UNSHOWN or ((style.hidden or _hides(node)) and not self._sheets.display)

    def _style_of(self, node: Any) -> Style:
        text = node.attrs.get("style") or ""
        self._room -= len(text)
        if len(text) > limits.LONGEST_STYLE or self._room < 0:
            return Style(doubtful=True)
        return inline_style(text)

    def _place(self, node: Any, *, block: bool, doubtful: bool, displaced: bool) -> None:
        """End the line where a block begins; in doubt it may not, and may show something without a text."""
        if displaced or node.name in allowed.ELSEWHERE:
            self.lines.put(DISPLACED)
        if doubtful and self.lines.begun:
            self.lines.put(UNSURE)
        if block:
            self.lines.end(forced=node.name == "p" and bool(self.lines.done))
        if doubtful:
            self.lines.put(UNSURE)

    def _begin(self, node: Any) -> None:
        name, marks = node.name, _marks(node)
        if name == "br":
            self.lines.end(forced=True)
        elif name == "hr":
            self.lines.mark("________________________________")
        elif name in ("img", "input"):
            self.lines.put("" if _is_unseen(node) and not self._sheets.rule else UNSURE)
        elif name in allowed.CELLS:
            self.lines.put("\t" if self.lines.begun else "")
        elif name == "li":
            self.lines.put("1. " if node.parent is not None and node.parent.name == "ol" else "* ")
        elif marks & allowed.QUOTES:
            self.lines.mark("-----Original Message-----")
        elif name in allowed.SIGNED and any(allowed.SIGNATURE in m or m in allowed.SIGNATURES for m in marks):
            self.lines.mark("-- ")
        self.lines.depth += _quotes(node)

    def _leave(self, node: Any, state: _State) -> None:
        if state.gone:
            return
        if state.block:
            self.lines.end()
        self.lines.depth -= _quotes(node)

    def _comment(self, text: str, state: _State) -> None:
        """Outlook's conditional comments: what stands in them, or between them, only some programs show."""
        self.lines.parted = True
        if "[if" in text or "[endif]" in text:
            self._conditional = "[endif]" not in text
            if "[if" in text and not state.gone:
                self.lines.put(UNSURE)


def _is_known(node: Any) -> bool:
    return node.name in allowed.BLOCKS or node.name in allowed.INLINE


def _hides(node: Any) -> bool:
    return _is_known(node) and (node.attrs.get("hidden", "no") or "").lower() in allowed.HIDING


def _is_of_extension(node: Any) -> bool:
    """Whether a program that changes pages has put the element in: it shows nothing but the text within."""
    return "-" in node.name


def _names(node: Any) -> frozenset[str]:
    classes = (f".{name}" for name in (node.attrs.get("class") or "").lower()[:1_000].split())
    return frozenset([node.name, f"#{(node.attrs.get('id') or '').lower()[:100]}", *classes])


def _marks(node: Any) -> set[str]:
    values = (node.attrs.get(name) or "" for name in ("id", "class", "name"))
    return {mark[:100] for value in values for mark in value[:1_000].lower().split()}


def _styles_elsewhere(node: Any) -> bool:
    """Whether an element brings in a style sheet from elsewhere, a script or darkness."""
    said = {name: (node.attrs.get(name) or "").lower()[:100] for name in ("rel", "name", "content")}
    darkens = said["name"] == "color-scheme" and "light" not in said["content"]
    return "script" in node.name or "stylesheet" in said["rel"] or darkens


def _has_plain_attributes(node: Any) -> bool:
    return len(node.attrs) <= limits.MOST_ATTRIBUTES and all(
        _is_plain_attribute(node.name, name, (value or "")[:40].lower()) for name, value in node.attrs.items()
    )


def _is_plain_attribute(element: str, name: str, value: str) -> bool:
    if name in allowed.COLOURS:
        style = inline_style(f"{allowed.COLOURS[name]}:{value}")
        return style == PLAIN and bool(_COLOUR.fullmatch(value)) and value not in allowed.NO_COLOURS
    if name == "face":
        return value not in allowed.FONTS_OF_SIGNS
    if name == "align" and element in ("table", "img"):
        return value not in ("left", "right")
    return name in allowed.ATTRIBUTES or name.startswith(allowed.ATTRIBUTE_PREFIXES)


def _quotes(node: Any) -> bool:
    return bool(node.name == "blockquote" or (node.name == "div" and node.attrs.get("name") == "quote"))


def _is_unseen(node: Any) -> bool:
    """A hidden field, or a picture of at most one pixel: shown, but not seen."""
    sizes = {(node.attrs.get(name) or "").removesuffix("px") for name in ("width", "height")}
    more = any(node.attrs.get(name) for name in ("alt", "border", "style"))
    return (node.attrs.get("type") or "").lower() == "hidden" or (sizes <= {"0", "1"} and not more)
