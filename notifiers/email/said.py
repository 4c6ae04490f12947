"""What a mail says: the texts a mail client would show of it, and the one answer they give together."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import quotequail

from countersign.models import LONGEST_COMMENT
from notifiers.email import caps, smime
from notifiers.email.charset import part_text
from notifiers.email.grammar import UNSURE, Line, is_name, read_line
from notifiers.email.own_text import own_lines, without_signature
from notifiers.email.own_text_html import html_text
from notifiers.email.parts import Part, Unreadable

_TEXTS = ("text/plain", "text/html")
_ENCRYPTED = ("multipart/encrypted", "application/pgp-encrypted")
_SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature")
_TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")


class Said(NamedTuple):
    """The answer of a mail or of one of its texts: a verdict, why none, and what followed it."""

    verdict: str
    code: str
    comment: str = ""


class Shown(NamedTuple):
    """The texts of a mail. Each of `ways` is the mail as some client shows it; all clients show `further` too."""

    ways: list[Part]
    further: list[Part]


def said(mail: Part, names: Collection[str]) -> Said:
    """What the mail answers. Raises Unreadable where there is no text to read, or where one is ambiguous."""
    shown = shown_texts(mail)
    texts = [part_text(part) for part in shown.ways]
    told = [(part, text) for part, text in zip(shown.ways, texts, strict=True) if text.strip()]
    share = len(shown.ways) + len(shown.further)
    answers = [_read_text(part, text, names, share) for part, text in told]
    if not answers:
        return Said("none", "empty")
    if len({answer.verdict for answer in answers}) > 1:
        return Said("none", "bodies_differ")
    further = {_read_text(part, part_text(part), names, share).verdict for part in shown.further}
    if answers[0].verdict != "none" and not further <= {answers[0].verdict, "none"}:
        return Said("none", "bodies_differ")
    return answers[0]


def _read_text(part: Part, text: str, names: Collection[str], share: int) -> Said:
    """What one text answers: its first line that says anything, whole; what follows is the comment.

    The texts of a mail share the caps, so that many of them take no longer than one.
    """
    if part.type == "text/html":
        text = html_text(text, share)
    own = own_lines(text, caps.MOST_LINES // share)
    if own.forwarded:
        return Said("none", "forwarded")
    lines = without_signature(own.lines)
    first, line = _first_that_says(lines, names)
    if line.verdict == "none":
        return Said("none", line.code)
    rest = lines[first + 1 :]
    while rest and (not rest[-1].strip() or is_name(rest[-1], names)):
        rest.pop()
    if any(read_line(each, names).verdict not in ("none", line.verdict) for each in rest):
        return Said("none", "both")
    return Said(line.verdict, line.code, _comment(rest))


def _comment(lines: list[str]) -> str:
    """What follows the answer; where quotequail knows of a quote that still stands in it, only what is above."""
    shown = (line.replace(UNSURE, "").replace("\N{NO-BREAK SPACE}", " ").rstrip() for line in lines)
    text = "\n".join(shown).strip()[:LONGEST_COMMENT]
    return "".join(part for own, part in quotequail.quote(text, quote_intro_line=True) if own).strip()


def _first_that_says(lines: list[str], names: Collection[str]) -> tuple[int, Line]:
    """The first line that is neither blank nor a mere greeting."""
    read = Line("none", "empty")
    for at, text in enumerate(lines):
        line = read_line(text, names)
        if line.code not in ("empty", "greeting"):
            return at, line
        read = line if line.code == "greeting" else read
    return len(lines), read


def shown_texts(mail: Part) -> Shown:
    """The texts a mail client shows, in order. Raises Unreadable where there are none, and says why."""
    shown = _shown(smime.unwrapped(mail))
    if not shown.ways:
        raise _why_no_text(mail)
    if len(shown.ways) + len(shown.further) > caps.MOST_TEXTS:
        raise Unreadable("too_many_parts", "The mail has too many texts.")
    return shown


def _shown(part: Part) -> Shown:
    if part.is_file or part.type == "multipart/digest":
        return Shown([], [])
    if part.type in _TEXTS:
        return Shown([part], [])
    if part.type == "multipart/alternative":
        return _alternatives(part)
    if part.type == "multipart/signed" and [each.type in _SIGNATURES for each in part.parts] == [False, True]:
        return _shown(part.parts[0])
    if part.type.startswith("multipart/") and part.type not in _ENCRYPTED:
        return _in_turn(part)
    return Shown([], [])


def _alternatives(part: Part) -> Shown:
    """Every alternative is one way to show the mail; one that can't be read might say anything."""
    ways: list[Part] = []
    further: list[Part] = []
    for each in part.parts:
        shown = _shown(each)
        if not shown.ways:
            raise Unreadable("unknown_alternative", "The mail has a version of its text that can't be read here.")
        ways += shown.ways
        further += shown.further
    return Shown(ways, further)


def _in_turn(part: Part) -> Shown:
    """Of parts shown one after another the first with any text opens the mail."""
    root = part.params.get("start", "").strip()
    if part.type == "multipart/related" and root and part.parts[0].fields.first("content-id").strip() != root:
        raise Unreadable("malformed", "The mail begins somewhere else than at its first part.")
    opening = Shown([], [])
    for each in part.parts:
        shown = _shown(each)
        if any(map(_says_something, opening.ways)):
            opening = Shown(opening.ways, [*opening.further, *shown.ways, *shown.further])
        elif shown.ways:
            opening = shown
    return opening


def _says_something(part: Part) -> bool:
    return bool(part_text(part).strip())


def _why_no_text(mail: Part) -> Unreadable:
    types = set(_types(mail))
    if types & {*_ENCRYPTED, *smime.TYPES}:
        return Unreadable("encrypted", "The mail is encrypted, so it can't be read here.")
    if types & set(_TNEF):
        return Unreadable("tnef", "The mail is in a format of Outlook's own (TNEF), which can't be read here.")
    return Unreadable("no_text", "The mail has no text of its own.")


def _types(mail: Part) -> Iterator[str]:
    return (part.type for part in mail.walk())
