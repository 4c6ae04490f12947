"""Lines of text as they grow while a page is laid out."""

from __future__ import annotations

from notifiers.email import limits
from notifiers.email.folding import UNSURE


class Lines:
    """The lines of a page so far, quoted ones marked, and the one that has begun."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.depth = 0  # how many quotes are open
        self.parted = False  # something unsaid stands right here
        self._line: list[str] = []

    @property
    def begun(self) -> bool:
        """Whether something stands in the line that isn't ended yet."""
        return bool(self._line)

    def put(self, text: str, keeps: bool = False) -> None:
        """Go on with this text; a space at the start stays only where spaces are to be kept."""
        if not text:
            return
        if self.parted and self._line and self._line[-1][-1:].isalnum() and text[0].isalnum():
            self._line.append(UNSURE)  # a word that something unsaid splits is no word
        self.parted = False
        if text[0] == " " and (not self._line or self._line[-1].endswith(" ")) and not keeps:
            text = text[1:]
        if text:
            self._line.append(text)

    def end(self, forced: bool = False) -> None:
        """End the line; an empty one stays only where a line break was `forced`."""
        if self._line or forced:
            self.done.append(">" * self.depth + " " * bool(self.depth) + "".join(self._line).rstrip(" "))
        self._line = []
        self.parted = False

    def mark(self, line: str) -> None:
        """Put in a line of structure."""
        self.end()
        self.done.append(">" * self.depth + line)

    def put_as_is(self, text: str) -> None:
        """Go on with text whose spaces and ends of lines are shown."""
        first, *rest = text.split("\n", limits.MOST_LINES)[: limits.MOST_LINES]
        self.put(first, keeps=True)
        for line in rest:
            self.end(forced=True)
            self.put(line, keeps=True)
