"""Which lines of a text its sender wrote: not what is quoted, forwarded, or signed below.

Works on lines of plain text; what HTML shows is brought into that form first. A quote is known by its marks (`>`), by
the line that introduces one ("On ... wrote:"), by a header block ("From: ... Sent: ..."), or by a separator. All these
are looked for in the lines folded loosely, whatever alphabet, case or dashes a client writes them with.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from notifiers.email import caps
from notifiers.email import own_text_words as words
from notifiers.email.folding import loose
from notifiers.email.grammar import holds_answer, is_closing

LONGEST_SIGNATURE = 12  # lines, below a closing
LONGEST_INTRODUCTION = 4  # lines that "On ... wrote:" may be wrapped over
LONGEST_INTRODUCTION_LINE = 400  # characters

_QUOTE_MARK = ">"
_RULE = re.compile(r"[-_=*]{3,}")
_MARKS = "-_=*"
_KEY_LINE = re.compile(r"[*]{0,2}(?P<key>[^\W\d_][^:*]{0,30}?)[*]{0,2} ?:[*]{0,2} ?(?P<value>.*)")
_A_DATE = re.compile(r"\d{4}|\d{1,2}[:.h]\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2}")
_INTRODUCES = re.compile(r":[ *]*$")


class Own(NamedTuple):
    """The sender's own lines, in order. `forwarded` tells that what stands below them was handed on, not answered."""

    lines: list[str]
    forwarded: bool


def own_lines(text: str, most: int = caps.MOST_LINES) -> Own:
    """Keep what the sender wrote of a text with lines ended by \\n; no more than so many lines are looked at."""
    lines = _inside_pgp([line[: caps.LONGEST_LINE] for line in text.split("\n", most)[:most]])
    marks = [loose(line[: LONGEST_INTRODUCTION_LINE + 1]) for line in lines]
    kept: list[str] = []
    at = 0
    while at < len(lines):
        if marks[at].startswith(_QUOTE_MARK):
            at += 1
            continue
        if _begins_forward(marks[at]):
            return Own(kept, True)
        if _begins_quote(marks, at):
            return Own(kept, False)
        length = _introduction(marks, at)
        if length and not _is_marked(marks, at + length):
            return Own(kept, False)
        if not length:
            kept.append(lines[at])
        at += length or 1
    return Own(kept, False)


def without_signature(lines: list[str]) -> list[str]:
    """Cut at the first mark of a signature: RFC 3676's `-- `, a phone's line, or a closing near the end."""
    for at, line in enumerate(lines):
        if line.rstrip() in ("--", "—") or loose(line[:LONGEST_INTRODUCTION_LINE]).startswith(words.PHONE_SIGNATURES):
            return lines[:at]
        if is_closing(line) and sum(map(bool, map(str.strip, lines[at:]))) <= LONGEST_SIGNATURE:
            return lines[:at]
    return lines


def _inside_pgp(lines: list[str]) -> list[str]:
    """The text inside an inline OpenPGP signature (RFC 4880, section 7); any other text as it is."""
    first = next((at for at, line in enumerate(lines) if line.strip()), None)
    if first is None or lines[first].strip() != "-----BEGIN PGP SIGNED MESSAGE-----":
        return lines
    blank = next((at for at in range(first, len(lines)) if not lines[at].strip()), len(lines))
    end = next((at for at in range(blank, len(lines)) if lines[at].startswith("-----BEGIN PGP SIG")), len(lines))
    return [line.removeprefix("- ") for line in lines[blank:end]]


def _begins_forward(mark: str) -> bool:
    return _title(mark).startswith(words.FORWARDED)


def _begins_quote(marks: list[str], at: int) -> bool:
    title = _title(marks[at])
    if title and (
        title.startswith(words.ORIGINAL) or (marks[at][:2] == "--" and _tells_who_and_when(title, marked=False))
    ):
        return True
    if _RULE.fullmatch(marks[at]):
        below = next((n for n in range(at + 1, min(at + 4, len(marks))) if marks[n]), None)
        return below is not None and _is_header_block(marks, below)
    return _is_header_block(marks, at)


def _title(mark: str) -> str:
    """What a separator is titled, as in `-----Original Message-----` or `Begin forwarded message:`; else ""."""
    if len(mark) > LONGEST_INTRODUCTION_LINE:
        return ""
    bare = mark.rstrip(": ")  # as in `-----Original Message-----` and `---- On ... wrote ----`
    if len(bare) > 4 and all(c in _MARKS for c in bare[:2] + bare[-2:]):
        return bare.strip(_MARKS + " ")
    return bare.strip("* ") if _INTRODUCES.search(mark) else ""


def _is_header_block(marks: list[str], at: int) -> bool:
    """Whether a mail's header is copied here: a From line, then at least two of Sent, To and Subject."""
    match = _KEY_LINE.fullmatch(marks[at])
    if not match or match["key"] not in words.FROM_KEYS:
        return False
    below = filter(None, map(_KEY_LINE.fullmatch, marks[at + 1 : at + 8]))
    return len({each["key"] for each in below} & words.OTHER_KEYS) >= 2


def _introduction(marks: list[str], at: int) -> int:
    """How many lines from here introduce a quote ("On ... wrote:"), or 0."""
    joined = ""
    for length in range(1, LONGEST_INTRODUCTION + 1):
        mark = "".join(marks[at + length - 1 : at + length])
        if not mark or mark.startswith(_QUOTE_MARK) or len(mark) > LONGEST_INTRODUCTION_LINE:
            return 0
        joined = f"{joined} {mark}".strip()
        if _INTRODUCES.search(joined):
            return length if _tells_who_and_when(joined, marked=_is_marked(marks, at + length)) else 0
        if length == 1 and not _may_open(mark):
            return 0
    return 0


def _may_open(mark: str) -> bool:
    return mark.strip("* ").startswith(words.INTRODUCTION_OPENINGS) or bool(_A_DATE.search(mark))


def _tells_who_and_when(joined: str, *, marked: bool) -> bool:
    """It takes two of a date, an address and a verb of writing; before marked lines the verb or the date is enough."""
    if holds_answer(joined):
        return False
    writes = any(verb in joined for verb in words.WROTE)
    signs = [_A_DATE.search(joined), "@" in joined, writes]
    plain = writes or (signs[0] is not None and _may_open(joined))
    return (plain and marked) or sum(map(bool, signs)) >= 2


def _is_marked(marks: list[str], at: int) -> bool:
    """Whether the next lines that are not blank are marked as a quote."""
    return next((mark for mark in marks[at : at + 4] if mark), "").startswith(_QUOTE_MARK)
