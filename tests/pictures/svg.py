"""Slack's blocks drawn as SVG, about as Slack draws them: for the pictures of docs/slack.md.

Text alone, in fonts that every system has; how wide it is comes from Helvetica's own table, so that the same blocks
always give the same picture.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

SANS, MONO = "Arial, 'Liberation Sans', Helvetica, sans-serif", "'Liberation Mono', 'Courier New', monospace"
INK, GREY, LINE, LINK, CODE, PAPER = "#1d1c1d", "#616061", "#dddddd", "#1264a3", "#c01343", "#ffffff"
FILLS = {"primary": "#007a5a", "danger": "#e01e5a"}
# The width of Helvetica's characters in thousandths of the font's size; all others are like a digit.
WIDTHS = {
    "'": 191, "ijl": 222, "|": 260, " !,./:;I[\\]ft": 278, '-()`r›·': 333, "{}": 334, '"': 355, "*": 389, "^": 469,
    "Jcksvxyz": 500, "+<=>~": 584, "FTZ": 611, "&ABEKPSVXY": 667, "CDHNRUw": 722, "GOQ": 778, "Mm": 833, "%": 889,
    "W": 944, "…": 1000, "@": 1015, "✅⛔⏳": 1350,
}  # fmt: skip
WIDTH_OF = {character: width for characters, width in WIDTHS.items() for character in characters}
TOKEN = re.compile(r"\*(?P<bold>[^*\n]+)\*|`(?P<code>[^`\n]+)`|<(?P<link>[^<>]+)>")


@dataclass(frozen=True)
class Span:
    """A piece of text in one style."""

    text: str
    size: float = 15
    bold: bool = False
    code: bool = False
    fill: str = INK

    @property
    def width(self) -> float:
        """How wide it is."""
        if self.code:
            return len(self.text) * 0.6 * self.size * 0.85 + 8
        widths = sum(WIDTH_OF.get(character, 556) for character in self.text)
        return widths / 1000 * self.size * (1.06 if self.bold else 1)


def markup(text: str, size: float = 15, fill: str = INK) -> list[list[Span]]:
    """The lines of a text in Slack's markup, as far as our templates use it."""
    return [list(_spans(line, Span("", size, fill=fill))) for line in text.split("\n")]


def plain(text: str, size: float = 15, *, bold: bool = False, fill: str = INK) -> list[list[Span]]:
    """The lines of plain text."""
    return [[Span(line, size, bold, fill=fill)] for line in text.split("\n")]


def _spans(line: str, like: Span) -> Iterable[Span]:
    at = 0
    for found in TOKEN.finditer(line):
        yield replace(like, text=html.unescape(line[at : found.start()]))
        if found["bold"]:
            yield from (replace(one, bold=True) for one in _spans(found["bold"], like))
        elif found["code"]:
            yield replace(like, text=html.unescape(found["code"]), code=True, fill=CODE)
        else:
            yield _linked(found["link"], like)
        at = found.end()
    yield replace(like, text=html.unescape(line[at:]))


def _linked(inner: str, like: Span) -> Span:
    """A link, a mention (of `UGRACE`: @Grace), or a time, which Slack shows in the reader's zone: here in UTC."""
    target, _, label = inner.partition("|")
    if target.startswith("!date^"):
        at = datetime.fromtimestamp(int(target.split("^")[1]), UTC)
        return replace(like, text=f"today at {at:%-I:%M %p}")
    label = f"@{target[2:].title()}" if target.startswith("@") else label or target
    return replace(like, text=html.unescape(label), fill=LINK)


def wrapped(lines: Iterable[list[Span]], width: float) -> Iterable[list[Span]]:
    """The lines, broken between words if they are too wide."""
    for line in lines:
        row: list[Span] = []
        for word in (replace(span, text=word) for span in line for word in _words(span)):
            if row and sum(one.width for one in row) + word.width > width:
                yield row
                word = replace(word, text=word.text.lstrip())
                row = []
            same = row and replace(row[-1], text="") == replace(word, text="") and not word.code
            row = [*row[:-1], replace(word, text=row[-1].text + word.text)] if same else [*row, word]
        yield row


def _words(span: Span) -> list[str]:
    return [span.text] if span.code else re.findall(r"\s*\S+|\s+", span.text)


@dataclass
class Canvas:
    """What is drawn so far; `y` is where the next thing goes."""

    left: float
    width: float
    y: float = 0
    parts: list[str] = field(default_factory=list)

    def text(self, lines: Iterable[list[Span]], x: float | None = None, width: float | None = None) -> None:
        """Draw lines one below the other."""
        for line in wrapped(lines, width or self.width):
            size = max((span.size for span in line), default=15)
            self.y += size * 1.47
            self.line(line, self.left if x is None else x, self.y - size * 0.42)

    def line(self, spans: Iterable[Span], x: float, y: float) -> None:
        """Draw spans one behind the other."""
        for span in spans:
            if span.code:
                self.box(x, y - span.size * 0.85, span.width, span.size * 1.15, fill="#f6f6f6", radius=3)
            indent = 4 if span.code else 0
            size = span.size * 0.85 if span.code else span.size
            family = MONO if span.code else SANS
            weight = ' font-weight="bold"' if span.bold else ""
            length = f' textLength="{span.width - 2 * indent:.1f}" lengthAdjust="spacingAndGlyphs"'
            if span.text.strip():
                self.parts.append(
                    f'<text xml:space="preserve" x="{x + indent:.1f}" y="{y:.1f}" font-family="{family}"'
                    f' font-size="{size:g}"{weight} fill="{span.fill}"{length}>{html.escape(span.text)}</text>'
                )
            x += span.width

    def box(self, x: float, y: float, width: float, height: float, fill: str = PAPER, radius: float = 4) -> None:
        """Draw a box with round corners and a thin line."""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius:g}"'
            f' fill="{fill}" stroke="{LINE if fill in (PAPER, "#f6f6f6") else fill}"/>'
        )

    def button(self, label: str, x: float, style: str | None = None) -> float:
        """Draw a button; returns how wide it is."""
        fill = FILLS.get(style or "", PAPER)
        span = Span(label, 14, bold=True, fill=PAPER if style else INK)
        self.box(x, self.y, span.width + 24, 32, fill)
        self.line([span], x + 12, self.y + 21)
        return span.width + 24

    def blocks(self, blocks: Iterable[Json]) -> None:
        """Draw blocks one below the other; KeyError for a kind that we don't send."""
        for block in blocks:
            DRAW[block["type"]](self, block)
            self.y += 8


def _text_of(one: Json, size: float = 15, fill: str = INK) -> list[list[Span]]:
    return markup(one["text"], size, fill) if one["type"] == "mrkdwn" else plain(one["text"], size, fill=fill)


def _header(canvas: Canvas, block: Json) -> None:
    canvas.text(plain(block["text"]["text"], 18, bold=True))


def _section(canvas: Canvas, block: Json) -> None:
    if "text" in block:
        canvas.text(_text_of(block["text"]))
    half = canvas.width / 2
    for at in range(0, len(block.get("fields", [])), 2):
        top, bottom = canvas.y, canvas.y
        for column, one in enumerate(block["fields"][at : at + 2]):
            canvas.y = top
            canvas.text(_text_of(one), canvas.left + column * half, half - 16)
            bottom = max(bottom, canvas.y)
        canvas.y = bottom + 6


def _context(canvas: Canvas, block: Json) -> None:
    for one in block["elements"]:
        canvas.text(_text_of(one, 13, GREY))


def _actions(canvas: Canvas, block: Json) -> None:
    x = canvas.left
    for one in block["elements"]:
        x += canvas.button(one["text"]["text"], x, one.get("style")) + 8
    canvas.y += 34


def _divider(canvas: Canvas, _: Json) -> None:
    canvas.y += 4
    canvas.box(canvas.left, canvas.y, canvas.width, 0.5, LINE, 0)
    canvas.y += 4


def _input(canvas: Canvas, block: Json) -> None:
    optional = [Span(" (optional)", 14, fill=GREY)] if block.get("optional") else []
    canvas.text([[*plain(block["label"]["text"], bold=True)[0], *optional]])
    element = block["element"]
    height = 76 if element.get("multiline") else 36
    canvas.box(canvas.left, canvas.y, canvas.width, height)
    shown = element.get("initial_value") or (element.get("initial_option") or {}).get("text", {}).get("text", "")
    canvas.line([Span(shown)], canvas.left + 12, canvas.y + 23)
    if element["type"] == "static_select":
        canvas.line([Span("v", 13, fill=GREY)], canvas.left + canvas.width - 22, canvas.y + 22)
    canvas.y += height + 4


DRAW: dict[str, Callable[[Canvas, Json], None]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "divider": _divider,
    "input": _input,
}
