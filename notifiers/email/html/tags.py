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
from notifiers.email.html.declarations import SPACE, lower
from notifiers.email.mime.parts import Unreadable

_S = SPACE
_TAG_NAME = re.compile(rf"</?([A-Za-z][^{_S}/>\0]{{0,60}})")
_ATTRIBUTE = re.compile(
    rf"""[{_S}/]*+(?P<name>[^{_S}/>=\0]++)"""
    rf"""(?:[{_S}]*+=[{_S}]*+(?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)'|(?P<bare>[^{_S}>"'][^{_S}>]*+)))?+"""
)
_CLOSE = re.compile(rf"[{_S}/]*+>")
# Their content is no HTML, and ends only at their own end tag.
RAW = frozenset({"script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "plaintext"})


MOST_OF_ONE = 100  # attributes of one tag
MOST_AGAIN = 3  # of them of a name that it already has


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


def tokens(html: str, share: int = 1) -> Iterator[Token]:
    """Cut into at most so many as a mail of `share` texts may have; what lies beyond them is not looked at."""
    at = 0
    attributes = caps.MOST_ATTRIBUTES // share
    for _ in range(caps.MOST_TAGS // share):
        if at >= len(html):
            return
        if attributes < 0:
            break
        begin = html.find("<", at)
        if begin != at:
            text = html[at:] if begin < 0 else html[at:begin]
            yield Text(_unescaped(text))
            at += len(text)
            continue
        token, at = _markup(html, at)
        attributes -= len(token.attributes) if isinstance(token, Start) else 1
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
    for count in range(MOST_OF_ONE):
        closed = _CLOSE.match(html, at)
        if closed:
            break
        found = _ATTRIBUTE.match(html, at)
        if not found or count > len(attributes) + MOST_AGAIN:
            return Odd(), _after_tag(html, at)
        value = found["double"] or found["single"] or found["bare"] or ""
        attributes.setdefault(lower(found["name"]), _unescaped(value))
        at = found.end()
    else:
        return Odd(), _after_tag(html, at)
    name = lower(match[1])
    return (End(name) if match[0][1] == "/" else Start(name, attributes)), closed.end()


def _after_tag(html: str, at: int) -> int:
    end = html.find(">", at)
    return len(html) if end < 0 else end + 1


def _raw(html: str, at: int, name: str) -> tuple[Token, int]:
    match = re.compile(rf"</{name}[{_S}/>]", re.IGNORECASE | re.ASCII).search(html, at)
    text = html[at : match.start()] if match else html[at:]
    if match is None or (name == "script" and "<!--" in text):
        return Odd(), len(html)
    return Raw(name, text), match.start()


def _unescaped(text: str) -> str:
    try:
        return unescape(text)
    except ValueError as problem:  # a character's number of thousands of digits
        raise Unreadable("malformed", "The HTML of the mail is malformed.") from problem
