"""Log lines: nothing that somebody sent can begin a line of its own or control a terminal."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from countersign.errors import Refused, Unavailable
from logs import CONTINUED, FORMAT, Json, OneLine

FORGED = "2026-01-01 00:00:00,000 INFO portal: #1 Approved"


def line_of(say: Callable[[logging.Logger], None], formatter: logging.Formatter | None = None) -> list[str]:
    """The lines that a handler writes when `say` logs something."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter or OneLine(FORMAT))
    logger = logging.Logger("tests")
    logger.addHandler(handler)
    say(logger)
    return written.getvalue().removesuffix("\n").split("\n")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029"])
def test_a_line_break_in_what_somebody_wrote_begins_no_line(end: str) -> None:
    (line,) = line_of(lambda log: log.warning("a comment: %s", f"fine{end}{FORGED}"))
    assert len(line.splitlines()) == 1
    assert line.endswith(FORGED)
    assert "a comment: fine\\" in line


@pytest.mark.parametrize("sent", ["\x1b[2J", "\x00", "\x9b31m", "\u202e", "\u200b", "\ud800"])
def test_nothing_steers_a_terminal(sent: str) -> None:
    (line,) = line_of(lambda log: log.warning("%s", sent))
    assert line.isprintable()


def test_what_is_harmless_is_written_as_it_is() -> None:
    (line,) = line_of(lambda log: log.info("Zoë schrieb: „läuft“ 日本 👍"))
    assert line.endswith("tests: Zoë schrieb: „läuft“ 日本 👍")


def test_a_traceback_is_kept_and_none_of_its_lines_looks_like_a_log_line() -> None:
    def fail(log: logging.Logger) -> None:
        try:
            raise ValueError(f"no\n{FORGED}\r{FORGED}")
        except ValueError:
            log.exception("it failed")

    first, *more = line_of(fail)
    assert first.endswith("ERROR tests: it failed")
    assert more[0] == f"{CONTINUED}Traceback (most recent call last):"
    assert all(line.startswith(CONTINUED) and len(line.splitlines()) == 1 for line in more)
    assert sum(FORGED in line for line in more) == 2


@pytest.mark.parametrize("message", ["", "\n"])
def test_an_empty_message_is_a_line_too(message: str) -> None:
    (line,) = line_of(lambda log: log.warning(message))
    assert "WARNING tests:" in line


def as_json(say: Callable[[logging.Logger], None]) -> dict[str, Any]:
    """The object that is written as JSON, on one line, when `say` logs something."""
    (line,) = line_of(say, Json())
    assert line.isascii()
    found: dict[str, Any] = json.loads(line)
    return found


def test_json_is_one_object_a_line_with_its_fields() -> None:
    fields = {"event": "answered", "approval_id": 1042}
    said = as_json(lambda log: log.info("#1042 answered\n%s", FORGED, extra={"fields": fields}))
    assert (said["level"], said["logger"], said["message"]) == ("info", "tests", f"#1042 answered\n{FORGED}")
    assert (said["event"], said["approval_id"]) == ("answered", 1042)
    assert datetime.fromisoformat(said["at"]).tzinfo is UTC


@pytest.mark.parametrize("write", [lambda say: line_of(say)[0], lambda say: as_json(say)["message"]])
@pytest.mark.parametrize(
    "token",
    [
        "cs_0123456789ab_00ff",
        f"cs_service_{'0f' * 36}",
        f"cs_provisioning_k0123456789ab_{'0f' * 36}",
        f"a1{'b' * 26}",
        "approvals+a1secret@example.com",
    ],
)
def test_no_token_is_written(write: Callable[..., str], token: str) -> None:
    said = write(lambda log: log.warning("refused: %s", token))
    assert "refused: " in said
    assert token not in said


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Unavailable("Temporal can't be reached."), ": Temporal can't be reached."),
        (Refused("no"), ": no"),
        (asyncio.CancelledError(), ": CancelledError"),
        (RuntimeError("no worker"), ""),
    ],
)
def test_what_is_expected_has_words_in_place_of_a_traceback(error: BaseException, message: str) -> None:
    def fail(log: logging.Logger) -> None:
        try:
            try:
                raise error
            except BaseException as cause:
                raise RuntimeError("an activity failed") from cause
        except RuntimeError:
            log.warning("it waits", exc_info=True)

    first, *more = line_of(fail)
    assert first.endswith(f"it waits{message}")
    assert bool(more) is (not message)
    said = as_json(fail)
    assert said["message"] == f"it waits{message}"
    assert ("traceback" in said) is (not message)
