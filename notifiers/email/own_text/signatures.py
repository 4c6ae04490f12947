"""What stands below what a person says: a signature, a phone's line, a legal notice, the footer of a list."""

import re
from typing import NamedTuple

from notifiers.email.folding import CLIENTS, fold_case, loose
from notifiers.email.grammar.lexicon import Lexicon

LONGEST_SIGNATURE = 12  # lines, below a closing
LONGEST_PHONE_LINE = 80  # characters
LONGEST_MARK = 200  # characters of a line that are looked at
MOST_OF_NOTICE = 60  # lines of a paragraph that are looked at
LEAST_NOTICE = 6  # words of a paragraph with two words of legal notices
_RULE = re.compile(r"[-_=*~]{20,}")


class Signed(NamedTuple):
    """What a person says, and the signature below; what programs added is in neither."""

    own: list[str]
    signature: list[str]


def signed(lines: list[str], words: Lexicon) -> Signed:
    """Split a text at the first mark of a signature: `-- ` (RFC 3676), a closing, a long rule or a legal notice.

    A phone's line is none: what stands below it may be the sender's words as well.
    """
    marks = [loose(line[:LONGEST_MARK]) for line in lines]
    notices = _notices(marks)
    kept = [at for at, mark in enumerate(marks) if not _is_left_over(mark)]
    for at in kept:
        closes = len(lines[at]) < LONGEST_PHONE_LINE and fold_case(lines[at]).strip(" ,.!") in words.closings
        ends = at > 0 and closes and sum(map(bool, map(str.strip, lines[at:]))) <= LONGEST_SIGNATURE
        if lines[at].rstrip() in ("--", "—") or ends or _RULE.fullmatch(marks[at]) or at in notices:
            return Signed([lines[n] for n in kept if n < at], [lines[n] for n in kept if n >= at])
    return Signed([lines[n] for n in kept], [])


def _is_left_over(mark: str) -> bool:
    """Whether a folded line is one that a phone, a mail program, a scanner or a list added."""
    if len(mark) > LONGEST_PHONE_LINE:
        return False
    mark = mark.strip("*_-<>[]() ")
    if mark.startswith((*CLIENTS["phone_lines"], *CLIENTS["left_overs"])):
        return True
    return any(each in mark for each in CLIENTS["devices"]) and mark.rstrip(". ").endswith(CLIENTS["phone_line_ends"])


def without_notices(lines: list[str]) -> list[str]:
    """The lines of a signature that are no legal notice."""
    marks = [loose(line[:LONGEST_MARK]) for line in lines]
    notices = _notices(["", *marks])
    return [line for at, line in enumerate(lines) if at + 1 not in notices]


def _notices(marks: list[str]) -> frozenset[int]:
    """The lines of paragraphs with two words of legal notices; the answer's own paragraph never counts."""
    found: list[int] = []
    start = 0
    while start < len(marks):
        end = next((at for at in range(start, len(marks)) if not marks[at]), len(marks))
        paragraph = " ".join(marks[start:end][:MOST_OF_NOTICE])
        notice = start > 0 and sum(word in paragraph for word in CLIENTS["disclaimers"]) >= 2
        if notice and paragraph.count(" ") >= LEAST_NOTICE:
            found += range(start, end)
        start = end + 1
    return frozenset(found)
