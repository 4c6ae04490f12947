"""The letters that answers are written in: folded where people write them differently, marked where they are disguised.

Letters are compared without case and width, but only letters that the languages of the tables write: what merely looks
like an answer is none.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import groupby

# Stands before a word that no answer can be, for its letters; a name may be written so.
ODD = "\ufffd"

# Letters of the languages in the tables, and full-width Latin. No compatibility forms: those are look-alikes.
_LETTERS = re.compile(r"[A-Za-zÀ-ÖØ-öø-žぁ-ゖァ-ヺー々一-鿿Ａ-Ｚａ-ｚ]")
_WIDE = {0xFF01 + i: 0x21 + i for i in range(94)} | {
    0x3000: " ",
    0x3002: ". ",
    0xFF61: ". ",
    0x3001: ", ",
    0xFF64: ", ",
    0xFF0C: ", ",
    0xFF01: "! ",
    0x2026: "...",
}
# What keyboards and editors write for an apostrophe.
_APOSTROPHES = dict.fromkeys(map(ord, "’‘ʼ´`"), "'")
# Latin letters that have no accent to take off, as they are read by people.
_PLAIN = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ł": "l", "ŧ": "t", "ı": "i", "ŋ": "n", "þ": "th", "æ": "ae", "œ": "oe"}
)
_NEVER_SHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")  # letters that show nothing
_EASTERN = frozenset({"CJK", "HIRAGANA", "KATAKANA"})
MOST_MARKS = 2  # accents on one letter, as in Vietnamese


def fold(text: str) -> str | None:
    """Fold a line; words of other letters have ODD before them. None where something in it isn't shown as it is."""
    if text.isascii() and text.replace("\t", " ").isprintable():
        return fold_case(text)
    text = text.translate(_APOSTROPHES).replace("i\u0307", "i")  # which is how programs write a small İ
    if any((unicodedata.category(c) in _NEVER_SHOWN and c != "\t") or c in _FILLERS for c in text):
        return None
    if any(unicodedata.normalize("NFC", c) != c for c in text if not c.isascii()):
        return None
    pieces: list[str] = []
    for is_word, run in groupby(unicodedata.normalize("NFC", text), _is_of_a_word):
        piece = "".join(run)
        if not is_word and any(unicodedata.category(c) == "Sk" and not c.isascii() for c in piece):
            return None
        pieces.append(ODD + piece if is_word and not _is_known(piece) else piece)
    return fold_case("".join(pieces))


def fold_case(text: str) -> str:
    """Fold case, width, apostrophes and spaces of what holds no disguise, as tables and quoted lines do."""
    if text.isascii():
        return " ".join(text.replace("`", "'").casefold().split())
    plain = text.translate(_WIDE).translate(_APOSTROPHES).casefold().replace("i\u0307", "i")
    return " ".join(unicodedata.normalize("NFC", plain).split())


def fold_known(text: str) -> str:
    """The same without accents."""
    folded = fold_case(text)
    return folded if folded.isascii() else "".join(map(_bare, folded))


def is_blank(text: str) -> bool:
    """Whether a line shows nothing at all."""
    return all(c.isspace() or unicodedata.category(c) == "Cf" for c in text)


def skeleton(word: str) -> str:
    """A folded word as it is read by people: Latin letters without their strokes and accents."""
    parted = unicodedata.normalize("NFD", word.removeprefix(ODD))
    return "".join(c for c in parted if unicodedata.category(c) != "Mn").translate(_PLAIN)


def is_ordinary(word: str) -> bool:
    """Whether a folded word is written in one alphabet, with no more marks on a letter than languages put there."""
    letters = unicodedata.normalize("NFD", word.removeprefix(ODD))
    scripts = {unicodedata.name(c, "?").split(" ")[0].split("-")[0] for c in letters if c.isalpha()}
    scripts = (scripts - _EASTERN) | ({"EASTERN"} if scripts & _EASTERN else set())
    marks = [
        len(list(run)) for is_mark, run in groupby(letters, lambda c: unicodedata.category(c)[0] == "M") if is_mark
    ]
    struck = any(unicodedata.combining(c) == 1 for c in letters)  # an overlay, as in a struck-out letter
    return len(scripts) <= 1 and max(marks, default=0) <= MOST_MARKS and not struck


def _is_of_a_word(char: str) -> bool:
    return unicodedata.category(char)[0] in "LM"


def _is_known(word: str) -> bool:
    """Whether every letter is one of the tables' languages, and Latin is of one width."""
    if not all(map(_LETTERS.match, word)):
        return False
    wide = any("Ａ" <= c <= "ｚ" for c in word)
    return not (wide and any(c.isascii() or "À" <= c <= "ž" for c in word))


@lru_cache(maxsize=4096)
def _bare(char: str) -> str:
    """A Latin letter without its accent; any other character as it is."""
    if char in "ıł":
        return "i" if char == "ı" else "l"
    return unicodedata.normalize("NFD", char)[0] if "À" <= char <= "ž" else char
