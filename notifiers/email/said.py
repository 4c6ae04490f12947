"""What a mail says: the texts a mail client would show of it, and the one answer they give together."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

import quotequail

from countersign.models import LONGEST_COMMENT, without_controls
from notifiers.email import caps
from notifiers.email.grammar import (
    UNSURE,
    Line,
    is_condition,
    is_name,
    read_line,
    runs_on,
    speaks_to_somebody,
    takes_back,
)
from notifiers.email.html import html_text
from notifiers.email.mime.charset import part_text
from notifiers.email.mime.parts import Part
from notifiers.email.mime.shown import shown_texts
from notifiers.email.own_text import own_lines, without_signature

_POSTSCRIPT = re.compile(r"\s{0,9}p\.? ?s\b", re.IGNORECASE)
_ADVERBS = ("ly", "lich", "weise", "ment", "mente")
MOST_BELOW = 200  # lines below an answer that may take it back, and of a signature


class Said(NamedTuple):
    """The answer of a mail or of one of its texts: a verdict, why none, what followed it, and the line read."""

    verdict: str
    code: str
    comment: str = ""
    line: str = ""


class _Mail(NamedTuple):
    """What of a mail matters to reading each of its texts: its headers' names, its subject, how many texts it has.

    The texts share the caps, so that many of them take no longer than one.
    """

    names: Collection[str]
    subject: str
    texts: int


def said(mail: Part, names: Collection[str], subject: str) -> Said:
    """What the mail answers. Raises Unreadable where there is no text to read, or where one is ambiguous."""
    shown = shown_texts(mail)
    about = _Mail(names, subject, len(shown.ways) + len(shown.further))
    texts = [part_text(part) for part in shown.ways]
    told = [(part, text) for part, text in zip(shown.ways, texts, strict=True) if text.strip()]
    answers = [_read_text(part, text, about) for part, text in told]
    if not answers:
        return Said("none", "empty")
    if len({answer.verdict for answer in answers}) > 1:
        return Said("none", "bodies_differ")
    further = {_read_text(part, part_text(part), about).verdict for part in shown.further}
    if answers[0].verdict != "none" and not further <= {answers[0].verdict, "none"}:
        return Said("none", "bodies_differ")
    return answers[0]


def _read_text(part: Part, text: str, about: _Mail) -> Said:
    """What one text answers: its first line that says anything, whole; what follows is the comment."""
    is_html = part.type == "text/html"
    if is_html:
        text = html_text(text, about.texts)
    own = own_lines(text, caps.MOST_LINES // about.texts, subject=about.subject, wrapped=not is_html)
    return Said("none", "forwarded") if own.forwarded else _read_lines(own.lines, about)


def _read_lines(own: list[str], about: _Mail) -> Said:
    names, most = about.names, MOST_BELOW // about.texts
    lines = without_signature(own)
    first, line = _first_that_says(lines, names)
    if line.verdict == "none":
        return Said("none", line.code, line="".join(lines[first : first + 1]))
    rest, signature = lines[first + 1 :][:most], own[len(lines) :][:most]
    if (rest and runs_on(lines[first], rest[0])) or is_condition(next(filter(str.strip, rest), "")):
        return Said("none", "turned", line=lines[first])
    below = [*rest, *signature]
    if _says_otherwise(below, line.verdict, names) or (line.verdict == "approve" and any(map(takes_back, below))):
        return Said("none", "both", line=lines[first])
    while rest and (not rest[-1].strip() or is_name(rest[-1], names)):
        rest.pop()
    return Said(line.verdict, line.code, _comment([*rest, *_postscript(signature)]), lines[first])


def _says_otherwise(lines: list[str], verdict: str, names: Collection[str]) -> bool:
    """Whether a line says the other thing, as it stands or as people will see it in the record."""
    read = (read_line(each, names).verdict for line in lines for each in {line, without_controls(line)})
    return any(each not in ("none", verdict) for each in read)


def _postscript(signature: list[str]) -> list[str]:
    """What was written below a signature for all to read, with a blank line above it."""
    at = next((n for n, line in enumerate(signature) if _POSTSCRIPT.match(line)), len(signature))
    return ["", *signature[at:]]


def _comment(lines: list[str]) -> str:
    """What follows the answer; where quotequail knows of a quote that still stands in it, only what is above."""
    shown = (line.replace(UNSURE, "").replace("\N{NO-BREAK SPACE}", " ").rstrip() for line in lines)
    text = "\n".join(shown).strip()[:LONGEST_COMMENT]
    return "".join(part for own, part in quotequail.quote(text, quote_intro_line=True) if own).strip()


_OPENINGS = frozenset({"empty", "greeting", "called"})


def _first_that_says(lines: list[str], names: Collection[str]) -> tuple[int, Line]:
    """The first line that is neither blank nor a mere greeting."""
    read = Line("none", "empty")
    spoken_to = False
    for at, text in enumerate(lines):
        line = read_line(text, names, spoken_to=spoken_to)
        if line.code == "called" and not _is_above_a_letter(text, lines[at + 1 :]):
            line = Line("none", "unclear")
        if line.code not in _OPENINGS:
            return at, line
        if line.code != "empty":
            read = Line("none", "greeting")
            spoken_to = spoken_to or speaks_to_somebody(text)
    return len(lines), read


def _is_above_a_letter(called: str, below: list[str]) -> bool:
    """Whether a line in front of these may call somebody by name: a blank one follows.

    What may be an adverb ("Hypothetically,") is a name only where a sentence begins below it ("Emily,").
    """
    if len(below) < 2 or below[0].strip():
        return False
    adverb = called.strip(" ,，").lower().endswith(_ADVERBS)
    return not (adverb and next(filter(str.strip, below), "").strip()[:1].islower())
