"""Every command a person can type, read from the Typer apps themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from typer.main import get_command

# How each command line is called, and the module whose `app` it is.
COMMAND_LINES = {
    "countersign": "countersign.cli",
    "python -m portal": "portal.__main__",
    "python worker.py": "worker",
    "python -m sandbox": "sandbox.__main__",
}


@dataclass(frozen=True)
class Command:
    """One command: what to type, its long options, and the environment variables that can replace them."""

    words: str
    options: frozenset[str]
    variables: frozenset[str]


def commands(called: str) -> list[Command]:
    """All commands of one command line; raises ImportError if it isn't there."""
    return list(_within(called, get_command(import_module(COMMAND_LINES[called]).app)))


def _within(words: str, command: Any) -> Iterator[Command]:
    inner: dict[str, Any] = getattr(command, "commands", {})
    for name, each in inner.items():
        yield from _within(f"{words} {name}", each)
    names = [name for given in command.params for name in given.opts if name.startswith("--")]
    variables = [given.envvar for given in command.params if given.envvar]
    if not inner:
        yield Command(words, frozenset(names), frozenset(variables))
