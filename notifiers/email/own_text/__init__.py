"""Which lines of a text its sender wrote: not what is quoted or forwarded.

Works on lines of plain text; what HTML shows is brought into that form first. A quote is known by its marks (`>`), by
its attribution line ("On ... wrote:"), by a header block ("From: ... Sent: ..."), or by a separator. All these are
looked for in the lines folded loosely, whatever alphabet, case or dashes a client writes them with.

Where it is open whose a line is, a mark stands in its place, so that it neither answers nor lets a line below it
answer, and never comes out as a comment; or all below it is left out.
"""

from __future__ import annotations

import re
import unicodedata
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
    text: str, most: int = limits.MOST_LINES, *, subject: str = "", wrapped: bool = True,
    ours: Collection[str] = (),
) -> Own:  # fmt: skip
    """Keep what the sender wrote of a text with lines ended by \\n; no more than so many lines are looked at.

    `subject` is the mail's own, which a quote's copied header repeats; `ours` are the words of our own name, which an
    attribution line of our mail has. `wrapped` tells that a program on the way may
    have broken long lines, as no program does with what HTML shows.
    """
    lines = _inside_pgp([_capped(line) for line in text.split("\n", most)[:most]])
    topic = loose(subject[: limits.LONGEST_SUBJECT]).rpartition(": ")[2]
    return _Reading(lines, topic, ours, wrapped=wrapped).own()


class _Reading:
    """One reading of a text, from its first line down."""

    def __init__(self, lines: list[str], topic: str, ours: Collection[str], *, wrapped: bool) -> None:
        self._lines, self._topic, self._ours, self._wrapped = lines, topic, frozenset(ours), wrapped
        self._marks = [fold_mark(line, quotes.LONGEST_ATTRIBUTION_LINE) for line in lines]
        self._kept: list[str] = []
        self._foreign: set[int] = set()
        self._of_us: set[int] = set()  # below a quote that only its attribution line says is ours
        self._marked: list[str] = []
        self._attributed = self._names_us = False
        self._quoted = ""  # what stands quoted so far
        self._above = ""  # the line above, if the next one may be the rest of it

    def own(self) -> Own:
        """All of the sender's own lines."""
        at, marks = 0, self._marks
        while at < len(self._lines):
            if marks[at].startswith(quotes.QUOTE_MARK):
                end = _end_of_marked(marks, at)
                if _leaves_a_quote_unmarked(marks, at, end):
                    break
                self._quote(at, end)
                at = end
                continue
            if quotes.begins_forward(marks[at]):
                return self._found(forwarded=True)
            if quotes.begins_quote(marks, at, self._topic):
                break
            length = quotes.attribution(marks, at)
            if length and not quotes.is_marked(marks, at + length):
                break
            if length:
                self._attributed = True
                self._names_us = not self._ours.isdisjoint(re.findall(r"\w+", " ".join(marks[at : at + length])))
            if not length:
                self._keep(self._lines[at])
            at += length or 1
        return self._found(forwarded=False)

    def _keep(self, line: str) -> None:
        self._above = line if _may_be_rest(self._above, line) else ""
        if self._quoted and not _instructs(self._quoted):
            (self._of_us if self._names_us else self._foreign).add(len(self._kept))
        self._kept.append(UNSURE if self._above else line)

    def _quote(self, at: int, end: int) -> None:
        bare = [mark.lstrip("> ") for mark in self._marks[at:end]]
        told = loose(" ".join(bare))[: limits.LONGEST_SENTENCE]
        self._quoted = f"{self._quoted} {told}"[: 4 * limits.LONGEST_SENTENCE]
        if not (self._attributed or _instructs(told) or _attributes_itself(bare)):
            self._marked += [line.lstrip("> ") for line in self._lines[at:end]]
        self._above = self._lines[end - 1] if self._wrapped else ""

    def _found(self, *, forwarded: bool) -> Own:
        foreign = self._foreign if _instructs(self._quoted) else self._foreign | self._of_us
        return Own(self._kept, forwarded, frozenset(foreign), self._marked)


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


def _leaves_a_quote_unmarked(marks: list[str], at: int, end: int) -> bool:
    """Whether what is marked only attributes a quote, which then stands below without marks."""
    if any(quotes.is_group_wise(marks, n) for n in range(at, end)):
        return True
    return any(marks[end:]) and quotes.only_attributes(marks[at:end])


def _attributes_itself(bare: list[str]) -> bool:
    """Whether marked lines begin with an attribution line or a copied header, as Apple Mail marks them."""
    shown = [mark for mark in bare if mark][:8]
    return any(quotes.attribution(shown, at) or quotes.begins_quote(shown, at) for at in range(min(3, len(shown))))


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
