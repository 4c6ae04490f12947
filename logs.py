"""How log lines are written, as text or JSON: one for each thing that happened, none forged, and no secret in any.

Used only by the composition roots.
"""

import asyncio
import json
import logging
import unicodedata
from datetime import UTC, datetime
from typing import Any, Literal

from countersign.errors import CountersignError
from countersign.redaction import masked

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# Control and direction characters, lone surrogates, and what some readers take for the end of a line.
UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Precedes each line of a traceback, so that none looks like a log line of its own.
CONTINUED = "  | "
# Errors that mean that Temporal's server is away, or that a client of the portal is gone.
GONE = {"RPCError", "ClientDisconnect"}
# Libraries that log each connection.
TALKATIVE = ("imapclient",)
# The key in `extra` of the fields that a JSON line has for programs.
FIELDS = "fields"


def set_up(level: str, kind: Literal["text", "json"] = "text") -> None:
    """Write the log to standard error, from this level on."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine(FORMAT) if kind == "text" else Json())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def escaped(text: str) -> str:
    r"""The text on one line: line breaks and control characters as Python writes them, such as `\n`."""
    return "".join(_written(c) if unicodedata.category(c) in UNSAFE else c for c in text)


class OneLine(logging.Formatter):
    """One line for each record; the lines of a traceback follow, each with CONTINUED before it."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line itself, with the message of an error that was expected."""
        return escaped(masked(super().formatMessage(record) + _why(record)))

    def formatException(self, ei: Any) -> str:
        """A traceback, but none for an error that was expected."""
        return "" if is_expected(ei[1]) else super().formatException(ei)

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback if there is one."""
        first, *more = super().format(record).splitlines()
        return "\n".join([first, *(CONTINUED + escaped(masked(line)) for line in more)])


class Json(logging.Formatter):
    """One JSON object in ASCII for each record: `at`, `level`, `logger`, `message`, its fields, and `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        """The object."""
        written: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(record.getMessage() + _why(record)),
            **{name: _masked(value) for name, value in getattr(record, FIELDS, {}).items()},
        }
        if record.exc_info and not is_expected(record.exc_info[1]):
            written["traceback"] = masked(self.formatException(record.exc_info))
        return json.dumps(written, default=str)


def is_expected(error: BaseException | None) -> bool:
    """Whether an error is not a bug: we raised it on purpose, the task was cancelled, or the other side is gone."""
    while error is not None:
        if isinstance(error, CountersignError | asyncio.CancelledError) or type(error).__name__ in GONE:
            return True
        error = error.__cause__
    return False


def _why(record: logging.LogRecord) -> str:
    """The message of an error that was expected, in place of its traceback."""
    error = record.exc_info[1] if record.exc_info else None
    if not is_expected(error):
        return ""
    while error and not isinstance(error, CountersignError) and error.__cause__:
        error = error.__cause__
    return f": {error}" if isinstance(error, CountersignError) else f": {type(error).__name__}"


def _masked(value: Any) -> Any:
    return masked(value) if isinstance(value, str) else value


def _written(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
