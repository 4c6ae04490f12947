"""Which lines of a text its sender wrote: not what is quoted or forwarded.

Works on lines of plain text; what HTML shows is brought into that form first. Reading stops where an unmarked quote
begins. Quotes marked with `>` are skipped: an approval may stand below one only if it holds the sentence of our own
mails that tells how to answer.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from notifiers.email import limits
from notifiers.email.folding import CLIENTS, UNSURE, loose
from notifiers.email.own_text import quotes

NARROWEST_WRAP = 60  # columns; programs break lines at 66, 72 or 76
# Two characters that Unicode takes apart into whole sentences; in no mark, and slow to fold by the thousand.
_LONG_LIGATURES = dict.fromkeys((0xFDFA, 0xFDFB))


class Own(NamedTuple):
    """The sender's own lines, in order.

    `forwarded`: what stands below them was handed on, not answered. `foreign`: those of them, by number, above which
    something is quoted that isn't our mail. `marked`: lines with `>` that no attribution line, nor our own mail, makes
    a quote.
    """

    lines: list[str]
    forwarded: bool = False
    foreign: frozenset[int] = frozenset()
    marked: list[str] = []


def own_lines(
    text: str, most: int = limits.MOST_LINES, *, subject: str = "", wrapped: bool = True, ours: Collection[str] = ()
) -> Own:
    """Keep what the sender wrote of a text with lines ended by \n; no more than so many lines are looked at.

    `subject` is the mail's own, which a quote's copied header repeats; `ours` are the words of our own name, which an
    attribution line of our mail has. `wrapped` tells that a program on the way may have broken long lines, as no
    program does with what HTML shows.
    """
    lines = _inside_pgp([_capped(line) for line in text.split("\n", most)[:most]])
    return _Reading(lines, loose(subject[: limits.LONGEST_SUBJECT]).rpartition(": ")[2], ours, wrapped=wrapped).own()


class _Reading:
    """One reading of a text, from its first line down."""

    def __init__(self, lines: list[str], topic: str, ours: Collection[str], *, wrapped: bool) -> None:
        self._lines, self._topic, self._ours, self._wrapped = lines, topic, frozenset(ours), wrapped
        self._marks = [fold_mark(line, quotes.LONGEST_ATTRIBUTION_LINE) for line in lines]
        self._kept: list[str] = []
        self._marked: list[str] = []
        self._foreign: set[int] = set()
        self._of_us: set[int] = set()  # below a quote that only its attribution line says is ours
        self._attribution = ""
        self._quoted = ""  # what stands quoted so far
        self._above = ""  # the line above, if the next one may be the rest of it

    def own(self) -> Own:
        """All of the sender's own lines."""
        at, marks, forwarded = 0, self._marks, False
        while at < len(marks) and not forwarded:
            length = quotes.attribution(marks, at)
            if marks[at].startswith(quotes.QUOTE_MARK):
                end = _end_of_marked(marks, at)
                bare = [mark.lstrip("> ") for mark in marks[at:end]]
                if quotes.only_attributes(bare):
                    break
                self._skip(self._lines[at:end], bare)
                at = end
            elif quotes.begins_forward(marks[at]):
                forwarded = True
            elif quotes.begins_quote(marks, at, self._topic) or (length and not quotes.is_marked(marks, at + length)):
                break
            elif length:
                self._attribution, at = " ".join(marks[at : at + length]), at + length
            else:
                self._keep(self._lines[at])
                at += 1
        foreign = self._foreign if _instructs(self._quoted) else self._foreign | self._of_us
        return Own(self._kept, forwarded, frozenset(foreign), self._marked)

    def _skip(self, lines: list[str], bare: list[str]) -> None:
        told = " ".join(bare)[: limits.LONGEST_SENTENCE]
        self._quoted = f"{self._quoted} {told}"[: 4 * limits.LONGEST_SENTENCE]
        attributed = self._attribution or any(quotes.attribution(bare, at) for at in range(len(bare[:3])))
        self._marked += [] if attributed or _instructs(told) else [line.lstrip("> ") for line in lines]
        self._above = lines[-1] if self._wrapped else ""

    def _keep(self, line: str) -> None:
        self._above = line if _may_be_rest(self._above, line) else ""
        if self._quoted and not _instructs(self._quoted):
            names_us = not self._ours.isdisjoint(re.findall(r"\w+", self._attribution))
            (self._of_us if names_us else self._foreign).add(len(self._kept))
        self._kept.append(UNSURE if self._above else line)


def _may_be_rest(above: str, line: str) -> bool:
    """Whether a line right below a quoted one may be the rest of it, wrapped without a mark of its own.

    So it may be where its first word had no room above. Whoever wrote the quoted line chose where it breaks: that one
    might be who asks.
    """
    narrowest = NARROWEST_WRAP if above.isascii() else NARROWEST_WRAP // 2  # an ideograph takes two columns
    spoken = line.split(None, 1)
    return bool(above and spoken) and len(above.rstrip()) + 1 + len(spoken[0]) > narrowest


def _instructs(quoted: str) -> bool:
    """Whether a quote holds the sentence of our own mails that tells how to answer."""
    return any(sentence in quoted for sentence in CLIENTS["instruction"])


def fold_mark(line: str, longest: int) -> str:
    """A line folded loosely, and so much of it that one which is too long is seen to be."""
    return loose(line[: longest + 1].translate(_LONG_LIGATURES))


def _capped(line: str) -> str:
    """A line that had to be cut says so, and is never taken for a whole one."""
    return line if len(line) <= limits.LONGEST_LINE else line[: limits.LONGEST_LINE] + UNSURE


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
