"""What is printed: a page for people, or with --json exactly one JSON value. No text is read as markup."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter
from rich.console import RenderableType
from rich.text import Text

from countersign.cli.exits import TITLES, Code
from countersign.console import console, show
from countersign.models import without_controls

__all__ = ["console", "json_text", "show", "show_error", "show_json", "show_result"]


def show_result(value: Any, page: RenderableType, as_json: bool) -> None:
    """Print the result of a command: the value for programs, or its page for people."""
    if as_json:
        show_json(value)
    else:
        show(page)


def show_json(value: Any, *, one_line: bool = False) -> None:
    """Print for programs."""
    print(json_text(value, one_line=one_line), flush=True)


def json_text(value: Any, *, one_line: bool = False) -> str:
    """A value for programs. ASCII only, so that nothing in it can steer a terminal."""
    plain = TypeAdapter(Any).dump_python(value, mode="json")
    return json.dumps(plain, indent=None if one_line else 2)


def show_error(code: Code, detail: str, as_json: bool, details: Mapping[str, Any] | None = None) -> Code:
    """Say what went wrong, on stderr, or with --json as a problem (RFC 9457) on stdout; returns the code."""
    if as_json:
        problem = {"title": TITLES[code], "detail": without_controls(detail), "exit_code": code}
        show_json({**(details or {}), **problem})
    else:
        label = "No" if code is Code.NO else TITLES[code]
        message = Text.assemble((f"{label}: ", "bold red"), without_controls(detail))
        console(stderr=True).print(message, soft_wrap=not sys.stderr.isatty())
    return code
