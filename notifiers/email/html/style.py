"""What a CSS style says of how text is shown, and what of it can be told by words and lengths alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from notifiers.email.html.values import NEUTRAL, pixels

LARGEST_SHIFT = 500.0
LARGEST_BOUND = 50.0  # of borders and their like
LARGEST_NUDGE = 5.0

WORD = re.compile(r"[^ (]+(?:\([^()]*\))?")


Reader = Callable[["Style", str], bool]  # says in the style what a value means, and whether that can be told


@dataclass
class Style:
    """What one style says. Not to be changed once read; an empty value says nothing."""

    hides: bool = False  # `display: none`
    vanishes: bool = False  # shows its text to nobody, in a program that obeys
    shows: bool = False  # again, what an element around it hides
    flat: bool = False  # the same, of an element in lines of its own
    strikes: bool = False
    decorates: bool = False  # says whether text is struck, or underlined
    odd: bool = False  # something in it can't be told
    dim: bool = False  # may keep its own text from being seen
    moves: bool = False  # may stand over, or above, what is shown before it
    lifted: str = ""  # "relative", "absolute", or "fixed"
    floats: bool = False
    ink: str = ""
    paper: str = ""
    size: str = ""
    keeps_lines: bool | None = None
    display: str = ""
    left: float = 0.0  # pixels to the right, or left
    variables: frozenset[str] = frozenset()  # set here
    uses: frozenset[str] = frozenset()
    important: bool = False
    sure: bool = False  # of a rule: applies wherever its one name stands, unless another rule does
    says: bool = False  # anything beyond what is harmless


def is_bounded(style: Style, value: str) -> bool:
    """Whether a value is of words, colours and short lengths."""
    for word in WORD.findall(value):
        if word.startswith("var("):
            style.uses |= {word[4:-1].partition(",")[0].strip()}
        elif "\\" in word or ("(" in word and not word.startswith(("rgb", "hsl"))):
            return False
        size = pixels(word) if word[0] in "+-.0123456789" else 0.0
        if size is None or not -LARGEST_NUDGE <= size <= (LARGEST_SHIFT if "%" in word else LARGEST_BOUND):
            return False
    return True


def only(*values: str) -> Reader:
    """A reader of what is harmless with these words, or those that mean nothing."""
    return lambda style, value: value in values or value in NEUTRAL


def within(low: float, high: float) -> Reader:
    """A reader of what is harmless with lengths of so many pixels."""

    def read(style: Style, value: str) -> bool:
        size = pixels(value)
        return size is not None and low <= size <= high

    return read
