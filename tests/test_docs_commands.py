"""Every command, its options and every make target are in docs/commands.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.commands import COMMAND_LINES, commands

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "commands.md").read_text()


@pytest.mark.parametrize("called", COMMAND_LINES)
def test_every_command_is_documented(called: str, page: str) -> None:
    found = [command.words for command in commands(called)]
    assert found
    assert [words for words in found if not re.search(rf"`{re.escape(words)}\b", page)] == []


@pytest.mark.parametrize("called", COMMAND_LINES)
def test_every_option_is_documented(called: str, page: str) -> None:
    options = {option for command in commands(called) for option in command.options}
    assert {option for option in options if not re.search(rf"`{option}\b", page)} == set()


def test_no_command_is_documented_that_is_none(page: str) -> None:
    known = [command.words for called in COMMAND_LINES for command in commands(called)]
    written = re.findall(rf"^\| `((?:{'|'.join(COMMAND_LINES)}) [^`]+)`", page, re.MULTILINE)
    assert written
    assert [words for words in written if not any(f"{words} ".startswith(f"{each} ") for each in known)] == []


def test_every_make_target_is_documented(page: str) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "up", "test", "bench"} <= set(targets)
    assert [target for target in targets if f"`make {target}`" not in page] == []
