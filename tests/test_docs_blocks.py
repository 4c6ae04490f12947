"""The code blocks of the pages work: commands parse, their programs know the options, Python imports."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from typer.main import get_command

from configuration import load
from portal.app import create_app
from portal.context import Plan
from tests.commands import COMMAND_LINES

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# The programs whose arguments are checked, and the others that appear.
OURS = {"countersign", "curl", "make", "python", "temporal"}
OTHERS = {".", "export", "git", "install", "openssl", "pg_dump"}
SETTING = re.compile(r"(COUNTERSIGN|TEMPORAL)_\w+=")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> Iterator[Block]:
    for page in PAGES:
        for token in MarkdownIt("commonmark").parse(page.read_text()):
            if token.type == "fence" and token.map:
                yield Block(str(page.relative_to(ROOT)), token.map[0] + 1, token.info, token.content)


BLOCKS = list(blocks())


def shell_lines(block: Block) -> Iterator[list[str]]:
    """The commands of a block, each as a list of words, without comments and redirections."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.split(" ")[0].removeprefix(".venv/bin/") in OURS | OTHERS and " " in line:
            words = shlex.split(line.replace("; ", " ; "), comments=True)
            while words:
                ends = [at for at, word in enumerate(words) if word in {"&&", ";"}]
                command, words = (words[: ends[0]], words[ends[0] + 1 :]) if ends else (words, [])
                yield command[: command.index(">")] if ">" in command else command


COMMANDS = [(block, words) for block in BLOCKS if not block.kind for words in shell_lines(block)]


def called(words: list[str]) -> tuple[str, list[str]] | None:
    """Which of our command lines this calls, and with which arguments."""
    words = [words[0].removeprefix(".venv/bin/"), *words[1:]]
    for line in COMMAND_LINES:
        parts = line.split()
        if words[: len(parts)] == parts:
            return line, words[len(parts) :]
    return None


@pytest.mark.parametrize(("block", "words"), COMMANDS, ids=[f"{block}-{words[0]}" for block, words in COMMANDS])
def test_a_command_can_be_typed_as_it_stands(block: Block, words: list[str], temporal_tool: Path) -> None:
    ours = called(words)
    if ours:
        _parses(*ours)
    elif words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif words[0] == "python" and words[1] == "-c":
        _imports(words[2])
    elif words[0] == "temporal":
        _has_options(temporal_tool, words[1:])
    elif words[0] == "curl":
        _is_answered(words)
    else:
        assert words[0] in OTHERS


def _parses(line: str, arguments: list[str]) -> None:
    command: Any = get_command(importlib.import_module(COMMAND_LINES[line]).app)
    while inner := getattr(command, "commands", None):
        command, arguments = inner[arguments[0]], arguments[1:]
    command.make_context(line, list(arguments))  # raises if an option or a value is wrong


def _has_options(tool: Path, words: list[str]) -> None:
    options = [word for word in words if word.startswith("--")]
    path = words[: words.index(options[0])]
    done = subprocess.run([tool, *path, "--help"], capture_output=True, text=True, check=True)
    assert [option for option in options if f"{option} " not in done.stdout] == []


def _is_answered(words: list[str]) -> None:
    [url] = [word for word in words if "/api/v1/" in word]
    path = re.sub(r"\b\d+\b", "{approval_id}", "/api/v1/" + url.partition("/api/v1/")[2].partition("?")[0])
    described = create_app(Plan("sqlite://", _nobody)).openapi()["paths"]
    assert ("post" if "-d" in words else "get") in described[path]


async def _nobody() -> Any:
    raise NotImplementedError


def _imports(code: str) -> None:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            for name in node.names:
                importlib.import_module(name.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []


def of_kind(kind: str) -> list[Block]:
    return [block for block in BLOCKS if block.kind == kind]


@pytest.mark.parametrize("block", of_kind("python"), ids=str)
def test_python_parses_and_imports_what_is_there(block: Block) -> None:
    _imports(block.text)


@pytest.mark.parametrize("block", of_kind("yaml"), ids=str)
def test_yaml_parses(block: Block) -> None:
    assert isinstance(yaml.safe_load(block.text), dict)


@pytest.mark.parametrize("block", [block for block in of_kind("") if SETTING.match(block.text)], ids=str)
def test_settings_are_taken(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(block.text)
    load()


def test_there_is_something_to_look_at() -> None:
    assert len(COMMANDS) > 25
    assert {called(words)[0] for _, words in COMMANDS if called(words)} == set(COMMAND_LINES)  # type: ignore[index]
