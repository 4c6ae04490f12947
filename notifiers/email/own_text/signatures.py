"""What stands below what a person says: a signature, a phone's line, a legal notice, the footer of a list."""

from __future__ import annotations

import re
from typing import NamedTuple

from notifiers.email.folding import CLIENTS
from notifiers.email.grammar.confusables import fold_case
from notifiers.email.grammar.lexicon import Lexicon
from notifiers.email.own_text import fold_mark, quotes

LONGEST_SIGNATURE = 12  # lines, below a closing or in a box
LONGEST_PHONE_LINE = 80  # characters
LEAST_NOTICE = 6  # words of a paragraph with two words of legal notices
_RULE = re.compile(r"[-_=*~]{20,}")


class Signed(NamedTuple):
    """What a person says, and the signature below; what programs added is in neither."""

    said: list[str]
    signature: list[str]


def signed(lines: list[str], words: Lexicon) -> Signed:
    """Part a text at the first mark of a signature.

    RFC 3676's `-- `, a closing, a ruled box at the end, a legal notice, or a list's footer is one; a phone's line is
    none: what stands below it may be said as well.
    """
    marks = [fold_mark(line, 200) for line in lines]
    kept = [at for at, mark in enumerate(marks) if not is_left_over(mark)]
    for at in kept:
        ends = at > 0 and (_is_closing(lines[at], words) or _is_box(marks, at)) and _is_short(lines[at:])
        if lines[at].rstrip() in ("--", "—") or ends or _is_footer(marks, at) or _is_notice(marks, at):
            return Signed([lines[n] for n in kept if n < at], [lines[n] for n in kept if n >= at])
    return Signed([lines[n] for n in kept], [])


def is_left_over(mark: str) -> bool:
    """Whether a folded line is one that a phone, a mail program, a scanner or a list added."""
    if len(mark) > LONGEST_PHONE_LINE:
        return False
    mark = mark.strip("*_-<>[]() ")
    if mark.startswith((*CLIENTS["phone_lines"], *CLIENTS["left_overs"])):
        return True
    return any(each in mark for each in CLIENTS["devices"]) and mark.rstrip(". ").endswith(CLIENTS["phone_line_ends"])


def without_notices(lines: list[str]) -> list[str]:
    """The lines of a signature that are no legal notice."""
    marks = [fold_mark(line, 200) for line in lines]
    return [line for at, line in enumerate(lines) if not _is_notice(marks, at)]


def _is_closing(line: str, words: Lexicon) -> bool:
    return len(line) < LONGEST_PHONE_LINE and fold_case(line).strip(" ,.!") in words.closings


def _is_short(lines: list[str]) -> bool:
    return sum(map(bool, map(str.strip, lines))) <= LONGEST_SIGNATURE


def _is_box(marks: list[str], at: int) -> bool:
    """Whether a rule opens here what the last line, a rule as well, closes."""
    last = next(filter(None, reversed(marks[at + 1 :])), "")
    return quotes.is_rule(marks[at]) and quotes.is_rule(last)


def _is_footer(marks: list[str], at: int) -> bool:
    """Whether the footer of a mailing list begins here: a long rule with an address of the list below it."""
    below = " ".join(marks[at + 1 : at + 5])
    return bool(_RULE.fullmatch(marks[at].replace(" ", ""))) and ("mailing list" in below or "unsubscribe" in below)


def _is_notice(marks: list[str], at: int) -> bool:
    """Whether a line stands in a paragraph of two words of legal notices."""
    start, end = at, at
    while start > 0 and marks[start - 1]:
        start -= 1
    while end < len(marks) and marks[end] and end < start + 60:
        end += 1
    if start == 0:  # the answer's own paragraph is none
        return False
    paragraph = " ".join(marks[start:end])
    found = sum(word in paragraph for word in CLIENTS["disclaimers"])
    return found >= 2 and paragraph.count(" ") >= LEAST_NOTICE
