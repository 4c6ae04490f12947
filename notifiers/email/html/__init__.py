"""What an HTML body shows, as lines of plain text in which quoted lines begin with `>`.

A library makes the tree as the WHATWG's standard says; the allow-lists of `html.toml` say what of it is readable. Text
that may be hidden, struck out or out of place is marked with UNSURE: it never approves, can still reject, and is part
of the comment. Where text may stand above or over other text, its line has DISPLACED.
"""

import re
from typing import Any, NamedTuple

from justhtml import JustHTML

from notifiers.email import limits
from notifiers.email.folding import DISPLACED, UNSURE
from notifiers.email.html.styles import ALLOWED, PLAIN, Style, StyleSheets, inline_style, listed
from notifiers.email.mime.parts import Unreadable

_BLOCKS, _KNOWN = listed("blocks"), listed("blocks") | listed("inline")
_UNSHOWN, _ELSEWHERE, _SMALL = listed("unshown"), listed("elsewhere"), listed("small")
_ATTRIBUTES, _ATTRIBUTE_PREFIXES = listed("attributes"), tuple(ALLOWED["attribute_prefixes"].split())
_COLOURS: dict[str, str] = ALLOWED["colours"]
_NO_COLOURS = listed("text_colours") | listed("backgrounds")  # not in attributes, where these are other colours
_QUOTES, _SIGNATURES = listed("quotes"), listed("signatures")
_SPACES = re.compile(r"[ \t\n\f\r]+")
# Where programs differ on what a comment is, or on whether text in the head is shown.
_READ_DIFFERENTLY = re.compile(r"(?<!\]>)<!---?>|--!>|<head[^>]{0,200}>\s{0,99}[^<\s]", re.IGNORECASE)
_COLOUR = re.compile("#[0-9a-f]{3}(?:[0-9a-f]{3})?|[a-z]+")
_LONG_NUMBER = re.compile(r"&#[0-9]{9}|&#[xX][0-9a-fA-F]{8}")


class _State(NamedTuple):
    """How the text of an element is shown."""

    gone: bool = False
    doubtful: bool = False
    keeps_lines: bool = False
    block: bool = False
    resized: bool = False


def html_text(html: str, share: int = 1) -> str:
    """The text an HTML body shows, quotes marked. `share`: how many texts share the limits. Raises Unreadable."""
    if _LONG_NUMBER.search(html):
        raise Unreadable("malformed", "The HTML of the mail is malformed.")
    whole = html.replace("\r\n", "\n").replace("\r", "\n")
    html = whole[: limits.LARGEST_TEXT // share]
    for sign, most in (("<", limits.MOST_TAGS // share), ("&", limits.MOST_REFERENCES // share)):
        html = sign.join(html.split(sign, most)[:most])
    tree = JustHTML(html, sanitize=False, scripting_enabled=False)
    page = _Page(tree, share, doubtful=_READ_DIFFERENTLY.search(html) is not None)
    page.lay_out(tree.root)
    return page.text(is_cut=html != whole or whole.endswith(f"{UNSURE}<!--"))


class _Page:
    """Lays a tree out as lines, after reading all its style sheets; not recursive, as a tree may be of any depth."""

    def __init__(self, tree: JustHTML, share: int, *, doubtful: bool) -> None:
        self._doubtful = doubtful or any(map(_styles_elsewhere, tree.query("script, noscript, link, meta")))
        self._room = limits.LARGEST_STYLES // share
        self._done: list[str] = []
        self._line: list[str] = []
        self._depth = 0  # how many quotes are open
        self._parted = False  # a comment or hidden text stands right here
        self._displaced = False  # something may stand anywhere
        self._conditional = False
        self._sheets = StyleSheets()
        for node in tree.query("style"):
            css = "".join(child.data or "" for child in node.children or ())
            self._room -= len(css)
            if self._room >= 0 and not self._sheets.doubtful:
                self._sheets.add(css)

    def text(self, *, is_cut: bool) -> str:
        """The lines as one text; if the rest was cut off, the last line with text is marked, as it may go on."""
        self._end()
        last = next((at for at in range(len(self._done) - 1, -1, -1) if self._done[at].strip()), -1)
        if is_cut and last >= 0:
            self._done[last] += UNSURE
        return f"{DISPLACED}\n" * self._displaced + "\n".join(self._done)

    def lay_out(self, root: Any) -> None:
        """Walk the tree in order."""
        states = [_State(doubtful=self._doubtful or self._sheets.doubtful or self._room < 0)]
        pending: list[tuple[Any, bool]] = [(root, False)]
        while pending and len(self._done) <= limits.MOST_LINES:
            node, ends = pending.pop()
            if ends:
                state = states.pop()
                if state.block and not state.gone:
                    self._end()
                self._depth -= _quotes(node) and not state.gone
            elif node.name == "#text":
                self._say(node.data or "", states[-1])
            elif node.name == "#comment":
                self._parted = True
                # Outlook's conditional comments: only some programs show what stands in or between them.
                marks = re.findall(r"\[(if|endif\])", (node.data or "").lower())
                self._conditional = "endif]" not in marks if marks else self._conditional
                self._put(UNSURE if "if" in marks and not states[-1].gone else "")
            elif node.name != "!doctype":
                states.append(self._enter(node, states[-1]))
                pending.append((node, True))
                pending.extend((child, False) for child in reversed(node.children or ()))

    def _put(self, text: str, *, keeps: bool = False) -> None:
        """Add text to the line; a space that begins the line or follows another stays only if it `keeps` spaces."""
        if not text:
            return
        if self._parted and self._line and self._line[-1][-1:].isalnum() and text[0].isalnum():
            self._line.append(UNSURE)  # a word split by a comment or hidden text is no word
        self._parted = False
        if text[0] == " " and (not self._line or self._line[-1].endswith(" ")) and not keeps:
            text = text[1:]
        self._line += [text] if text else []

    def _end(self, *, forced: bool = False) -> None:
        """End the line; an empty one stays only where a line break was `forced`."""
        if self._line or forced:
            marks = ">" * self._depth + " " * bool(self._depth)
            self._done.append(marks + "".join(self._line).rstrip(" "))
        self._line, self._parted = [], False

    def _mark(self, line: str) -> None:
        """Add a line that marks a rule, a quote or a signature."""
        self._end()
        self._done.append(">" * self._depth + line)

    def _say(self, text: str, state: _State) -> None:
        blank = not text.strip(" \t\n\f\r")
        if state.gone:
            self._parted = self._parted or not blank
            return
        may_break = self._sheets.keep_lines and "\n" in text.strip()
        if not blank and (state.doubtful or self._conditional or may_break):
            self._put(UNSURE)
        if not state.keeps_lines:
            self._put(_SPACES.sub(" ", text))
            return
        for at, line in enumerate(text.split("\n", limits.MOST_LINES)[: limits.MOST_LINES]):
            if at:
                self._end(forced=True)
            self._put(line, keeps=True)

    def _enter(self, node: Any, around: _State) -> _State:
        if around.gone:
            return around
        name, text = node.name, node.attrs.get("style") or ""
        self._room -= len(text)
        is_long = len(text) > limits.LONGEST_STYLE or self._room < 0
        style = Style(doubtful=True) if is_long else inline_style(text)
        # Without a style such an element is hidden in every program; with other values of `hidden` in some.
        hides = name in _KNOWN and (node.attrs.get("hidden", "no") or "").lower() in ("", "hidden", "true")
        names = {name, *(f"#{mark}" for mark in _marks(node, "id")), *(f".{mark}" for mark in _marks(node, "class"))}
        changes, moves = names & self._sheets.changed, names & self._sheets.displaced
        if not (style.doubtful or style.displaced or style.block is not None or changes) and (
            name in _UNSHOWN or ((style.hidden or hides) and not self._sheets.shows)
        ):
            if name == "br":
                self._put(UNSURE)  # a style decides whether it breaks the line
            return around._replace(gone=True)
        self._displaced = self._displaced or style.anywhere or bool(moves)
        resized = style.resized or name in _SMALL
        doubtful = (
            hides or style.hidden or style.doubtful or style.displaced or bool(changes) or name not in _KNOWN
            or not _has_plain_attributes(node) or (resized and around.resized)
        )  # fmt: skip
        block = name in _BLOCKS if style.block is None else style.block
        if style.displaced or name in _ELSEWHERE:
            self._put(DISPLACED)
        # A doubtful block may not end the line, and may show something without a text. Custom elements, which programs
        # that change pages put in, show nothing but the text within.
        mark = UNSURE if doubtful and name != "hr" and "-" not in name else ""
        self._put(mark if self._line else "")
        if block:
            self._end(forced=name == "p" and bool(self._done))
        self._put(mark)
        self._begin(node)
        keeps = name == "pre" or (around.keeps_lines if style.keeps_lines is None else style.keeps_lines)
        return _State(False, doubtful or around.doubtful, keeps, block, resized or around.resized)

    def _begin(self, node: Any) -> None:
        name, marks = node.name, _marks(node, "id", "class", "name")
        if name == "br":
            self._end(forced=True)
        elif name == "hr":
            self._mark("________________________________")
        elif name in ("img", "input"):
            self._put(UNSURE)
        elif name in ("td", "th"):
            self._put("\t" if self._line else "")
        elif name == "li":
            self._put("1. " if node.parent is not None and node.parent.name == "ol" else "* ")
        elif marks & _QUOTES:
            self._mark("-----Original Message-----")
        elif name in ("div", "span", "p", "pre", "table", "section") and (
            marks & _SIGNATURES or any("signature" in mark for mark in marks)
        ):
            self._mark("-- ")
        self._depth += _quotes(node)


def _marks(node: Any, *attributes: str) -> set[str]:
    """The words of these attributes."""
    values = (node.attrs.get(name) or "" for name in attributes)
    return {mark for value in values for mark in value.lower().split()}


def _styles_elsewhere(node: Any) -> bool:
    """Whether an element brings in an external style sheet, a script or a dark colour scheme."""
    attributes = {name: (node.attrs.get(name) or "").lower().strip() for name in ("rel", "name", "content")}
    darkens = attributes["name"] == "color-scheme" and "light" not in attributes["content"]
    return "script" in node.name or "stylesheet" in attributes["rel"] or darkens


def _has_plain_attributes(node: Any) -> bool:
    return len(node.attrs) <= limits.MOST_ATTRIBUTES and all(
        _is_plain_attribute(node.name, name, (value or "").lower()) for name, value in node.attrs.items()
    )


def _is_plain_attribute(element: str, name: str, value: str) -> bool:
    if name in _COLOURS:
        is_colour = bool(_COLOUR.fullmatch(value)) and value not in _NO_COLOURS
        return is_colour and inline_style(f"{_COLOURS[name]}:{value}") == PLAIN
    if name == "face":
        return len(value) <= limits.LONGEST_STYLE and inline_style(f"font-family:{value}") == PLAIN
    if name == "align" and element in ("table", "img"):
        return value.strip() not in ("left", "right")
    return name in _ATTRIBUTES or name.startswith(_ATTRIBUTE_PREFIXES)


def _quotes(node: Any) -> bool:
    return bool(node.name == "blockquote" or (node.name == "div" and node.attrs.get("name") == "quote"))
