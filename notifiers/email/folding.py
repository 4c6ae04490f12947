"""How text is folded to be compared with tables, and the tables of marks.

Loosely (`loose`) for what stands around an answer (an attribution line, a forward's banner, an absence's subject):
taking too much for such a mark decides nothing. Strictly (`fold`) for the answer itself: only differences that people
really write are folded, such as case and width, so that a disguise is still recognised.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

# UNSURE stands before what is shown but can't be read as text, or may not be shown at all; DISPLACED stands where
# something may be shown over, or above, what stands before it.
UNSURE, DISPLACED = "\ufffc", "\ufdd0"

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−⎯─━﹘﹣－"), "-") | {
    ord("ı"): "i", ord("："): ":", ord("’"): "'", ord(UNSURE): None, ord(DISPLACED): None,
    0xFDFA: "ص", 0xFDFB: "ج",  # which Unicode takes apart into whole sentences, slow to fold by the thousand
}  # fmt: skip


@lru_cache(maxsize=4_096)
def loose(text: str) -> str:
    """Fold case, accents, width, dashes and spaces, and drop what is not shown."""
    if not text.isascii():
        parted = unicodedata.normalize("NFKD", text.translate(_DASHES).casefold())
        text = "".join(c for c in parted if unicodedata.category(c) not in ("Mn", "Cf"))
    return " ".join(text.casefold().split())


def read_toml(name: str) -> dict[str, Any]:
    """A file of data beside this one."""
    return tomllib.loads((Path(__file__).parent / f"{name}.toml").read_text(encoding="utf-8"))


def table(name: str) -> dict[str, tuple[str, ...]]:
    """A file of tables, its phrases folded like the text they are looked for in."""
    return {key: tuple(map(loose, phrases)) for key, phrases in read_toml(name).items()}


def any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    """A pattern for any of these folded phrases, not right behind a Latin letter; ` * ` means a few words or none."""
    ways = (re.escape(phrase).replace(r"\ \*\ ", r"\ (?:.{1,60}?\ )?") for phrase in phrases)
    return re.compile(rf"(?<![a-z])(?:{'|'.join(ways)})")


CLIENTS, MACHINES = table("clients"), table("machines")

# Letters of the languages in the tables, and full-width Latin. No compatibility forms: those are look-alikes.
_LETTERS = re.compile(r"[A-Za-zÀ-ÖØ-öø-žぁ-ゖァ-ヺー々一-鿿Ａ-Ｚａ-ｚ]+")
_TWO_WIDTHS = re.compile(r"[Ａ-Ｚａ-ｚ][A-Za-z]|[A-Za-z][Ａ-Ｚａ-ｚ]")
_WIDE: dict[int, str] = {0xFF01 + i: chr(0x21 + i) for i in range(94)} | {
    ord(mark): plain for marks, plain in {"。｡": ". ", "、､，": ", ", "！": "! ", "…": "...", "\u3000": " "}.items()
    for mark in marks
}  # fmt: skip
# What keyboards and editors write for an apostrophe.
_APOSTROPHES = dict.fromkeys(map(ord, "’‘ʼ´`"), "'")
_ACCENTED = re.compile("[À-ž]")
_NEVER_SHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FILLERS = frozenset(f"\u115f\u1160\u3164\uffa0{UNSURE}")  # letters that show nothing, and what may not be shown


def fold(text: str) -> str | None:
    """Fold a line. None if it has invisible characters, mixed widths, or other letters that fold into known ones."""
    text = text.translate(_APOSTROPHES).replace("i\u0307", "i")  # which is how programs write a small İ
    return None if any(map(_is_disguised, text)) or _TWO_WIDTHS.search(text) else fold_case(text)


def fold_case(text: str) -> str:
    """Fold case, width, apostrophes and spaces of text without disguises, such as tables and quoted lines."""
    plain = text.translate(_WIDE).translate(_APOSTROPHES).casefold().replace("i\u0307", "i")
    return " ".join(unicodedata.normalize("NFC", plain).split())


def fold_known(text: str) -> str:
    """The same without accents on Latin letters."""
    return without_accents(fold_case(text))


def without_accents(folded: str) -> str:
    """A folded text without accents on Latin letters."""
    if folded.isascii():
        return folded
    plain = folded.replace("ı", "i").replace("ł", "l")
    return _ACCENTED.sub(lambda letter: unicodedata.normalize("NFD", letter[0])[0], plain)


def is_blank(text: str) -> bool:
    """Whether a line shows nothing at all."""
    return all(c.isspace() or unicodedata.category(c) == "Cf" for c in text)


def has_other_letters(text: str) -> bool:
    """Whether a text has letters, or marks on them, that none of the tables' languages writes."""
    return any(unicodedata.category(c)[0] in "LM" and not _LETTERS.match(c) for c in unicodedata.normalize("NFC", text))


def _is_disguised(char: str) -> bool:
    if char.isascii():
        return not char.isprintable() and char != "\t"
    category = unicodedata.category(char)
    looks_alike = category[0] == "L" and not _LETTERS.match(char) and _LETTERS.fullmatch(char.casefold()) is not None
    return category in _NEVER_SHOWN or char in _FILLERS or looks_alike
