"""How log lines are written: whatever is put into one can't begin another. Used by the composition roots alone."""

import logging
import unicodedata

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# Control and direction characters, lone surrogates, and what some readers take for the end of a line.
UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Stands before each line of a traceback, so that none looks like a log line of its own.
CONTINUED = "  | "


def set_up(level: str) -> None:
    """Write the log to standard error, from this level on."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine(FORMAT))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def escaped(text: str) -> str:
    r"""The text on one line: line breaks and control characters as Python writes them, such as `\n`."""
    return "".join(_written(c) if unicodedata.category(c) in UNSAFE else c for c in text)


class OneLine(logging.Formatter):
    """One line for each record; the lines of a traceback follow, each with CONTINUED before it."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line itself."""
        return escaped(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback where there is one."""
        first, *more = super().format(record).splitlines()
        return "\n".join([first, *(CONTINUED + escaped(line) for line in more)])


def _written(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
