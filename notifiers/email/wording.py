"""How values read in a mail: all that a template prints passes through here, so that none breaks out of its line."""

import textwrap
import unicodedata

from markupsafe import Markup

from countersign.models import without_controls

# Characters of any one value, and of a name: honest ones are far shorter, and a longer one would hide the rest.
LONGEST_VALUE = 300
LONGEST_NAME = 80
# Columns of quoted words: with our mark, and quoted three times, they still fit into 66, the narrowest width that RFC
# 3676 names. So no program wraps them, and no part of them ever stands in a reply without its quote mark.
QUOTED_WIDTH = 56


class Harmless(str):
    """Text that was made harmless line by line, and is neither cut nor put on one line. HTML in it is still escaped."""

    __slots__ = ()


def one_line(value: object, longest: int = LONGEST_VALUE) -> str:
    """A value on one line: without control and direction characters, and cut where it is longer than any honest one."""
    text = _harmless(str(value))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def name(written: str, person_id: str) -> str:
    """What to call somebody: their name, or their id where the directory has none."""
    return one_line(written, LONGEST_NAME) or person_id


def in_text(value: object) -> Markup:
    """What a text template prints for any value. No text is HTML, so nothing of it is escaped."""
    return Markup(value if isinstance(value, Markup | Harmless) else one_line(value))  # noqa: S704 - not for HTML


def in_html(value: object) -> str:
    """What an HTML template prints for any value, before it is escaped."""
    return value if isinstance(value, Markup | Harmless) else one_line(value)


def lines(text: str) -> list[Harmless]:
    """The lines of somebody's words, whole, without blank ones."""
    return [Harmless(clean) for line in text.splitlines() if (clean := _harmless(line))]


def _harmless(text: str) -> str:
    return " ".join(without_controls(text).split())


def quoted(text: str, indent: str = "") -> Harmless:
    """Somebody's words for a text mail: every line is marked, so that none can pass for one of ours.

    `indent` stands before what goes on from the line above.
    """
    wrapped = (piece for line in lines(text) for piece in textwrap.wrap(line, _width(line), subsequent_indent=indent))
    return Harmless("\n".join(f"  | {piece}" for piece in wrapped))


def column(name: str) -> Harmless:
    """The name of a fact in a text mail, as wide as all of them."""
    return Harmless(f"{name}:".ljust(13))


def _width(line: str) -> int:
    """How many characters of a line fill the columns: Chinese, Japanese and Korean ones take two each."""
    wide = not line.isascii() and any(unicodedata.east_asian_width(char) in "WF" for char in line)
    return QUOTED_WIDTH // 2 if wide else QUOTED_WIDTH


def listed(names: list[str]) -> str:
    """Names in a sentence: `Grace`, `Grace and Heidi`, `Grace, Heidi and Ivan`."""
    *first, last = names or [""]
    return f"{', '.join(first)} and {last}" if first else last
