"""Whether one line, whole, is an answer.

A line answers when everything on it is known: a phrase of the tables, beside it at most a greeting, a courtesy, a name
or a sign that can't turn its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from notifiers.email.grammar import tables
from notifiers.email.grammar.kinds import kind_of
from notifiers.email.grammar.letters import ODD, fold, is_blank
from notifiers.email.grammar.names import Names, is_harmless, is_introduction, written_like_names

MOST_CALLED = 2  # words of a name with which a letter begins
LONGEST_ANSWER = 120  # characters of a line that may still be an answer
MOST_SEGMENTS = 6  # between full stops and commas, as in "Hi Bob, yes, approved. Thanks, Grace"

# Shown as nothing at the ends of a line; editors and web mail leave them there. Within a line they split words.
_EDGES = " \t\r\n\f\v\N{NO-BREAK SPACE}\u3000\u200b\ufeff\u2060"
_MARKS_APART = re.compile(r"(?<=[.!,]) +(?=[.!,])")  # as full-width marks come out
_OK_DOTTED = re.compile(r"(?<![^ ])o\. ?k\.?(?![^ .!,])")
_TITLE_DOT = re.compile(r"(?<![^ ])(mr|mrs|ms|dr|prof|sr|sra|srta|sig|sigra|dott|ing|sn|m)\. ?(?=[^ .!,])")
_BREAK = re.compile(r" ?[.!,]+(?= |$)|,(?=[^\W\d])| [-–—]{1,2} ?(?=\w)")
_EMPHASIS = re.compile(r"(\*\*|__|\*|_)(\w(?:.*[\w.!,])?)\1([.!,]*)")
_QUESTION_MARKS = frozenset("?？¿⁇⁈⁉؟\u037e")
_SIGN = "(?:" + "|".join(map(re.escape, sorted(tables.YES_SIGNS | tables.NO_SIGNS))) + ")[\ufe0f\U0001f3fb-\U0001f3ff]*"
_SIGNS_BEFORE = re.compile(rf"(?:{_SIGN} *)+")
_SIGNS_BEHIND = re.compile(rf"(?: *{_SIGN})+$")
# Stands for what is shown but can't be read as text, or may not be shown at all.
UNSURE = "\ufffc"
# What else an answer's line may hold; `_verdict` says where.
_HARMLESS = frozenset({"courtesy", "closing", "greeting", "address", "name", "request", "regret", "own"})
_OPENS_LETTER = frozenset({"greeting", "address", "stranger", "name", "courtesy"})


class Line(NamedTuple):
    """What one line says: `verdict` is "approve", "reject" or "none", and `code` says why none."""

    verdict: str
    code: str


NOTHING = Line("none", "empty")


def read_line(line: str, names: Collection[str] = (), *, spoken_to: bool = False) -> Line:
    """Read one line, whole. `names` are the folded words of names that stand in the mail's own headers.

    `spoken_to`: somebody was named above, so that an order would be theirs to follow.
    """
    shown = line.strip(_EDGES)
    shown = shown[1:] if shown.startswith("¡") and shown.endswith("!") else shown
    if not shown or (len(shown) <= LONGEST_ANSWER and is_blank(shown)):
        return NOTHING
    if len(shown) > LONGEST_ANSWER:
        return Line("none", "unclear")
    text, signs = _without_signs(shown)
    folded = None if UNSURE in text else fold(text)
    if folded is None:
        return Line("none", "disguised")
    people = Names(names, written_like_names(text))
    segments = segments_of(folded)
    if len(segments) <= MOST_SEGMENTS:
        kinds = _kinds(segments, people)
        verdict = _verdict(kinds, signs, spoken_to=spoken_to)
        if verdict:
            return Line(verdict, "answer")
        if not signs and _opens_letter(kinds):
            return Line("none", "greeting")
        if not signs and _is_called(folded, kinds, people):
            return Line("none", "called")
        bare = folded.rstrip(" :-–—")
        if not signs and bare != folded and _opens_letter(_kinds(segments_of(bare), people)):
            return Line("none", "greeting")
    return Line("none", _why_none(shown, folded))


def sides_of_signs(line: str) -> frozenset[str]:
    """What a line of nothing but signs says: "approve", "reject", both or nothing."""
    shown = line.strip(_EDGES)
    if not shown or len(shown) > LONGEST_ANSWER:
        return frozenset()
    text, sides = _without_signs(shown)
    return frozenset() if text else sides


def _without_signs(shown: str) -> tuple[str, frozenset[str]]:
    """The line without the signs at its ends, and what they say: "approve", "reject", both or nothing."""
    before, behind = _SIGNS_BEFORE.match(shown), _SIGNS_BEHIND.search(shown)
    if not before and not behind:
        return shown, frozenset()
    signs = (before[0] if before else "") + (behind[0] if behind else "")
    sides = {"approve" for sign in tables.YES_SIGNS if sign in signs}
    sides |= {"reject" for sign in tables.NO_SIGNS if sign in signs}
    start = before.end() if before else 0
    end = behind.start() if behind else len(shown)
    return shown[start:end].strip(_EDGES), frozenset(sides)


def segments_of(folded: str) -> list[str]:
    """Part a folded line at its full stops, commas and dashes."""
    match = _EMPHASIS.fullmatch(folded)  # how mail clients write bold and italics in plain text
    inner = _MARKS_APART.sub("", match[2] + match[3] if match else folded)
    parts = [part.strip(" ¡") for part in _BREAK.split(_TITLE_DOT.sub(r"\1 ", _OK_DOTTED.sub("ok", inner)))]
    return parts[:-1] if len(parts) > 1 and not parts[-1] else parts


def _kinds(segments: list[str], people: Names) -> list[str]:
    kinds = [kind_of(segment, people) for segment in segments]
    for at, segment in enumerate(segments):
        if kinds[at] in ("approve", "reject") and segment in tables.BARE_VERBS and "request" in kinds[at:]:
            kinds[at] += " asked"  # "Hallo Alice, freigeben, bitte"
        if segment in tables.NEVER_JOINED and not {"approve", "reject"}.isdisjoint(kinds[:at]):
            kinds[at] = "other"  # "oui, si" only begins a condition
        if kinds[at] == "other" and at and kinds[at - 1] == "greeting":
            if is_introduction(segment):
                kinds[at] = "name"
            elif segment in people.written and is_harmless(segment):
                kinds[at] = "stranger"  # "Hi, Bob"
    return kinds


def _verdict(kinds: list[str], signs: frozenset[str], *, spoken_to: bool) -> str:
    """The one answer that a line of such segments gives, or ""."""
    found = set(kinds)
    answers = found - _HARMLESS
    verdicts = {answer.split(" ")[0] for answer in answers} | signs
    if len(verdicts) != 1 or not answers or not verdicts <= {"approve", "reject"}:
        return ""
    verdict = verdicts.pop()
    if "regret" in found and verdict != "reject":
        return ""
    named = spoken_to or bool(found & {"address", "name"})
    if any(answer.endswith(" order") for answer in answers) and (named or "request" in found):
        return ""
    if any(answer.endswith(" asked") for answer in answers) and named:
        return ""
    first = next(at for at, kind in enumerate(kinds) if kind in answers)
    return "" if "request" in kinds[:first] or "address" in kinds[first:] else verdict


def _is_called(folded: str, kinds: list[str], people: Names) -> bool:
    """Whether a line is somebody's name with a comma behind it, as letters begin."""
    name = folded.rstrip(" ,").split(" ")
    if not folded.endswith(",") or kinds != ["other"] or len(name) > MOST_CALLED:
        return False
    return all(word in people.written and people.may_be(word) for word in name)


def _opens_letter(kinds: list[str]) -> bool:
    """Whether a line does no more than greet, name or thank somebody: then the answer stands below it."""
    return set(kinds) <= _OPENS_LETTER


def _why_none(shown: str, folded: str) -> str:
    spoken = set(re.findall(r"[\w']+", folded))
    if ODD in folded:
        return "disguised"
    if not spoken:
        return "no_words"
    if _QUESTION_MARKS & set(shown):
        return "question"
    if spoken & tables.APPROVE and spoken & tables.REJECT:
        return "both"
    return "turned" if spoken & tables.TURNS and spoken & tables.ALL_WORDS else "unclear"
