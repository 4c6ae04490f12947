"""What the lines below an approval do to it: a word of refusal, delay or condition puts it in doubt.

A rejection stands, whatever follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from notifiers.email.grammar.confusables import fold_case, fold_known
from notifiers.email.grammar.lexicon import Lexicon, Phrases
from notifiers.email.grammar.line import read_line, sides_of_signs
from notifiers.email.grammar.names import Names

LONGEST_PHRASE = 6  # words
LONGEST_COMMENT = 40_000  # characters below an approval
MOST_SHOWN = 100  # of them, where there are more
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*'?")
_STOPS = (".", "!", "?", "。", "！", "？", "…")
_GOING_ON = (",", ";", ":", "?", ")", "、", "，", "？", "；", "：")
_LEADING = " \t.-–—*•…([<{/\"'"


def word_of_doubt(lines: Iterable[str], answer: str, names: Names, words: Lexicon) -> str:
    """The first word of refusal, delay or condition in the lines below `answer`, or ""."""
    lines = list(lines)
    for line in lines:
        if read_line(line, names, words).verdict == "reject" or sides_of_signs(line) == {"reject"}:
            return line.strip()
    text = " ".join(lines)
    if len(text) > LONGEST_COMMENT:  # nobody has read it all
        return text[:MOST_SHOWN]
    text = fold_case(text)
    forms = [_forms(words), *(_tables(words)[code] for code in _languages_of(answer, words))]
    spoken = [word.strip("'") for word in _WORD.findall(text)]
    at = 0
    while at < len(spoken):
        windows = [" ".join(spoken[at : at + size]) for size in range(min(LONGEST_PHRASE, len(spoken) - at), 0, -1)]
        if harmless := next((each for each in windows if each in _harmless(words).plain), ""):
            at += harmless.count(" ") + 1
            continue
        for form in forms:
            found = next((each for each in windows if form.holds(each)), "")
            numbers = found == "no" and spoken[at + 1 : at + 2] and spoken[at + 1].isdigit()  # "Ticket No. 4711"
            if found and not numbers and not (names.sender and names.is_sender([found])):
                return found
        at += 1
    bare = text
    for sign in _harmless(words).signs:
        bare = bare.replace(sign, " ")
    return next((sign for sign in forms[0].signs if sign in bare), "")


def begins_with_doubt(line: str, words: Lexicon) -> bool:
    """Whether a line in a signature begins with a word of refusal, delay or condition; a house number is none."""
    spoken = _WORD.findall(fold_case(line.lstrip(_LEADING)))
    windows = [" ".join(spoken[:size]) for size in range(1, LONGEST_PHRASE) if size <= len(spoken)]
    numbered = len(spoken) > 1 and spoken[1].isdigit()
    return not numbered and any(map(_forms(words).holds, windows)) and len(spoken) <= 12


def runs_on(line: str, following: str, words: Lexicon) -> bool:
    """Whether a sentence runs on from one line into the next: "Approved", "by Bob only"."""
    said, more = line.rstrip(), following.strip()
    if not more or (said.endswith(_STOPS) and not more.startswith(_GOING_ON)):
        return False
    if more.startswith(_GOING_ON) and not more.startswith((":)", ":-)", ";)")):
        return True
    if more.lstrip(_LEADING)[:1].isupper():
        return False
    folded = fold_case(more[:200]).lstrip(_LEADING)
    begins = any(folded == each or folded.startswith(f"{each} ") for each in words.runs_on)
    return begins or folded.rstrip(" .!").endswith("?")


class _Forms:
    """Phrases as they are looked for: whole, with any ending, and as signs that no space parts."""

    def __init__(self, phrases: Phrases) -> None:
        each = {form for phrase in phrases for form in (phrase, fold_known(phrase))}
        self.signs = sorted(form for form in each if not form[0].isascii() and ord(form[0]) >= 0x3040)
        self.plain = frozenset(form for form in each if not form.endswith("*"))
        self._stems = tuple(form[:-1] for form in each if form.endswith("*"))

    def holds(self, text: str) -> bool:
        """Whether a text is one of them."""
        return text in self.plain or (" " not in text and text.startswith(self._stems))


@lru_cache(maxsize=16)
def _forms(words: Lexicon) -> _Forms:
    return _Forms(words.below)


@lru_cache(maxsize=16)
def _harmless(words: Lexicon) -> _Forms:
    return _Forms(words.harmless_below)


@lru_cache(maxsize=16)
def _tables(words: Lexicon) -> dict[str, _Forms]:
    return {code: _Forms(table) for code, table in words.below_in.items()}


def _languages_of(answer: str, words: Lexicon) -> set[str]:
    spoken = _WORD.findall(answer)
    windows = (" ".join(spoken[at : at + size]) for at in range(len(spoken)) for size in range(1, LONGEST_PHRASE))
    return {code for window in windows for code in words.languages_of(window)}
