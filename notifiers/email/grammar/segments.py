"""What one segment of a line is: an answer, thanks, a greeting, a name, or something else."""

from notifiers.email.grammar.folded import fold_known, has_other_letters
from notifiers.email.grammar.lexicon import Lexicon, Phrases, is_eastern
from notifiers.email.grammar.names import MOST_NAME_WORDS, Names

LONGEST_PHRASE = 10  # words
LONGEST_SIGNED_NAME = 6  # ideographs or kana, without the honorific


class Reader:
    """Reads the segments of one line, `shown` as it is written."""

    def __init__(self, lexicon: Lexicon, names: Names, shown: str) -> None:
        self.lexicon, self.names = lexicon, names
        words = (word.strip(" ,.!:，。！：、") for word in shown.split())
        self._capitalized = {fold_known(word) for word in words if word[:1].isupper() and word[1:2].islower()}
        self._tables: list[tuple[str, Phrases]] = [
            ("approve", lexicon.approve), ("reject", lexicon.reject), ("undo", lexicon.undo),
            ("thanks", lexicon.thanks), ("please", lexicon.please), ("closing", lexicon.closings),
            ("sorry", lexicon.sorry), ("own", lexicon.own), ("beside", lexicon.with_answer),
            ("greeting", lexicon.greetings),
        ]  # fmt: skip

    def kind_of(self, segment: str) -> str:
        """What one segment between full stops and commas is."""
        for kind, table in self._tables:
            if segment in table:
                return f"{kind} order" if segment in self.lexicon.orders else kind
        spoken = segment.split(" ")
        if len(spoken) > LONGEST_PHRASE + MOST_NAME_WORDS:
            return "other"
        return self._with_name(spoken) or self._with_more(spoken) or "other"

    def _with_name(self, spoken: list[str]) -> str:
        if self._is_known(spoken):
            return "name"
        for count in range(len(spoken) - 1, 0, -1):
            opening, name = " ".join(spoken[:count]), spoken[count:]
            if opening in self.lexicon.greetings:
                return "address" if self._is_person(name) else ""
            for kind, table in (("thanks", self.lexicon.thanks), ("sorry", self.lexicon.sorry)):
                if opening in table and self._is_person(name):
                    return kind
            if opening in self.lexicon.closings and self._is_known(name):
                return "closing"
        titled = any(word in self.lexicon.titles or self._untitled(word) != word for word in spoken)
        return "address" if titled and self._is_person(spoken) else ""

    def _is_known(self, name: list[str]) -> bool:
        return len(name) <= MOST_NAME_WORDS and all(map(self.names.knows, name))

    def _is_person(self, name: list[str]) -> bool:
        bare = [word for word in name if word not in self.lexicon.titles and word not in self.lexicon.and_]
        return len(bare) <= MOST_NAME_WORDS and all(map(self._is_name, bare))

    def _is_name(self, word: str) -> bool:
        """Whether a word is a known name, with an honorific or without; or a guess may take it for one."""
        bare = self._untitled(word)
        if self.names.knows(bare) or not self.names.guesses:
            return self.names.knows(bare)
        if is_eastern(word):
            return bare != word and len(bare) <= LONGEST_SIGNED_NAME and not self.lexicon.below.sign_in(bare)
        plain = fold_known(word)
        readable = plain.isascii() or has_other_letters(plain)  # "nøt" may be read as "not"
        return readable and plain.isalpha() and plain in self._capitalized and not self.lexicon.turns(plain)

    def _untitled(self, word: str) -> str:
        """A word without the honorific or greeting that is written together with a name, as in 田中様 or 王经理您好."""
        for each in self.lexicon.written_with_names if not word.isascii() else ():
            word = word.removesuffix(each) or word
            word = word.removeprefix(each) or word
        return word

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
        spoken_to = self._is_known(beside) and said not in self.lexicon.bare_verbs and said not in self.lexicon.orders
        return spoken_to or any(text in table for table in tables) or self._with_name(beside) == "thanks"

    def _says_yes_twice(self, one: str, other: str) -> bool:
        if one in self.lexicon.conditions or other in self.lexicon.conditions:
            return False
        return any(one in table and other in table for table in self.lexicon.approve_by_language.values())
