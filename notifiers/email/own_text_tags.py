"""HTML cut into tags, text and comments as browsers do (WHATWG HTML, section 13.2.5), in linear time.

A parser that builds a tree mends what is misnested and so hides it; the standard library's takes quadratic time on
hostile input. What browsers and mail clients read differently comes out as `Odd`, after which nothing is sure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

from notifiers.email import caps
from notifiers.email.parts import Unreadable

_TAG_NAME = re.compile(r"</?([A-Za-z][^\s/>\0]{0,60})")
_ATTRIBUTE = re.compile(
    r"""[\s/]*+(?P<name>[^\s/>=\0][^\s/>=\0]*+)(?:\s*+=\s*+(?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)'|(?P<bare>[^\s>"'][^\s>]*+)))?+"""
)
_CLOSE = re.compile(r"[\s/]*+>")
# Their content is no HTML, and ends only at their own end tag.
RAW = frozenset({"script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "plaintext"})


@dataclass(frozen=True)
class Start:
    """A start tag."""

    name: str
    attributes: dict[str, str]


@dataclass(frozen=True)
class End:
    """An end tag."""

    name: str


@dataclass(frozen=True)
class Text:
    """Text between tags, character references undone."""

    text: str


@dataclass(frozen=True)
class Raw:
    """The content of a raw element, such as `style`."""

    name: str
    text: str


@dataclass(frozen=True)
class Comment:
    """A comment, or what browsers take for one."""

    text: str


@dataclass(frozen=True)
class Odd:
    """Here programs differ; whatever follows may be shown or not."""


Token = Start | End | Text | Raw | Comment | Odd


def tokens(html: str, most: int = caps.MOST_TAGS) -> Iterator[Token]:
    """Cut into at most so many; what lies beyond them is not looked at."""
    at = 0
    for _ in range(most):
        if at >= len(html):
            return
        begin = html.find("<", at)
        if begin != at:
            text = html[at:] if begin < 0 else html[at:begin]
            yield Text(_unescaped(text))
            at += len(text)
            continue
        token, at = _markup(html, at)
        yield token
        if isinstance(token, Start) and token.name in RAW:
            raw, at = _raw(html, at, token.name)
            yield raw
    yield Odd()


def _markup(html: str, at: int) -> tuple[Token, int]:
    if html.startswith("<!--", at):
        return _comment(html, at)
    if html.startswith(("<!", "<?"), at):
        return _until(html, at + 2)
    match = _TAG_NAME.match(html, at)
    if match:
        return _tag(html, match)
    if html.startswith("</", at):
        return (Odd(), at + 2)
    return Text("<"), at + 1


def _comment(html: str, at: int) -> tuple[Token, int]:
    end = html.find("-->", at + 2)
    if end < 0:
        return Odd(), len(html)
    if end < at + 4 or html.find("--!>", at + 4, end) >= 0:
        return Odd(), end + 3
    return Comment(html[at + 4 : end]), end + 3


def _until(html: str, at: int) -> tuple[Token, int]:
    end = html.find(">", at)
    return (Comment(html[at:end]), end + 1) if end >= 0 else (Odd(), len(html))


def _tag(html: str, match: re.Match[str]) -> tuple[Token, int]:
    at = match.end()
    attributes: dict[str, str] = {}
    while True:
        closed = _CLOSE.match(html, at)
        if closed:
            break
        found = _ATTRIBUTE.match(html, at)
        if not found or len(attributes) > 100:
            return Odd(), len(html) if html.find(">", at) < 0 else html.find(">", at) + 1
        value = found["double"] or found["single"] or found["bare"] or ""
        attributes.setdefault(found["name"].lower(), _unescaped(value))
        at = found.end()
    name = match[1].lower()
    return (End(name) if match[0][1] == "/" else Start(name, attributes)), closed.end()


def _raw(html: str, at: int, name: str) -> tuple[Token, int]:
    match = re.compile(rf"</{name}[\s/>]", re.IGNORECASE).search(html, at)
    text = html[at : match.start()] if match else html[at:]
    if match is None or (name == "script" and "<!--" in text):
        return Odd(), len(html)
    return Raw(name, text), match.start()


def _unescaped(text: str) -> str:
    try:
        return unescape(text)
    except ValueError as problem:  # a character's number of thousands of digits
        raise Unreadable("malformed", "The HTML of the mail is malformed.") from problem
