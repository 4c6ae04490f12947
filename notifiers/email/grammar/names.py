"""Whether a word beside an answer is a name: one that no negation, no question and no other answer hides in.

Names that stand in the mail's own headers are known. Of all others only what is written like a name may be one, for
whoever greets "Hi Not, approved" has not approved.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from notifiers.email.grammar import tables
from notifiers.email.grammar.letters import ODD, fold_known, is_ordinary, skeleton

MOST_NAME_WORDS = 3  # more than one only where each is written like a name
LONGEST_NAME = 40  # letters
LONGEST_SIGNED_NAME = 6  # ideographs or kana, without the honorific

_PIECES = re.compile(r"[-']")
_KANA_OR_HAN = re.compile(r"[ァ-ヺー々一-鿿]+")
_NAME_IS = re.compile(r"([ァ-ヺー々一-鿿]{1,6})です")


class Names(NamedTuple):
    """What is known of names: the folded words of the headers', and the words that this line writes like names."""

    known: Collection[str] = ()
    written: Collection[str] = ()

    def knows(self, word: str) -> bool:
        """Whether the headers have this name, whole or in its pieces."""
        if word in tables.GIVEN_NAMES:
            return word in self.known and word in self.written
        pieces = list(filter(None, _PIECES.split(word)))
        known = word in self.known or (pieces != [] and all(piece in self.known for piece in pieces))
        return known and is_harmless(word)

    def may_be(self, word: str) -> bool:
        """Whether this may be somebody's name, known or not."""
        if self.knows(word) or word in tables.TITLES:
            return True
        if word in tables.GIVEN_NAMES:
            return word in self.written
        return is_harmless(word) and (skeleton(word).replace("-", "").replace("'", "").isascii() or _is_eastern(word))


def written_like_names(shown: str) -> frozenset[str]:
    """The folded words of a line that have a capital first and small letters behind it."""
    words = (word.strip(" ,.!:，。！：、") for word in shown.split())
    return frozenset(fold_known(word) for word in words if word[:1].isupper() and word[1:2].islower())


@lru_cache(maxsize=4096)
def is_harmless(word: str) -> bool:
    """Whether nothing that answers or turns an answer hides in a word."""
    bare = skeleton(word)
    pieces = _PIECES.split(bare)
    whole = "".join(pieces)
    if len(whole) > LONGEST_NAME or not whole.isalpha() or not is_ordinary(word):
        return False
    if not {bare, whole, *pieces}.isdisjoint(tables.TURNS | tables.ANSWER_WORDS):
        return False
    if whole.isascii():
        return not tables.STEMS.are_in(whole)
    return tables.TURNING_SIGNS.isdisjoint(whole) and not tables.SIGN_STEMS.are_in(whole)


def is_titled(segment: str) -> bool:
    """Whether a segment is a name with an honorific behind it, as in 田中様 or 王经理."""
    for honorific in () if segment.isascii() else tables.HONORIFICS:
        name = segment.removesuffix(honorific)
        if name != segment and _is_eastern(name) and is_harmless(name):
            return True
    return False


def is_introduction(segment: str) -> bool:
    """Whether a segment says who writes, as 佐藤です does behind a greeting."""
    match = _NAME_IS.fullmatch(segment)
    return match is not None and segment not in tables.ANSWERS and is_harmless(match[1])


def _is_eastern(word: str) -> bool:
    bare = word
    for honorific in tables.HONORIFICS:
        bare = bare.removesuffix(honorific) or bare
    return not word.startswith(ODD) and len(bare) <= LONGEST_SIGNED_NAME and bool(_KANA_OR_HAN.fullmatch(bare))
