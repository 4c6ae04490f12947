"""Writes lines for a program that must not wait for its output: a full pipe or a stuck log holds up nobody."""

import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress

# A few megabytes at most, which is hours of a gate's output.
MOST_LINES = 10_000
# How long the output may take for the last lines, when the program ends.
LAST_SECONDS = 1.0
LEFT_OUT = "{} lines were left out here: whatever reads the output of this program was too slow."


def as_line(text: str) -> str:
    """The text as a line of its own."""
    return f"{text}\n"


class LineWriter:
    """Writes lines in a thread of its own, and leaves out what its queue has no room for.

    It writes to the file descriptor itself: a thread that hangs within `sys.stderr` would keep Python from ending.
    """

    def __init__(self, descriptor: int, line_of: Callable[[str], str] = as_line, most: int = MOST_LINES) -> None:
        """`line_of` makes a line from a text; `most`: how many lines may wait to be written."""
        self._descriptor, self._line_of = descriptor, line_of
        self._lines: queue.Queue[str | None] = queue.Queue(most)
        self._left_out = 0
        self._thread = threading.Thread(target=self._write_all, daemon=True)
        self._thread.start()

    def say(self, text: str) -> None:
        """Have a line with this text written."""
        self.write(self._line_of(text))

    def write(self, line: str) -> None:
        """Have a line written, after a notice of how many were left out, if any; handlers of `logging` call this."""
        notice = self._line_of(LEFT_OUT.format(self._left_out)) if self._left_out else ""
        try:
            self._lines.put_nowait(notice + line)
        except queue.Full:
            self._left_out += 1
        else:
            self._left_out = 0

    def close(self) -> None:
        """End the thread once it has written the waiting lines, if the output accepts them in time."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=LAST_SECONDS)
            self._thread.join(LAST_SECONDS)

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            data = line.encode(errors="backslashreplace")
            with suppress(OSError):  # the reader is gone, or the disk is full; the next line may succeed
                while data:
                    data = data[os.write(self._descriptor, data) :]
