"""The names that may stand beside an answer: those that the directory knows of a request, or those in the headers."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from notifiers.email.grammar.folded import fold, fold_known

MOST_NAME_WORDS = 4

_PIECES = re.compile(r"[-'.]")
# What follows a name in a display name, such as "(back Monday)" or "| Acme", is no part of it.
_END_OF_NAME = re.compile(r"[(\[{|/<>@\d:;]| - | – ")


class Names(NamedTuple):
    """The folded words of the names that an answer may be signed by or speak to."""

    sender: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    # Nobody asked the directory: behind a greeting a word that is written like a name is one.
    guesses: bool = True

    def knows(self, word: str) -> bool:
        """Whether a name has this word, whole or in its pieces."""
        pieces = _pieces(word)
        return bool(pieces) and pieces <= self.sender | self.others

    def is_sender(self, words: Iterable[str]) -> bool:
        """Whether all these words are of the sender's own name."""
        pieces = frozenset[str]().union(*map(_pieces, words))
        return bool(pieces) and pieces <= self.sender


def words_of_name(name: str) -> frozenset[str]:
    """The folded words of one person's name, and its first letters; nothing of what is written behind it."""
    bare = _END_OF_NAME.split(name.strip(" \"'"))[0]
    words = (fold(word.strip(" ,.\"'")) for word in re.split(r"[\s,]+", bare)[: MOST_NAME_WORDS + 2])
    found = frozenset[str]().union(*(_pieces(word) for word in words if word))
    return found | {word[0] for word in found}


def _pieces(word: str) -> frozenset[str]:
    return frozenset(filter(None, _PIECES.split(fold_known(word))))
