"""Makes values safe for Slack: all that a template prints passes through here, so that none mentions or links.

Slack's own rule is to escape & < > (https://docs.slack.dev/messaging/formatting-message-text#escaping). Its marks for
bold, italic, struck out, code and emoji have no escape, so in a value each is replaced by another character.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from countersign import times
from countersign.models import without_controls

# The longest value, escaped. Honest ones are far shorter, and a longer one would hide the rest.
LONGEST_VALUE = 200
LONGEST_NAME = 80
# How many names a list says before it counts the others.
MOST_NAMES = 6

_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ALIKE = {"*": "∗", "~": "∼", "`": "ˋ"}
# An underscore within a word is no mark: ids and addresses keep theirs.
_MARK = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_EMOJI = re.compile(r":(?=[\w'+-]+:)")


class Ready(str):
    """Text in Slack's markup, ready to be printed as it is."""

    __slots__ = ()


def length(text: str) -> int:
    """How long a text is for Slack, at most: it counts characters, and one beyond the 16-bit plane may be two."""
    return len(text) + sum(character > "\uffff" for character in text)


def one_line(value: object, longest: int = LONGEST_VALUE) -> str:
    """A value on one line: without control and direction characters, and cut if its escaped form is too long."""
    return cut(" ".join(without_controls(str(value)).split()), longest, _escaped_length)


def marked_up(value: object, longest: int = LONGEST_VALUE) -> Ready:
    """A value within a sentence, unable to mention, link, format or break out of its line."""
    if isinstance(value, Ready):
        return value
    text = _MARK.sub("ˍ", one_line(value, longest))
    return Ready(_EMOJI.sub("∶", "".join(_ESCAPED.get(c) or _ALIKE.get(c, c) for c in text)))


def code(value: object, longest: int = LONGEST_VALUE) -> Ready:
    """An id or an address as code; a backtick, which would end it, is replaced."""
    text = one_line(value, longest)
    return Ready(f"`{''.join(_ESCAPED.get(c) or ('ˋ' if c == '`' else c) for c in text)}`" if text else "")


def several_lines(value: str, longest: int) -> str:
    """A person's text for a quote, where Slack reads no markup: its lines, without blank ones, cut."""
    lines = (" ".join(line.split()) for line in without_controls(value).splitlines())
    return cut("\n".join(filter(None, lines)), longest)


def name(written: str, person_id: str, longest: int = LONGEST_NAME) -> Ready:
    """Somebody's name, or their id if the directory has none."""
    return marked_up(one_line(written) or person_id, longest)


def moment(at: datetime) -> Ready:
    """A time that everybody reads in their own zone, or in UTC if Slack can't show it so.

    https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    return Ready(f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{times.moment(at)}>")


def listed(names: Sequence[Ready], most: int = MOST_NAMES) -> Ready:
    """Names in a sentence: `Grace and Heidi`, `Grace, Heidi and Ivan`, `Grace, Heidi and 12 others`."""
    shown = list(names) if len(names) <= most + 1 else [*names[:most], f"{len(names) - most} others"]
    *first, last = shown or [""]
    return Ready(f"{', '.join(first)} and {last}" if first else last)


def cut(text: str, longest: int, cost: Callable[[str], int] = length) -> str:
    """The text, or its beginning if its characters together cost more than `longest`."""
    room = longest
    for at, character in enumerate(text):
        room -= cost(character)
        if room < 0:
            return text[: max(at - 1, 0)] + "…"
    return text


def _escaped_length(character: str) -> int:
    return length(_ESCAPED.get(character, character))
