"""Whether a word beside an answer is a name.

Names are those that the directory knows of a request. Where nobody asked the directory, the names in the mail's headers
stand in for them, and a word behind a greeting may be one, unless a negation, a question or an answer hides in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from notifiers.email.grammar.confusables import ODD, fold, fold_known, is_ordinary, skeleton
from notifiers.email.grammar.lexicon import Lexicon

MOST_NAME_WORDS = 4
LONGEST_NAME = 40  # letters
LONGEST_SIGNED_NAME = 6  # ideographs or kana, without the honorific

_PIECES = re.compile(r"[-'.]")
_KANA_OR_HAN = re.compile(r"[ァ-ヺー々一-鿿]+")
_SELF_INTRODUCTION = re.compile(r"([ァ-ヺー々一-鿿]{1,6})です")
_HAN_GREETING = re.compile(r"(?P<dear>尊敬的|亲爱的|親愛的)?(?P<name>[a-z]{1,30}|[一-鿿]{1,6}?)(?P<hello>您好|你好)?")
_TURNING_SIGNS = frozenset("不没沒非未勿别別莫無无毋否拒请請吗嗎么呢嘛駄")
# What follows a name in a display name, such as "(back Monday)" or "| Acme", is no part of it.
_END_OF_NAME = re.compile(r"[(\[{|/<>@\d:;]| - | – ")


class Names(NamedTuple):
    """The folded words of the names that an answer may be signed by or speak to."""

    sender: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    guesses: bool = True  # nobody asked the directory

    def knows(self, word: str) -> bool:
        """Whether a name has this word, whole or in its pieces."""
        pieces = list(filter(None, _PIECES.split(fold_known(word))))
        return bool(pieces) and all(piece in self.sender or piece in self.others for piece in pieces)

    def is_sender(self, words: Iterable[str]) -> bool:
        """Whether all these words are of the sender's own name."""
        return all(piece in self.sender for word in words for piece in _PIECES.split(fold_known(word)) if piece)


def words_of_name(name: str) -> frozenset[str]:
    """The folded words of one person's name, and its first letters; nothing of what is written behind it."""
    bare = _END_OF_NAME.split(name.strip(" \"'"))[0]
    words = (fold(word.strip(" ,.\"'")) for word in re.split(r"[\s,]+", bare)[: MOST_NAME_WORDS + 2])
    found = {fold_known(piece) for word in words if word for piece in _PIECES.split(word) if piece}
    return frozenset(found | {word[0] for word in found})


def written_like_names(shown: str) -> frozenset[str]:
    """The folded words of a line that have a capital first and small letters behind it."""
    words = (word.strip(" ,.!:，。！：、") for word in shown.split())
    return frozenset(fold_known(word) for word in words if word[:1].isupper() and word[1:2].islower())


def is_harmless(word: str, lexicon: Lexicon) -> bool:
    """Whether nothing that answers or turns an answer hides in a word."""
    bare = skeleton(word)
    pieces = _PIECES.split(bare)
    whole = "".join(pieces)
    if len(whole) > LONGEST_NAME or not whole.isalpha() or not is_ordinary(word):
        return False
    turns = lexicon.below_words | lexicon.answers | lexicon.beside
    return (
        {bare, whole, *pieces}.isdisjoint(turns)
        and _TURNING_SIGNS.isdisjoint(whole)
        and not lexicon.holds_answer(whole)
    )


def is_titled(segment: str, lexicon: Lexicon) -> bool:
    """Whether a segment is a name with an honorific behind it, as in 田中様 or 王经理."""
    for honorific in () if segment.isascii() else lexicon.honorifics:
        name = segment.removesuffix(honorific)
        if name != segment and is_eastern(name, lexicon) and is_harmless(name, lexicon):
            return True
    return False


def greets_by_name(segment: str, lexicon: Lexicon) -> bool:
    """Whether a greeting and a name stand together without a space, as in 王经理您好 or 尊敬的Alice."""
    match = _HAN_GREETING.fullmatch(segment)
    return bool(match and (match["dear"] or match["hello"]) and is_harmless(match["name"], lexicon))


def introduces_sender(segment: str, lexicon: Lexicon) -> bool:
    """Whether a segment says who writes, as 佐藤です does behind a greeting."""
    match = _SELF_INTRODUCTION.fullmatch(segment)
    return bool(match and segment not in lexicon.approve and is_harmless(match[1], lexicon))


def is_eastern(word: str, lexicon: Lexicon) -> bool:
    """Whether a word is a name in kana or ideographs, with an honorific or without."""
    bare = word
    for honorific in lexicon.honorifics:
        bare = bare.removesuffix(honorific) or bare
    return not word.startswith(ODD) and len(bare) <= LONGEST_SIGNED_NAME and bool(_KANA_OR_HAN.fullmatch(bare))
