"""Where a text begins to quote or to hand on: titles, copied headers, and lines like "On ... wrote:".

All work on `marks`, a text's lines folded loosely, so that alphabet, case and dashes make no difference. What a mail
client writes is told by its structure first: which signs stand together (a date, an address, the mail's subject). The
words of the languages are one way more, never the only one.
"""

from __future__ import annotations

import re

from notifiers.email.folding import CLIENTS
from notifiers.email.grammar.folded import fold_known
from notifiers.email.grammar.lexicon import lexicon

LONGEST_ATTRIBUTION = 4  # lines that "On ... wrote:" may be wrapped over
LONGEST_ATTRIBUTION_LINE = 400  # characters
LONGEST_HEADER_BLOCK = 8  # lines
LONGEST_HELD = 250  # characters of a copied header's line in which signs are looked for
LEAST_SUBJECT = 8  # characters; a shorter one may stand in any line
MOST_WORDS_OF_A_NAME = 5  # in "Grace Hopper wrote:", with the verb
MOST_WORDS_OF_AN_OPENING = 10  # in "On Friday Grace Hopper wrote:"
SHORTEST_WRAPPED = 45  # columns: a shorter line was not wrapped, it ends where its writer ended it

QUOTE_MARK = ">"
_SEPARATORS = "-_=*"
_RULE = re.compile(r"[-_=*]{3,}")
_KEY_LINE = re.compile(r"[*]{0,2}(?P<key>[^\W\d_][^:*]{0,30}?)[*]{0,2} ?:[*]{0,2} ?(?P<value>.*)")
_KEY_ROW = re.compile(r"\| ?(?P<key>[^\W\d_][^|]{0,30}?) ?:? ?\| ?(?P<value>[^|]*)\|?")  # of a table, in plain text
_ENDS_ATTRIBUTION = re.compile(r":[ *]*$")
_ADDRESS = re.compile(r"[^\s@]@[^\s@]")
# Of a date. No number of a ticket: a year stands alone.
_YEAR = re.compile(r"(?<![a-z\d#-])\d{4}(?!\d)")
_DAY = re.compile(r"\d{1,2}[./-] ?\d{1,2}[./-] ?\d{2}")
_TIME = re.compile(r"(?<![\d.:])\d{1,2}[:.h]\d{2}(?![.\d])|\d{1,2}:\d{2}")
_NUMBER = re.compile(r"(?<![\d:.])\d{1,2}(?![\d:h])")


def is_rule(mark: str) -> bool:
    """Whether a line is nothing but dashes or their like."""
    return _RULE.fullmatch(mark) is not None


def begins_forward(mark: str) -> bool:
    """Whether this line says that a mail is handed on below."""
    title = _title(mark)
    return title != "" and any(phrase in title for phrase in CLIENTS["forwarded"])


def begins_quote(marks: list[str], at: int, subject: str = "") -> bool:
    """Whether a quote begins here that is not marked line by line, so that all below is quoted."""
    mark = marks[at]
    title = _title(mark)
    if title.startswith(CLIENTS["original"]):
        return True
    if title and mark[:2] == "--" and _tells_who_and_when(title, marked=False):
        return True
    if is_rule(mark) or (title and mark[0] in _SEPARATORS) or mark.strip(" *:") in CLIENTS["original"]:
        below = next((n for n in range(at + 1, min(at + 4, len(marks))) if marks[n]), None)
        return below is not None and _is_header_block(marks, below, subject)
    return _is_header_block(marks, at, subject)


def is_group_wise(marks: list[str], at: int) -> bool:
    """Whether GroupWise's `>>> Name <address> date >>>` begins here, below which nothing is marked."""
    if not marks[at].startswith(">>> ") or marks[at].startswith(">>> >"):
        return False
    for length, mark in enumerate(marks[at : at + LONGEST_ATTRIBUTION]):
        if not mark or (length and mark.startswith(QUOTE_MARK)):
            return False
        if mark.endswith(">>>"):
            return True
    return False


def attribution(marks: list[str], at: int) -> int:
    """How many lines from here introduce a quote ("On ... wrote:"), or 0."""
    joined = ""
    for length in range(1, LONGEST_ATTRIBUTION + 1):
        mark = "".join(marks[at + length - 1 : at + length])
        if not mark or mark.startswith(QUOTE_MARK) or len(mark) > LONGEST_ATTRIBUTION_LINE:
            return 0
        joined = f"{joined} {mark}".strip()
        if _ENDS_ATTRIBUTION.search(joined):
            marked = is_marked(marks, at + length)
            is_one = _tells_who_and_when(joined, marked=marked)
            return length if is_one and not _begins_with_more(marks[at : at + length], marked=marked) else 0
        if length == 1 and not _may_open(mark):
            return 0
    return 0


def only_attributes(marked: list[str]) -> bool:
    """Whether quoted lines end in what introduces a quote: then the quote itself is what stands unmarked below them.

    Some clients mark "On ... wrote:" or the copied header, and leave the text that belongs to it as it was.
    """
    bare = [mark for mark in (mark.lstrip("> ") for mark in marked) if mark]
    if not bare:
        return False
    if begins_forward(bare[-1]) or _title(bare[-1]).startswith(CLIENTS["original"]):
        return True
    ends = [" ".join(bare[-length:]) for length in range(1, min(LONGEST_ATTRIBUTION, len(bare)) + 1)]
    if _ENDS_ATTRIBUTION.search(bare[-1]):
        alone = ends[-1] if len(ends) == len(bare) else ""  # nothing else is marked: one sign will do
        if _has_verb(alone) or _held(alone, "") == "moment" or any(_signs_of_attribution(end) > 1 for end in ends):
            return True
    if len(bare) == 1 and _signs_of_attribution(bare[0]) > 1:
        return True
    others = sum(not _key_line(mark) for mark in bare)  # a title, or the rest of a wrapped line
    return others <= 2 and any(begins_quote(bare, at) for at in range(min(2, len(bare))))


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


def _is_header_block(marks: list[str], at: int, subject: str) -> bool:
    """Whether a mail's header is copied here.

    By the names of its lines, From and then at least two of Sent, To and Subject; or, in any language, by what its
    lines hold. A line of somebody's own right above ("Ticket: ...") is no part of it.
    """
    first = _key_line(marks[at])
    if not first:
        return False
    window = marks[at + 1 : at + LONGEST_HEADER_BLOCK]
    below = list(filter(None, map(_key_line, window)))
    if first["key"] in CLIENTS["from_keys"] and len({each["key"] for each in below} & set(CLIENTS["other_keys"])) >= 2:
        return True
    neighbours = window[: window.index("")] if "" in window else window
    held = [_held(each["value"], subject) for each in filter(None, map(_key_line, [marks[at], *neighbours]))]
    return _holds_header(held) and (held[0] != "" or not _holds_header(held[1:]))


def _holds_header(held: list[str]) -> bool:
    """Whether neighbouring lines with these signs are a header: two signs, and more lines where none is the subject."""
    signs = {*held} - {""}
    return len(signs) >= 2 and len(held) >= (3 if "subject" in signs else 4)


def _key_line(mark: str) -> re.Match[str] | None:
    return _KEY_LINE.fullmatch(mark) or _KEY_ROW.fullmatch(mark)


def _held(value: str, subject: str) -> str:
    """Which sign of a copied header a value is, if any."""
    value = value[:LONGEST_HELD]
    if len(subject) >= LEAST_SUBJECT and subject in value:
        return "subject"
    if _TIME.search(value) and (_YEAR.search(value) or _DAY.search(value)):
        return "moment"
    return "address" if _ADDRESS.search(value) else ""


def _begins_with_more(lines: list[str], *, marked: bool) -> bool:
    """Whether the first of these lines is the sender's own, and only those below it introduce the quote.

    So it is where the others say as much without it, where they are a whole attribution from its first word on, or
    where it is too short to have been wrapped.
    """
    if len(lines) < 2:
        return False
    rest = " ".join(lines[1:])
    if not _may_open(rest):
        return False
    whole = f"{lines[0]} {rest}"
    if _signs(whole) == _signs(rest):
        return True
    complete = _opening(rest) != "" and _held(rest, "") == "moment"
    if complete and _signs_of_attribution(whole) == _signs_of_attribution(rest) > 1:
        return True
    short = len(lines[0]) + 1 + len(rest.split(" ", 1)[0]) < SHORTEST_WRAPPED
    return short and _tells_who_and_when(rest, marked=marked)


def _may_open(mark: str) -> bool:
    """Whether an attribution may begin so: with a known word, or with a date or an address anywhere in the line."""
    return _opening(mark) != "" or _has_date(mark) or ("<" in mark and _ADDRESS.search(mark) is not None)


def _opening(mark: str) -> str:
    """The known word or words an attribution begins with, the longest; or ""."""
    bare = mark.lstrip("* ")
    found = [each for each in CLIENTS["attribution_openings"] if bare.startswith(each)]
    whole = [each for each in found if each == bare or not bare[len(each) - 1 : len(each) + 1].isalpha()]
    return max(whole, key=len, default="")


def _tells_who_and_when(joined: str, *, marked: bool) -> bool:
    """It takes two of a date, an address and a verb of writing; before marked lines a name and the verb will do.

    So will the whole moment, in whatever language the verb is. A line that says yes or no is nobody's attribution,
    unless it has all the signs of one: names may hold any word.
    """
    signs = _signs_of_attribution(joined)
    opening = _opening(joined)
    if _holds_answer(joined[joined.find(opening) + len(opening) :]) and not (signs == 3 and opening):
        return False
    if signs >= 2 or not marked:
        return signs >= 2 or (opening != "" and _has_verb(joined) and joined.count(" ") < MOST_WORDS_OF_AN_OPENING)
    if _has_verb(joined):
        return joined.count(" ") < MOST_WORDS_OF_A_NAME
    return _held(joined, "") == "moment"


def _signs_of_attribution(joined: str) -> int:
    return sum((_has_date(joined), _ADDRESS.search(joined) is not None, _has_verb(joined)))


def _signs(joined: str) -> tuple[bool, ...]:
    """Which parts of an attribution stand in a line, finely: a wrapped one has some here and some there."""
    parts = (_YEAR, _TIME, _NUMBER, _ADDRESS)
    return (*(pattern.search(joined) is not None for pattern in parts), _has_verb(joined))


def _has_date(joined: str) -> bool:
    return any(pattern.search(joined) for pattern in (_YEAR, _DAY, _TIME))


def _has_verb(joined: str) -> bool:
    return any(verb in joined for verb in CLIENTS["wrote"])


def _holds_answer(text: str) -> bool:
    """Whether any word of a text could answer or negate, in whatever sense."""
    words = re.findall(r"[\w']+", fold_known(text))
    return any(word in CLIENTS["negations"] or word in lexicon().answers for word in words)
