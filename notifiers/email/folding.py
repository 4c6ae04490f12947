"""Text folded so loosely that every way to write a mark of structure comes out alike.

For what stands around an answer (a quote's introduction, a forward's banner, an absence's subject), where taking too
much for such a mark decides nothing. Never for the answer itself: there a disguise must stay one.
"""

from __future__ import annotations

import unicodedata

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−⎯─━﹘﹣－"), "-") | {ord("ı"): "i", ord("："): ":"}


def loose(text: str) -> str:
    """Fold case, accents, width, dashes and spaces, and drop what is not shown."""
    if not text.isascii():
        parted = unicodedata.normalize("NFKD", text.translate(_DASHES).casefold())
        text = "".join(c for c in parted if unicodedata.category(c) not in ("Mn", "Cf"))
    return " ".join(text.casefold().split())


def phrases(text: str) -> tuple[str, ...]:
    """A table of phrases parted by `|`, folded like the text they are looked for in."""
    return tuple(loose(part) for part in text.split("|"))
