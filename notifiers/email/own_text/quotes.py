"""Where a text begins to quote or forward: titles, copied headers, and lines like "On ... wrote:".

All work on `marks`, a text's lines folded loosely, so that case, accents and dashes make no difference. What isn't
surely a quote is the sender's own text, so that no word of theirs is lost.
"""

import re

from notifiers.email.folding import CLIENTS, fold_known
from notifiers.email.grammar.lexicon import lexicon

LONGEST_ATTRIBUTION = 4  # lines that "On ... wrote:" may be wrapped over
LONGEST_ATTRIBUTION_LINE = 400  # characters
LONGEST_HEADER_BLOCK = 8  # lines
MOST_WORDS = 10  # of an attribution line without an hour and an address, as in "On Friday Grace Hopper wrote:"

QUOTE_MARK = ">"
_SEPARATORS = "-_=*"
# A line of a copied header, as `From: ...`, `*From:* ...`, or as a row of a table: `| From | ... |`.
_KEY_LINE = re.compile(r"(?:\| ?)?[*]{0,2}(?P<key>[^\W\d_][^:*|]{0,30}?)[*]{0,2} ?[:|][*]{0,2} ?(?P<value>.*)")
_OPENINGS = "|".join(map(re.escape, CLIENTS["attribution_openings"]))
_OPENING = re.compile(rf"[* ]*(?:{_OPENINGS})(?:(?<![^\W\d_])|(?![^\W\d_]))")  # whole words
_ENDS_ATTRIBUTION = re.compile(r":[ *]*$")
_ADDRESS, _NAMED = re.compile(r"[^\s@]@[^\s@]"), re.compile(r"<[^\s@<]*@[^\s@]")
# `_DAY`: a year (not behind a letter, `#` or `-`, as in a ticket's number) or a date. `_TIME`: an hour and minutes.
_DAY = re.compile(r"(?<![a-z\d#-])\d{4}(?!\d)|\d{1,2}[./-] ?\d{1,2}[./-] ?\d{2}")
_TIME = re.compile(r"(?<![\d.:])\d{1,2}[:.h]\d{2}(?![.\d])|\d{1,2}:\d{2}")


def begins_forward(mark: str) -> bool:
    """Whether this line says that a forwarded mail follows."""
    title = _title(mark)
    return title != "" and any(phrase in title for phrase in CLIENTS["forwarded"])


def begins_quote(marks: list[str], at: int) -> bool:
    """Whether a quote begins here that is not marked line by line, so that all below is quoted."""
    title = _title(marks[at])
    titled = title.startswith(CLIENTS["original"]) or (marks[at][:2] == "--" and _introduces(title, marked=False))
    return titled or _is_header_block(marks, at)


def attribution(marks: list[str], at: int) -> int:
    """How many lines from here introduce a quote ("On ... wrote:"), or 0."""
    for end in range(at + 1, min(at + LONGEST_ATTRIBUTION, len(marks)) + 1):
        mark = marks[end - 1]
        if not mark or mark.startswith(QUOTE_MARK) or len(mark) > LONGEST_ATTRIBUTION_LINE:
            return 0
        if _ENDS_ATTRIBUTION.search(mark):
            # Its first line is the latest that may be: above it the sender's own may stand, with an hour in it.
            begins = _OPENING.match(marks[at]) or "date" in _signs(marks[at]) or _NAMED.search(marks[at])
            later = [n for n in range(at + 1, end) if "date" in _signs(marks[n])]
            is_first = bool(begins) and not any(len(_signs(" ".join(marks[n:end]))) > 1 for n in later)
            return end - at if is_first and _introduces(" ".join(marks[at:end]), is_marked(marks, end)) else 0
    return 0


def only_attributes(bare: list[str]) -> bool:
    """Whether marked lines end in what introduces a quote, which then stands below them without marks.

    GroupWise does that (`>>> Grace 21.11.26 >>>`), and so does whoever marks only "On ... wrote:".
    """
    last = [mark for mark in bare if mark][-LONGEST_ATTRIBUTION:]
    introduces = bool(last and _ENDS_ATTRIBUTION.search(last[-1])) and len(_signs(" ".join(last))) > 1
    return introduces or bool(last and last[-1].endswith(">>>"))


def is_marked(marks: list[str], at: int) -> bool:
    """Whether the next lines that are not blank are marked as a quote."""
    return next((mark for mark in marks[at : at + 4] if mark), "").startswith(QUOTE_MARK)


def _title(mark: str) -> str:
    """What a separator is titled, as in `-----Original Message-----` or `Begin forwarded message:`; else ""."""
    if len(mark) > LONGEST_ATTRIBUTION_LINE:
        return ""
    bare = mark.rstrip(": ")  # as in `-----Original Message-----` and `---- On ... wrote ----`
    if len(bare) > 4 and all(c in _SEPARATORS for c in bare[:2] + bare[-2:]):
        return bare.strip(_SEPARATORS + " ")
    return bare.strip("* ") if _ENDS_ATTRIBUTION.search(mark) else ""


def _is_header_block(marks: list[str], at: int) -> bool:
    """Whether a mail's header is copied here, by the names of its lines: From, and two of Sent, To and Subject.

    It begins with From, or with the date and time right above that.
    """
    # An address may be wrapped.
    lines = [mark for mark in marks[at : at + LONGEST_HEADER_BLOCK] if mark and not mark.startswith("<")]
    found = list(filter(None, map(_KEY_LINE.fullmatch, lines[:3])))
    if len(found) < 3 or not _KEY_LINE.fullmatch(marks[at]):
        return False
    is_moment = bool(_DAY.search(found[0]["value"]) and _TIME.search(found[0]["value"]))
    keys = [each["key"] for each in found]
    begins = {*keys[: 1 + is_moment]} & {*CLIENTS["from_keys"]}
    return bool(begins) and len({*keys} & {*CLIENTS["other_keys"]}) >= 2


def _introduces(joined: str, marked: bool) -> bool:
    """Whether this has two of a date, an address and a verb of writing, or is short with a known opening and the verb.

    Before marked lines a date with a time is enough, whatever the verb's language. A line that says yes or no isn't an
    attribution unless it has all the signs of one, as names may hold any word.
    """
    signs, opens = _signs(joined), _OPENING.match(joined) is not None
    spoken = re.findall(r"[\w']+", fold_known(joined))
    if any(word in CLIENTS["negations"] or lexicon().turns(word) for word in spoken):
        return len(signs) == 3 and opens
    if "verb" in signs and opens and joined.count(" ") < MOST_WORDS:
        return True
    return len(signs) > 1 or bool(marked and _DAY.search(joined) and _TIME.search(joined))


def _signs(joined: str) -> set[str]:
    signs = {
        "date": _DAY.search(joined) or _TIME.search(joined),
        "address": _ADDRESS.search(joined),
        "verb": any(verb in joined for verb in CLIENTS["wrote"]),
    }
    return {name for name, found in signs.items() if found}
