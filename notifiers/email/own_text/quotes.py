"""Where a text begins to quote or to hand on: titles, copied headers, and lines like "On ... wrote:".

All work on `marks`, a text's lines folded loosely, so that alphabet, case and dashes make no difference. What a mail
client writes is told by its structure first: which signs stand together (a date, an address, the mail's subject). The
words of the languages are one way more, never the only one.
"""

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

QUOTE_MARK = ">"
_SEPARATORS = "-_=*"
# A line of a copied header, as `From: ...`, `*From:* ...`, or as a row of a table: `| From | ... |`.
_KEY_LINE = re.compile(r"(?:\| ?)?[*]{0,2}(?P<key>[^\W\d_][^:*|]{0,30}?)[*]{0,2} ?[:|][*]{0,2} ?(?P<value>.*)")
_ENDS_ATTRIBUTION = re.compile(r":[ *]*$")
_ADDRESS = re.compile(r"[^\s@]@[^\s@]")
# Of a date. No number of a ticket: a year stands alone.
_YEAR = re.compile(r"(?<![a-z\d#-])\d{4}(?!\d)")
_DAY = re.compile(r"\d{1,2}[./-] ?\d{1,2}[./-] ?\d{2}")
_TIME = re.compile(r"(?<![\d.:])\d{1,2}[:.h]\d{2}(?![.\d])|\d{1,2}:\d{2}")


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
    return _is_header_block(marks, at, subject)


def attribution(marks: list[str], at: int) -> int:
    """How many lines from here introduce a quote ("On ... wrote:"), or 0."""
    if not _may_open(marks[at]):
        return 0
    for end in range(at + 1, min(at + LONGEST_ATTRIBUTION, len(marks)) + 1):
        mark = marks[end - 1]
        if not mark or mark.startswith(QUOTE_MARK) or len(mark) > LONGEST_ATTRIBUTION_LINE:
            return 0
        if _ENDS_ATTRIBUTION.search(mark):
            is_one = _tells_who_and_when(" ".join(marks[at:end]), marked=is_marked(marks, end))
            # The latest line that may be its first one is: above it somebody's own may stand, with an hour in it.
            return end - at if is_one and not any(_is_whole(marks[n:end]) for n in range(at + 1, end)) else 0
    return 0


def _is_whole(lines: list[str]) -> bool:
    return _has_date(lines[0]) and _signs_of_attribution(" ".join(lines)) > 1


def only_attributes(bare: list[str]) -> bool:
    """Whether lines that were marked end in what introduces a quote, which then stands below them without marks.

    So GroupWise writes it (`>>> Grace 21.11.26 >>>`), and whoever marks "On ... wrote:" alone.
    """
    last = [mark for mark in bare if mark][-LONGEST_ATTRIBUTION:]
    introduces = bool(last and _ENDS_ATTRIBUTION.search(last[-1])) and _signs_of_attribution(" ".join(last)) > 1
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


def _is_header_block(marks: list[str], at: int, subject: str) -> bool:
    """Whether a mail's header is copied here.

    By the names of its lines, From and then at least two of Sent, To and Subject; or, in any language, by what its
    lines hold. A line of somebody's own right above ("Ticket: ...") is no part of it.
    """
    first = _KEY_LINE.fullmatch(marks[at])
    if not first:
        return False
    window = marks[at + 1 : at + LONGEST_HEADER_BLOCK]
    below = list(filter(None, map(_KEY_LINE.fullmatch, window)))
    if first["key"] in CLIENTS["from_keys"] and len({each["key"] for each in below} & set(CLIENTS["other_keys"])) >= 2:
        return True
    neighbours = window[: window.index("")] if "" in window else window
    held = [_held(each["value"], subject) for each in filter(None, map(_KEY_LINE.fullmatch, [marks[at], *neighbours]))]
    return _holds_header(held) and (held[0] != "" or not _holds_header(held[1:]))


def _holds_header(held: list[str]) -> bool:
    """Whether neighbouring lines with these signs are a header: two signs, and more lines where none is the subject."""
    signs = {*held} - {""}
    return len(signs) >= 2 and len(held) >= (3 if "subject" in signs else 4)


def _held(value: str, subject: str) -> str:
    """Which sign of a copied header a value is, if any."""
    value = value[:LONGEST_HELD]
    if len(subject) >= LEAST_SUBJECT and subject in value:
        return "subject"
    if _TIME.search(value) and (_YEAR.search(value) or _DAY.search(value)):
        return "moment"
    return "address" if _ADDRESS.search(value) else ""


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


def _has_date(joined: str) -> bool:
    return any(pattern.search(joined) for pattern in (_YEAR, _DAY, _TIME))


def _has_verb(joined: str) -> bool:
    return any(verb in joined for verb in CLIENTS["wrote"])


def _holds_answer(text: str) -> bool:
    """Whether any word of a text could answer, or turn an answer, in whatever sense."""
    return any(
        word in CLIENTS["negations"] or lexicon().turns(word) for word in re.findall(r"[\w']+", fold_known(text))
    )
