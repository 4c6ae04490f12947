"""The words of answers in the languages in use, from the files in `languages`."""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache, lru_cache
from itertools import chain, product
from pathlib import Path

from notifiers.email.folding import fold_case, read_toml, without_accents

LANGUAGES = Path(__file__).parent.parent / "languages"
CODES = tuple(sorted(path.stem for path in LANGUAGES.glob("*.toml")))
LONGEST_PHRASE = 6  # words
WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*'?")
_CHOICE = re.compile(r"\{([^}]*)\}")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


class Phrases:
    """A table of phrases. An accent may be left out, but a wrong one makes another word: "já" is no "ja"."""

    def __init__(self, phrases: Iterable[str] = ()) -> None:
        self._phrases = frozenset(each for phrase in phrases for each in _expanded(phrase))
        accented = (each.split(" ") for each in self._phrases if not each.isascii())
        ways = (product(*({word, without_accents(word)} for word in words)) for words in accented)
        self._written = self._phrases.union(map(" ".join, chain.from_iterable(ways)))
        self._dotted = frozenset(each.replace("ı", "i") for each in self._phrases)
        self.folded = frozenset(map(without_accents, self._phrases))
        forms = self._phrases | self.folded
        self.signs = sorted(filter(is_eastern, forms))  # no space separates these from the text around them
        self.plain = frozenset(form for form in forms if not form.endswith("*"))
        self._stems = tuple(form[:-1] for form in forms if form.endswith("*"))  # with any ending

    def __contains__(self, text: str) -> bool:
        return text in self._written or text.replace("ı", "i") in self._dotted

    def __iter__(self) -> Iterator[str]:
        return iter(self._phrases)

    def holds(self, text: str) -> bool:
        """Whether a text is one of them, with or without accents; with any ending where a phrase has `*`."""
        return text in self.plain or (" " not in text and text.startswith(self._stems))

    def sign_in(self, text: str) -> str:
        """The first of the signs in a text, or ""."""
        return next((sign for sign in self.signs if sign in text), "")


class Lexicon:
    """The tables of some languages, merged."""

    def __init__(self, codes: tuple[str, ...]) -> None:
        tables = {code: read_toml(f"{LANGUAGES.name}/{code}") for code in codes}

        def of(*keys: str, among: Collection[str] = codes) -> Phrases:
            return Phrases(phrase for code in among for key in keys for phrase in tables[code].get(key, ()))

        self.approve, self.reject = of("approve", "approve_orders"), of("reject", "reject_orders")
        self.approve_by_language = {code: of("approve", among=[code]) for code in codes}
        self.orders, self.bare_verbs = of("approve_orders", "reject_orders"), of("bare_verbs")
        self.before_no, self.mere_no, self.no_reject = of("before_no"), of("mere_no"), of("no_reject")
        self.undo, self._explicit, self.conditions = of("undo"), of("explicit"), of("conditions")
        self.ambiguous = Phrases() if len(codes) == 1 else of("ambiguous")
        self.greetings, self.thanks, self.closings = of("greetings"), of("thanks"), of("closings")
        self.please, self.own, self.by, self.with_answer = of("please"), of("own"), of("by"), of("with_answer")
        self.reject_by_language = {code: of("reject", "reject_orders", among=[code]) for code in codes}
        self.agreeing_by_language = {code: of("approve", "agrees", among=[code]) for code in codes}
        self.sorry, self.titles, self.and_ = of("sorry"), of("titles"), of("and")
        self.written_with_names = tuple(filter(is_eastern, (*self.greetings.folded, *of("honorifics").folded)))
        self.below, self.harmless_below = of("below"), of("harmless_below")
        self.below_in = {code: of("below_in_its_language", among=[code]) for code in codes}
        self.answers = self.approve.folded | self.reject.folded
        self.answering_words = frozenset(word for phrase in self.answers for word in phrase.split(" "))
        of_doubt = of("below", "below_in_its_language").folded
        self.below_words = frozenset(phrase.rstrip("*") for phrase in of_doubt if " " not in phrase)
        self.kinds = {  # of segments, the first that fits
            "approve": self.approve, "reject": self.reject, "undo": self.undo, "thanks": self.thanks,
            "please": self.please, "closing": self.closings, "sorry": self.sorry, "own": self.own,
            "beside": self.with_answer, "greeting": self.greetings,
        }  # fmt: skip

    def turns(self, word: str) -> bool:
        """Whether a word answers, or turns an answer."""
        return word in self.answers or word in self.below_words or self.below.holds(word)

    def agreeing(self, phrase: str) -> list[Phrases]:
        """What agrees behind a rejecting phrase: in its languages, and in English."""
        tables = self.reject_by_language.items()
        return [self.agreeing_by_language[code] for code, table in tables if phrase in table or code == "en"]

    def is_explicit(self, line: str) -> bool:
        """Whether a line holds a word that can only mean an answer, unlike "OK" below a mail that explains."""
        text = fold_case(line)
        return any(map(self._explicit.holds, WORD.findall(text))) or self._explicit.sign_in(text) != ""

    def languages_of(self, answer: str) -> set[str]:
        """The languages in which a phrase of an answer approves."""
        spoken = WORD.findall(answer)
        windows = [" ".join(spoken[at:end]) for at in range(len(spoken)) for end in range(at + 1, at + LONGEST_PHRASE)]
        return {code for code, table in self.approve_by_language.items() if any(each in table for each in windows)}


@lru_cache(maxsize=16)
def lexicon(codes: tuple[str, ...] = CODES) -> Lexicon:
    """The lexicon of these languages."""
    return Lexicon(codes)


def is_eastern(text: str) -> bool:
    """Whether a text begins with kana or an ideograph, as languages do that put no space between words."""
    return text[:1] >= "\u3040"


@cache  # as a phrase stands in several tables
def _expanded(phrase: str) -> Iterable[str]:
    pieces = _CHOICE.split(fold_case(phrase))  # text and choices take turns
    choices = [piece.split("/") if at % 2 else [piece] for at, piece in enumerate(pieces)]
    expanded = {" ".join("".join(chosen).split()) for chosen in product(*choices)} - {""}
    return expanded | {each.translate(_UMLAUTS) for each in expanded}
