"""Which lines of a text its sender wrote: not what is quoted, forwarded, or signed below.

Works on lines of plain text; what HTML shows is brought into that form first. A quote is known by its marks (`>`), by
the line that introduces one ("On ... wrote:"), by a header block ("From: ... Sent: ..."), or by a separator. All these
are looked for in the lines folded loosely, whatever alphabet, case or dashes a client writes them with.

Where it is open whose a line is, a mark stands in its place, so that it neither answers nor lets a line below it
answer, and never comes out as a comment; or all below it is left out.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from notifiers.email import caps
from notifiers.email.folding import loose
from notifiers.email.grammar import NARROWEST_WRAP, UNSURE, is_closing
from notifiers.email.own_text import quotes, words

LONGEST_SIGNATURE = 12  # lines, below a closing or in a box
LONGEST_PHONE_SIGNATURE = 80  # characters

# Two characters that Unicode takes apart into whole sentences; in no mark, and slow to fold by the thousand.
_LONG_LIGATURES = dict.fromkeys((0xFDFA, 0xFDFB))


class Own(NamedTuple):
    """The sender's own lines, in order. `forwarded` tells that what stands below them was handed on, not answered."""

    lines: list[str]
    forwarded: bool


def own_lines(text: str, most: int = caps.MOST_LINES, *, subject: str = "", wrapped: bool = True) -> Own:
    """Keep what the sender wrote of a text with lines ended by \\n; no more than so many lines are looked at.

    `subject` is the mail's own, which a quote's copied header repeats. `wrapped` tells that a program on the way may
    have broken long lines, as no program does with what HTML shows.
    """
    lines = _inside_pgp([_capped(line) for line in text.split("\n", most)[:most]])
    marks = [_mark(line, quotes.LONGEST_INTRODUCTION_LINE) for line in lines]
    topic = loose(subject[: caps.LONGEST_SUBJECT]).rpartition(": ")[2]
    kept: list[str] = []
    at = 0
    above = ""  # the line above, if the next one may be the rest of it
    while at < len(lines):
        if marks[at].startswith(quotes.QUOTE_MARK):
            end = _end_of_marked(marks, at)
            if _leaves_a_quote_unmarked(marks, at, end):
                break
            above, at = lines[end - 1] if wrapped else "", end
            continue
        if quotes.begins_forward(marks[at]):
            return Own(kept, True)
        if quotes.begins_quote(marks, at, topic):
            break
        length = quotes.introduction(marks, at)
        if length and not quotes.is_marked(marks, at + length):
            break
        if not length:
            above = lines[at] if _may_be_rest(above, lines[at]) else ""
            kept.append(UNSURE if above else lines[at])
        at += length or 1
    return Own(kept, False)


def without_signature(lines: list[str]) -> list[str]:
    """Cut at the first mark of a signature: RFC 3676's `-- `, a phone's line, a closing or a ruled box at the end."""
    marks = [_mark(line, LONGEST_PHONE_SIGNATURE) for line in lines]
    for at, line in enumerate(lines):
        if line.rstrip() in ("--", "—") or _is_of_a_phone(marks[at]):
            return lines[:at]
        ends = is_closing(line) or (quotes.is_rule(marks[at]) and _ends_in_rule(marks[at + 1 :]))
        if ends and sum(map(bool, map(str.strip, lines[at:]))) <= LONGEST_SIGNATURE:
            return lines[:at]
    return lines


def _capped(line: str) -> str:
    """A line that had to be cut says so, and is never taken for a whole one."""
    return line if len(line) <= caps.LONGEST_LINE else line[: caps.LONGEST_LINE] + UNSURE


def _mark(line: str, longest: int) -> str:
    """A line folded loosely, and so much of it that one which is too long is seen to be."""
    return loose(line[: longest + 1].translate(_LONG_LIGATURES))


def _inside_pgp(lines: list[str]) -> list[str]:
    """The text inside an inline OpenPGP signature (RFC 4880, section 7); any other text as it is."""
    first = next((at for at, line in enumerate(lines) if line.strip()), None)
    if first is None or lines[first].strip() != "-----BEGIN PGP SIGNED MESSAGE-----":
        return lines
    blank = next((at for at in range(first, len(lines)) if not lines[at].strip()), len(lines))
    end = next((at for at in range(blank, len(lines)) if lines[at].startswith("-----BEGIN PGP SIG")), len(lines))
    return [line.removeprefix("- ") for line in lines[blank:end]]


def _end_of_marked(marks: list[str], at: int) -> int:
    """Where the marked lines from here end, with the blank ones between them."""
    end = at + 1
    for n in range(at + 1, len(marks)):
        if marks[n].startswith(quotes.QUOTE_MARK):
            end = n + 1
        elif marks[n]:
            break
    return end


def _leaves_a_quote_unmarked(marks: list[str], at: int, end: int) -> bool:
    """Whether what is marked only introduces a quote, which then stands below without marks."""
    if any(quotes.is_group_wise(marks, n) for n in range(at, end)):
        return True
    return any(marks[end:]) and quotes.only_introduces(marks[at:end])


def _may_be_rest(above: str, line: str) -> bool:
    """Whether a line right below a quoted one may be the rest of it, wrapped without a mark of its own.

    So it may be where its first word had no room above. Whoever wrote the quoted line chose where it breaks: that one
    might be who asks.
    """
    spoken = line.split(None, 1)
    return bool(above and spoken) and _columns(above.rstrip()) + 1 + _columns(spoken[0]) > NARROWEST_WRAP


def _columns(text: str) -> int:
    if text.isascii() or len(text) > NARROWEST_WRAP:
        return len(text)
    return len(text) + sum(unicodedata.east_asian_width(c) in "WF" for c in text)


def _is_of_a_phone(mark: str) -> bool:
    if mark.startswith(words.PHONE_SIGNATURES):
        return True
    named = len(mark) <= LONGEST_PHONE_SIGNATURE and any(device in mark for device in words.DEVICES)
    return named and mark.rstrip(". ").endswith(words.PHONE_SIGNATURE_ENDS)


def _ends_in_rule(marks: list[str]) -> bool:
    """Whether the last line that says anything is a rule: the lower side of a box."""
    return quotes.is_rule(next(filter(None, reversed(marks)), ""))
