"""Text folded so loosely that every way to write a mark of structure comes out alike, and the tables of such marks.

For what stands around an answer (an attribution line, a forward's banner, an absence's subject), where taking too much
for such a mark decides nothing. Never for the answer itself: there a disguise must stay one.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

# Stands before what is shown but can't be read as text, or may not be shown at all; and where something may be shown
# over, or above, what stands before it.
UNSURE, DISPLACED = "\ufffc", "\ufdd0"

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−⎯─━﹘﹣－"), "-") | {
    ord("ı"): "i", ord("："): ":", ord(UNSURE): None, ord(DISPLACED): None,
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
    """Any of these folded phrases, a Latin one not in the middle of a word; ` * ` in one stands for a few words."""
    ways = (re.escape(phrase).replace(r"\ \*\ ", r"\ (?:.{1,60}?\ )?") for phrase in phrases)
    return re.compile(rf"(?<![a-z])(?:{'|'.join(ways)})")


CLIENTS, MACHINES = table("clients"), table("machines")
