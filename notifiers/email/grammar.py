"""Whether one line, whole, is an answer.

A line answers when everything on it is known: a phrase of the tables, beside it at most a greeting, a courtesy or a
name that can't turn its meaning. Letters are compared folded (case, accents, full width), but only letters that the
tables' languages write: what merely looks like an answer is none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import NamedTuple

from notifiers.email import grammar_words as words

LONGEST_ANSWER = 120  # characters of a line that may still be an answer
MOST_SEGMENTS = 6  # between full stops and commas, as in "Hi Bob, yes, approved. Thanks, Grace"
LONGEST_PHRASE = 5  # words
MOST_NAME_WORDS = 3  # more than one only where each is written like a name

# Shown as nothing at the ends of a line; editors and web mail leave them there. Within a line they split words.
_BLANK_ENDS = "\u200b\ufeff\u2060"
# Letters of the languages in the tables, and full-width Latin. No compatibility forms: those are look-alikes.
_LETTERS = re.compile(r"[A-Za-zÀ-ÖØ-öø-žぁ-ゖァ-ヺー々一-鿿Ａ-Ｚａ-ｚ]")
_WIDE = {0xFF01 + i: 0x21 + i for i in range(94)} | {
    0x3000: " ",
    0x3002: ". ",
    0x3001: ", ",
    0xFF0C: ", ",
    0xFF01: "! ",
}
_BREAK = re.compile(r" ?[.!,]+(?= |$)| [-–—]{1,2} ?(?=\w)")
_EMPHASIS = re.compile(r"(\*\*|__|\*|_)(\w(?:.*[\w.!,])?)\1([.!,]*)")
_QUESTION_MARKS = frozenset("?？¿⁇⁈⁉؟\u037e")
# Stands for what is shown but can't be read as text, or may not be shown at all.
UNSURE = "\ufffc"


class Line(NamedTuple):
    """What one line says: `verdict` is "approve", "reject" or "none", and `code` says why none."""

    verdict: str
    code: str


NOTHING = Line("none", "empty")


def read_line(line: str, names: Collection[str] = ()) -> Line:
    """Read one line, whole. `names` are the folded words of names that stand in the mail's own headers."""
    shown = line.strip().strip(_BLANK_ENDS).strip()
    shown = shown[1:] if shown.startswith("¡") and shown.endswith("!") else shown
    if not shown:
        return NOTHING
    if len(shown) > LONGEST_ANSWER:
        return Line("none", "unclear")
    folded = None if UNSURE in shown else fold(shown)
    if folded is None:
        return Line("none", "disguised")
    segments = _segments(folded)
    if len(segments) > MOST_SEGMENTS or segments[0] in _REQUESTS:
        return Line("none", "unclear")
    verdicts = {_segment(segment, names, _written_like_names(shown)) for segment in segments}
    said = verdicts & {"approve", "reject"}
    if verdicts <= {"approve", "reject", "courtesy", "greeting", "name"} and len(said) == 1:
        return Line(said.pop(), "answer")
    if verdicts == {"greeting"}:
        return Line("none", "greeting")
    return Line("none", _why_none(shown, folded))


def holds_answer(text: str) -> bool:
    """Whether any word of a text could answer or negate, in whatever sense."""
    return not _SAYS_SOMETHING.isdisjoint(re.findall(r"[\w']+", _fold_known(text)))


def is_closing(line: str) -> bool:
    """Whether a line ends a letter, as "Best regards," does."""
    return len(line) <= LONGEST_ANSWER and _fold_known(line).rstrip(" ,.!") in _CLOSINGS


def is_name(line: str, names: Collection[str]) -> bool:
    """Whether a line is nothing but names that stand in the mail's headers."""
    spoken = _fold_known(line[:LONGEST_ANSWER]).replace(".", " ").split()
    return bool(spoken) and all(word in names for word in spoken)


def fold(text: str) -> str | None:
    """Fold case, accents, width and spaces; None for text in which something is disguised."""
    if any(unicodedata.category(c) in _NEVER_SHOWN and c != "\t" for c in text):
        return None
    composed = unicodedata.normalize("NFC", text)
    if any(_is_disguise(c) for c in text if not "\u0300" <= c <= "\u036f") or any(_is_disguise(c) for c in composed):
        return None
    wide = {"Ａ" <= c <= "Ｚ" or "ａ" <= c <= "ｚ" for c in composed if c.isalpha()}
    if len(wide) > 1 and any("a" <= c <= "z" for c in composed.lower()):
        return None
    return _fold_known(composed)


_NEVER_SHOWN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _is_disguise(char: str) -> bool:
    kind = unicodedata.category(char)
    return kind[0] == "M" or (kind[0] == "L" and not _LETTERS.match(char)) or (kind == "Sk" and not char.isascii())


def _fold_known(text: str) -> str:
    plain = "".join(_bare(c) for c in text.translate(_WIDE).replace("’", "'"))
    return " ".join(plain.casefold().split())


def _bare(char: str) -> str:
    """A Latin letter without its accent; any other character as it is."""
    return unicodedata.normalize("NFD", char)[0] if "À" <= char <= "ž" else char


def _segments(folded: str) -> list[str]:
    match = _EMPHASIS.fullmatch(folded)  # how mail clients write bold and italics in plain text
    inner = match[2] + match[3] if match else folded
    parts = [part.strip() for part in _BREAK.split(inner)]
    return parts[:-1] if len(parts) > 1 and not parts[-1] else parts


def _segment(segment: str, names: Collection[str], capitals: Collection[str]) -> str:
    """What one segment between full stops and commas is: a verdict, "courtesy", "greeting", "name" or "other"."""
    if segment in _APPROVE:
        return "approve"
    if segment in _REJECT:
        return "reject"
    if segment in _COURTESIES:
        return "courtesy"
    if segment in _GREETINGS:
        return "greeting"
    if segment.count(" ") > LONGEST_PHRASE + MOST_NAME_WORDS:
        return "other"
    return _with_name(segment, names, capitals) or _with_more(segment) or "other"


def _with_name(segment: str, names: Collection[str], capitals: Collection[str]) -> str | None:
    spoken = segment.split(" ")
    if len(spoken) <= MOST_NAME_WORDS and all(word in names and word not in _TURNS for word in spoken):
        return "name"
    for count in range(len(spoken) - 1, 0, -1):
        opening, name = " ".join(spoken[:count]), spoken[count:]
        known = all(word in capitals or word in names or word == "team" for word in name)
        like_names = len(name) == 1 or (len(name) <= MOST_NAME_WORDS and known)
        if opening in _GREETINGS and like_names and all(map(_may_be_name, name)):
            return "greeting"
        if opening in _COURTESIES and len(name) == 1 and _may_be_name(name[0]):
            return "courtesy"
    return None


def _written_like_names(shown: str) -> frozenset[str]:
    return frozenset(
        _fold_known(word.strip(" ,.!")) for word in shown.split() if word[:1].isupper() and word[1:2].islower()
    )


def _may_be_name(word: str) -> bool:
    return word.replace("-", "").isalpha() and word not in _TURNS and word not in _ANSWER_WORDS


def _with_more(segment: str) -> str | None:
    """An answer and a courtesy, or two that say yes ("yes approved"). Two that say no may cancel out: "no rechazar"."""
    spoken = segment.split(" ")
    for count in range(1, min(len(spoken), LONGEST_PHRASE + 1)):
        opening, rest = " ".join(spoken[:count]), " ".join(spoken[count:])
        if opening in _APPROVE and (rest in _COURTESIES or rest in _APPROVE):
            return "approve"
        if opening in _REJECT and rest in _COURTESIES:
            return "reject"
    return None


def _why_none(shown: str, folded: str) -> str:
    spoken = set(re.findall(r"[\w']+", folded))
    if not spoken:
        return "no_words"
    if _QUESTION_MARKS & set(shown):
        return "question"
    if spoken & _APPROVE and spoken & _REJECT:
        return "both"
    return "turned" if spoken & _TURNS and spoken & _ANSWER_WORDS else "unclear"


def _phrases(text: str) -> frozenset[str]:
    folded = {_fold_known(phrase.strip()) for phrase in text.replace("\n", " ").split("|")}
    # Who has no Turkish or Polish keyboard writes these letters so.
    return frozenset(folded | {phrase.replace("ı", "i").replace("ł", "l") for phrase in folded}) - {""}


_APPROVE = _phrases("|".join(words.APPROVE.values()))
_REJECT = _phrases("|".join(words.REJECT.values()))
_GREETINGS = _phrases(words.GREETINGS)
_CLOSINGS = _phrases(words.CLOSINGS)
_REQUESTS = _phrases(words.REQUESTS)
_COURTESIES = _phrases(words.COURTESIES) | _CLOSINGS | _REQUESTS
_TURNS = _phrases(words.TURNS)
_ANSWER_WORDS = frozenset(word for phrase in _APPROVE | _REJECT for word in phrase.split(" "))
_SAYS_SOMETHING = frozenset(each for each in _APPROVE | _REJECT if " " not in each) | _phrases(words.NEGATIONS)
