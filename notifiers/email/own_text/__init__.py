"""Which lines of a text its sender wrote: not what is quoted or forwarded.

Works on lines of plain text; what HTML shows is brought into that form first. Reading stops where an unmarked quote
begins. Quotes marked with `>` are skipped: an approval may stand below one only if the quote holds the sentence of
our own mails that tells how to answer.
"""

from itertools import takewhile
from typing import NamedTuple

from notifiers.email import limits
from notifiers.email.folding import CLIENTS, UNSURE, loose
from notifiers.email.html import html_text
from notifiers.email.mime.charset import part_text
from notifiers.email.mime.parts import Part
from notifiers.email.own_text import quotes

NARROWEST_WRAP = 60  # columns; programs break lines at 66, 72 or 76


class Own(NamedTuple):
    """The sender's own lines, in order.

    `forwarded`: what stands below them was forwarded, not answered. `foreign`: those of them below a quote that isn't
    our mail. `marked`: lines with `>` that neither an attribution line nor our own mail's text shows to be a quote.
    """

    lines: list[str]
    forwarded: bool = False
    foreign: frozenset[str] = frozenset()
    marked: list[str] = []


def own_lines_of(part: Part, share: int = 1) -> Own:
    """What the sender wrote in one text of a mail. `share`: how many texts share the limits. Raises Unreadable."""
    text, is_html = part_text(part), part.type == "text/html"
    return own_lines(html_text(text, share) if is_html else text, limits.MOST_LINES // share, wrapped=not is_html)


def own_lines(text: str, most: int = limits.MOST_LINES, *, wrapped: bool = True) -> Own:
    """Keep what the sender wrote in a text whose lines end in a line feed; at most `most` lines are looked at.

    `wrapped`: a program on the way may have broken long lines, which no program does with what HTML shows.
    """
    # A line that had to be cut is never taken for a whole one.
    cuts = ((line, line[: limits.LONGEST_LINE]) for line in text.split("\n", most)[:most])
    lines = [cut if cut == line else cut + UNSURE for line, cut in cuts]
    marks = [loose(line[: quotes.LONGEST_ATTRIBUTION_LINE + 1]) for line in lines]  # one more shows that it is too long
    kept: list[str] = []
    marked: list[str] = []
    foreign: set[str] = set()
    quoted, instructed = False, False  # what stands above: a quote, one of our own mail
    above = ""  # the line above, if the next one may be the rest of it
    at, attributed, forwarded = 0, False, False
    while at < len(marks) and not forwarded:
        length = quotes.attribution(marks, at)
        if marks[at].startswith(quotes.QUOTE_MARK):
            begin, at = at, _end_of_marked(marks, at)
            bare = [mark.lstrip("> ") for mark in marks[begin:at]]
            if quotes.only_attributes(bare):
                break
            is_ours = any(sentence in " ".join(bare) for sentence in CLIENTS["instruction"])
            quoted, instructed = True, instructed or is_ours
            if not (attributed or is_ours or any(quotes.attribution(bare, n) for n in range(len(bare[:3])))):
                marked += [line.lstrip("> ") for line in lines[begin:at]]
            above = lines[at - 1] if wrapped else ""
        elif quotes.begins_forward(marks[at]):
            forwarded = True
        elif quotes.begins_quote(marks, at) or (length and not quotes.is_marked(marks, at + length)):
            break
        elif length:
            attributed, at = True, at + length
        else:
            above = lines[at] if _may_be_rest(above, lines[at]) else ""
            kept.append(UNSURE if above else lines[at])
            foreign |= {kept[-1]} if quoted and not instructed else set()
            at += 1
    return Own(kept, forwarded, frozenset(foreign), marked)


def _may_be_rest(above: str, line: str) -> bool:
    """Whether the line right below a quoted one may be its wrapped end, without a mark of its own.

    It may be if its first word did not fit on the line above. The author of the quoted line, who may be the requester,
    chose where it breaks.
    """
    narrowest = NARROWEST_WRAP if above.isascii() else NARROWEST_WRAP // 2  # an ideograph takes two columns
    spoken = line.split(None, 1)
    return bool(above and spoken) and len(above.rstrip()) + 1 + len(spoken[0]) > narrowest


def _end_of_marked(marks: list[str], at: int) -> int:
    """Where the marked lines from here end, with the blank ones between them."""
    block = takewhile(lambda n: not marks[n] or marks[n].startswith(quotes.QUOTE_MARK), range(at, len(marks)))
    return max(n for n in block if marks[n]) + 1
