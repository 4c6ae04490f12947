"""What one segment of a line is: an answer, thanks, a greeting, a name, or something else."""

from __future__ import annotations

from notifiers.email.grammar.confusables import ODD, fold_known, skeleton
from notifiers.email.grammar.lexicon import Lexicon, Phrases
from notifiers.email.grammar.names import (
    MOST_NAME_WORDS,
    Names,
    greets_by_name,
    is_eastern,
    is_harmless,
    is_titled,
)

LONGEST_PHRASE = 10  # words
_NEVER_JOINED = frozenset({"si", "conforme"})  # "if" in two languages, and "as approved"; sí is another word

_GIVEN_NAMES = frozenset({"will", "may", "grant", "can"})  # other words, too: names where they are written like one


class Reader:
    """Reads the segments of one line. `written`: its words that are written like names."""

    def __init__(self, lexicon: Lexicon, names: Names, written: frozenset[str]) -> None:
        self.lexicon, self.names, self.written = lexicon, names, written
        self._tables: list[tuple[str, Phrases]] = [
            ("approve", lexicon.approve), ("reject", lexicon.reject), ("undo", lexicon.undo),
            ("thanks", lexicon.thanks),
            ("please", lexicon.please), ("closing", lexicon.closings), ("sorry", lexicon.sorry), ("own", lexicon.own),
            ("beside", lexicon.with_answer), ("greeting", lexicon.greetings),
        ]  # fmt: skip

    def kind_of(self, segment: str) -> str:
        """What one segment between full stops and commas is."""
        for kind, table in self._tables:
            if segment in table:
                return f"{kind} order" if segment in self.lexicon.orders else kind
        if segment.count(" ") > LONGEST_PHRASE + MOST_NAME_WORDS:
            return "other"
        if self.names.guesses and (is_titled(segment, self.lexicon) or greets_by_name(segment, self.lexicon)):
            return "address"
        return self._with_name(segment.split(" ")) or self._with_more(segment.split(" ")) or "other"

    def _with_name(self, spoken: list[str]) -> str:
        if len(spoken) <= MOST_NAME_WORDS and all(map(self.names.knows, spoken)):
            return "name"
        for count in range(len(spoken) - 1, 0, -1):
            opening, name = " ".join(spoken[:count]), spoken[count:]
            if opening in self.lexicon.greetings:
                return self._greeted(name)
            known = len(name) <= MOST_NAME_WORDS and all(map(self.names.knows, name))
            if opening in self.lexicon.thanks and (known or (len(name) == 1 and self._may_be_name(name[0]))):
                return "thanks"
            if opening in self.lexicon.closings and known:
                return "closing"
        titled = any(word in self.lexicon.titles for word in spoken)
        return "address" if titled and self._is_person(spoken) else ""

    def _greeted(self, name: list[str]) -> str:
        name = [word for word in name if word not in self.lexicon.and_] if len(name) > 1 else name
        if self._is_person(name):
            return "address"
        odd = len(name) == 1 and name[0].startswith(ODD) and is_harmless(name[0], self.lexicon)
        return "stranger" if odd and self.names.guesses else ""

    def _is_person(self, name: list[str]) -> bool:
        bare = [word for word in name if word not in self.lexicon.titles]
        if len(bare) > MOST_NAME_WORDS:
            return False
        return all(self.names.knows(word) or self._may_be_name(word, alone=len(bare) == 1) for word in bare)

    def _may_be_name(self, word: str, *, alone: bool = False) -> bool:
        """Whether an unknown word may be a name: written like one, or the one word behind a greeting."""
        if not self.names.guesses or not (word in _GIVEN_NAMES or is_harmless(word, self.lexicon)):
            return False
        alone = alone and word not in _GIVEN_NAMES
        letters = skeleton(word).replace("-", "").replace("'", "")
        return (alone or fold_known(word) in self.written) and (letters.isascii() or is_eastern(word, self.lexicon))

    def _with_more(self, spoken: list[str]) -> str:
        """An answer and what may stand beside it unparted, or two that say yes ("yes approved").

        Two that say no may cancel out ("no rechazar"), and two of different languages may mean something else in one.
        """
        if self.lexicon.answering_words.isdisjoint(map(fold_known, spoken)):
            return ""
        for count in range(1, len(spoken)):
            opening, rest = " ".join(spoken[:count]), " ".join(spoken[count:])
            if self._says_yes_twice(opening, rest):
                return "approve"
            for said, beside, after in ((opening, rest, True), (rest, opening, False)):
                kind = "approve" if said in self.lexicon.approve else "reject" if said in self.lexicon.reject else ""
                if kind and self._goes_with(kind, said, beside.split(" "), after=after):
                    asks = beside in self.lexicon.please and said in self.lexicon.bare_verbs
                    return f"{kind} order" if said in self.lexicon.orders or asks else kind
        return ""

    def _goes_with(self, kind: str, said: str, beside: list[str], *, after: bool) -> bool:
        text = " ".join(beside)
        if text in self.lexicon.own or (kind == "reject" and text in self.lexicon.sorry):
            return True
        if not after:
            return False
        if beside[0] in self.lexicon.by and len(beside) > 1:
            return self.names.is_sender(beside[1:])
        tables = (self.lexicon.please, self.lexicon.with_answer, self.lexicon.thanks, self.lexicon.closings)
        return any(text in table for table in tables) or self._with_name(beside) == "thanks"

    def _says_yes_twice(self, one: str, other: str) -> bool:
        if one in _NEVER_JOINED or other in _NEVER_JOINED:
            return False
        return any(one in table and other in table for table in self.lexicon.approve_by_language.values())
