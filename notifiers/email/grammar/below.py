"""What lines below an answer do to it: take it back, run on from it, close the letter."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from notifiers.email.grammar import tables
from notifiers.email.grammar.kinds import LONGEST_PHRASE
from notifiers.email.grammar.letters import fold_known
from notifiers.email.grammar.line import LONGEST_ANSWER, segments_of
from notifiers.email.grammar.names import Names

MOST_AFTERTHOUGHT = 4  # words that end in a no: "actually no", "I meant reject"
# What may stand between the words of an answer turned: "I do not approve of this".
_FILLING = frozenset({"it", "this", "that", "the", "of", "request", "ich", "das", "je", "jag", "ben", "bunu"})
_SAYS_SOMETHING = frozenset(each for each in tables.ANSWERS if " " not in each) | tables.NEGATIONS


def takes_back(line: str) -> bool:
    """Whether a line below an approval takes it back: it says no, or an answer turned, or nothing but a negation."""
    folded = fold_known(line[:LONGEST_ANSWER]).lstrip(" .-–—*")
    segments = [part for each in re.split("[:;?]", folded) for part in segments_of(each.strip())]
    return any(map(_takes_back, segments))


def _takes_back(segment: str) -> bool:
    if segment in tables.REJECT or segment in tables.TAKEN_BACK or _is_turned(segment):
        return True
    spoken = segment.split(" ")
    if len(spoken) > MOST_AFTERTHOUGHT:
        return False
    return spoken[-1] in tables.REJECT or spoken[-1] in tables.NEGATIONS or any(map(_is_turned_within, spoken))


@lru_cache(maxsize=4096)
def _is_turned_within(word: str) -> bool:
    """Whether a word is made of an answer and says something else: "onaylamıyorum", "unapproved"."""
    if len(word) <= tables.LONGEST_PLAIN_STEM or word in tables.ALL_WORDS:
        return False
    return tables.STEMS.are_in(word)


def runs_on(line: str, following: str) -> bool:
    """Whether a sentence runs on from one line into the next, where it would turn what the first one says."""
    if not following.strip() or line.rstrip()[-1:] in ".!。！" or following.lstrip()[:1].isupper():
        return False
    folded = fold_known(following[:LONGEST_ANSWER])
    return any(
        folded == phrase or folded.startswith((phrase + " ", phrase + ",") if phrase.isascii() else phrase)
        for phrase in tables.RUNNING_ON
    )


def speaks_to_somebody(line: str) -> bool:
    """Whether a greeting names somebody."""
    return len(fold_known(line[:LONGEST_ANSWER]).strip(" ,.!:").split(" ")) > 1


def holds_answer(text: str) -> bool:
    """Whether any word of a text could answer or negate, in whatever sense."""
    return not _SAYS_SOMETHING.isdisjoint(re.findall(r"[\w']+", fold_known(text)))


def is_closing(line: str) -> bool:
    """Whether a line ends a letter, as "Best regards," does."""
    return len(line) <= LONGEST_ANSWER and fold_known(line).rstrip(" ,.!") in tables.CLOSINGS


def is_name(line: str, names: Collection[str]) -> bool:
    """Whether a line is nothing but names that stand in the mail's headers."""
    spoken = fold_known(line[:LONGEST_ANSWER]).replace(".", " ").split()
    return bool(spoken) and all(Names(names).knows(word) for word in spoken)


def _is_turned(segment: str) -> bool:
    """Whether a segment is an answer turned, and nothing else: "I do not approve", 承認できません."""
    spoken = segment.split(" ")
    if len(spoken) <= LONGEST_PHRASE and not tables.TURNS.isdisjoint(spoken):
        said = [word for word in spoken if word in tables.ANSWER_WORDS]
        if said and all(word in tables.TURNS or word in tables.ANSWER_WORDS or word in _FILLING for word in spoken):
            return True
    if segment.isascii():
        return False
    holds = tables.SIGN_STEMS.are_in(segment)
    return holds and (segment.endswith(tables.TURNED_ENDINGS) or any(sign in segment for sign in "不没沒未别別勿"))
