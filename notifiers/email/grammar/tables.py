"""The tables of `words` and `around` as sets of folded phrases."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product

from notifiers.email.grammar import around, words
from notifiers.email.grammar.letters import fold_known

_CHOICE = re.compile(r"\{([^}]*)\}")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def phrases(text: str) -> frozenset[str]:
    """Every phrase of a table, folded; also as it is written without a German, Turkish or Polish keyboard."""
    found: set[str] = set()
    for phrase in text.replace("\n", " ").split("|"):
        pieces = _CHOICE.split(phrase)  # text and choices take turns
        choices = [piece.split("/") if at % 2 else [piece] for at, piece in enumerate(pieces)]
        for chosen in map("".join, product(*choices)):
            folded = fold_known(chosen)
            found |= {folded, folded.replace("ı", "i").replace("ł", "l"), fold_known(chosen.translate(_UMLAUTS))}
    return frozenset(found - {""})


def _words_of(found: frozenset[str]) -> frozenset[str]:
    return frozenset(word for phrase in found for word in phrase.split(" "))


class Stems:
    """Pieces of words, found wherever they stand in a text; by looking up its pieces, since there are hundreds."""

    def __init__(self, stems: Iterable[str]) -> None:
        self._stems = frozenset(stems)
        self._lengths = sorted({len(stem) for stem in self._stems})

    def are_in(self, text: str) -> bool:
        """Whether any of them stands in a text."""
        return any(
            text[at : at + length] in self._stems for length in self._lengths for at in range(len(text) - length + 1)
        )


def _by_language(table: dict[str, str]) -> dict[str, frozenset[str]]:
    return {language: phrases(text) for language, text in table.items()}


def _all(*sets: frozenset[str]) -> frozenset[str]:
    return frozenset().union(*sets)


APPROVE_BY_LANGUAGE = _by_language(words.APPROVE)
NEUTRAL = phrases(words.NEUTRAL)
NEVER_JOINED = phrases(words.NEVER_JOINED)
APPROVE_ORDERS = phrases(words.APPROVE_ORDERS)
REJECT_ORDERS = phrases(words.REJECT_ORDERS)
BARE_VERBS = phrases(words.BARE_VERBS)
APPROVE = _all(*APPROVE_BY_LANGUAGE.values(), APPROVE_ORDERS)
REJECT = _all(*_by_language(words.REJECT).values(), REJECT_ORDERS)
ANSWERS = APPROVE | REJECT

GREETINGS = phrases(around.GREETINGS)
COURTESIES = phrases(around.COURTESIES)
REQUESTS = phrases(around.REQUESTS)
OWN = phrases(around.OWN)
REGRETS = phrases(around.REGRETS)
CLOSINGS = phrases(around.CLOSINGS)
TITLES = phrases(around.TITLES)
HONORIFICS = tuple(sorted(phrases(around.HONORIFICS)))
AND = phrases(around.AND)
GIVEN_NAMES = phrases(around.GIVEN_NAMES)
DOUBTFUL_NAMES = phrases(around.DOUBTFUL_NAMES)

TURNS = phrases(around.TURNS)
TURNING_SIGNS = frozenset(around.TURNING_SIGNS)
TURNED_ENDINGS = tuple(sorted(phrases(around.TURNED_ENDINGS)))
NEGATIONS = phrases(around.NEGATIONS)
TAKEN_BACK = phrases(around.TAKEN_BACK)
AFTERTHOUGHTS = phrases(around.AFTERTHOUGHTS)
RETRACTIONS = phrases(around.RETRACTIONS)
AFTERTHOUGHT_SIGNS = tuple(sorted(phrases(around.AFTERTHOUGHT_SIGNS), key=len, reverse=True))
RUNNING_ON = phrases(around.RUNNING_ON)
RUNNING_ON_SIGNS = phrases(around.RUNNING_ON_SIGNS)
CONDITION_SIGNS = tuple(sorted(phrases(around.CONDITION_SIGNS)))
CONDITIONS = phrases(around.CONDITIONS)
# An answer turned from within its word: "unapproved", "onaylamıyorum".
NEGATING_PREFIXES = ("un", "dis", "non", "nie", "o")
TURKISH_NO = re.compile(r"(?:onayla|onaylan|reddet|redded)(?:m[aeıiu]|may|mey)")
# What no unknown word may hold, since it would be an answer turned from within: "unapproved", "onaylamıyorum".
LONGEST_PLAIN_STEM = 5
ANSWER_WORDS = frozenset(phrase for phrase in ANSWERS if " " not in phrase)
WORDS_OF_ANSWERS = _words_of(ANSWERS)
OPENING_WORDS = frozenset(phrase.split(" ")[0] for phrase in GREETINGS | COURTESIES | CLOSINGS)
ALL_WORDS = WORDS_OF_ANSWERS - (TURNS - ANSWERS)
STEMS = Stems(word for word in ANSWER_WORDS if word.isascii() and len(word) > LONGEST_PLAIN_STEM)
SIGN_STEMS = Stems(phrase for phrase in ANSWERS if not phrase.isascii() and len(phrase) > 1)
YES_SIGNS = frozenset(around.YES_SIGNS.split("|"))
NO_SIGNS = frozenset(around.NO_SIGNS.split("|"))
