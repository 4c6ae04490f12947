"""What one segment of a line is: an answer, thanks, a greeting, a name that the directory knows, or something else."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from notifiers.email.folding import fold, fold_known
from notifiers.email.grammar.lexicon import Lexicon

LONGEST_PHRASE = 10  # words
MOST_NAME_WORDS = 4

_PIECES = re.compile(r"[-'.]")
# What follows a name in a display name, such as "(back Monday)" or "| Acme", is no part of it.
_END_OF_NAME = re.compile(r"[(\[{|/<>@\d:;]| - | – ")


class Names(NamedTuple):
    """The folded words of the names that an answer may be signed with or addressed to."""

    sender: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()

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


class Reader(NamedTuple):
    """Reads the segments of lines."""

    lexicon: Lexicon
    names: Names

    def kind_of(self, segment: str) -> str:
        """What one segment between full stops and commas is."""
        kind = next((kind for kind, table in self.lexicon.kinds.items() if segment in table), "")
        if kind:
            return f"{kind} order" if segment in self.lexicon.orders else kind
        spoken = segment.split(" ")
        if len(spoken) > LONGEST_PHRASE + MOST_NAME_WORDS:
            return "other"
        return self._with_name(spoken) or self._with_more(spoken) or "other"

    def _with_name(self, spoken: list[str]) -> str:
        words = self.lexicon
        if self._is_known(spoken):
            return "name"
        openings = {"address": words.greetings, "thanks": words.thanks, "sorry": words.sorry, "closing": words.closings}
        for count in range(len(spoken) - 1, 0, -1):
            opening = " ".join(spoken[:count])
            kind = next((kind for kind, table in openings.items() if opening in table), "")
            if kind and self._is_person(spoken[count:]):
                return kind
        titled = any(word in words.titles or self._untitled(word) != word for word in spoken)
        return "address" if titled and self._is_person(spoken) else ""

    def _is_known(self, name: list[str]) -> bool:
        return len(name) <= MOST_NAME_WORDS and all(map(self.names.knows, name))

    def _is_person(self, name: list[str]) -> bool:
        """Whether these are known names, with titles or without, or titles alone."""
        bare = [word for word in name if word not in self.lexicon.titles and word not in self.lexicon.and_]
        return self._is_known(list(map(self._untitled, bare)))

    def _untitled(self, word: str) -> str:
        """A word without the honorific or greeting that is written together with a name, as in 田中様 or 王经理您好."""
        for each in self.lexicon.written_with_names if not word.isascii() else ():
            word = word.removesuffix(each) or word
            word = word.removeprefix(each) or word
        return word

    def _with_more(self, spoken: list[str]) -> str:
        """The kind of an answer with something beside it and no comma between, or of two approvals ("yes approved").

        Two that say no may cancel out ("no rechazar"), and two of different languages may mean something else in one.
        """
        words = self.lexicon
        if words.answering_words.isdisjoint(map(fold_known, spoken)):
            return ""
        for count in range(1, len(spoken)):
            opening, rest = " ".join(spoken[:count]), " ".join(spoken[count:])
            twice = any(opening in table and rest in table for table in words.approve_by_language.values())
            if twice and opening not in words.conditions and rest not in words.conditions:
                return "approve"
            for phrase, beside, after in ((opening, rest, True), (rest, opening, False)):
                kind = "approve" if phrase in words.approve else "reject" if phrase in words.reject else ""
                if kind and self._goes_with(kind, phrase, beside, after=after):
                    asks = beside in words.please and phrase in words.bare_verbs
                    return f"{kind} order" if phrase in words.orders or asks else kind
        return ""

    def _goes_with(self, kind: str, phrase: str, text: str, *, after: bool) -> bool:
        words, beside = self.lexicon, text.split(" ")
        if text in words.own or (kind == "reject" and text in words.sorry):
            return True
        if not after:
            return False
        if beside[0] in words.by and len(beside) > 1:
            return self.names.is_sender(beside[1:])
        tables = (words.please, words.with_answer, words.thanks, words.closings)
        spoken_to = self._is_known(beside) and phrase not in words.bare_verbs and phrase not in words.orders
        return spoken_to or any(text in table for table in tables) or self._with_name(beside) == "thanks"
