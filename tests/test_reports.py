"""A failure that pytest can't show with its source is reported all the same, and the run goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = """
import ast

def test_one(monkeypatch):
    def parse(*_):
        raise SystemError("AST constructor recursion depth mismatch")
    monkeypatch.setattr(ast, "parse", parse)
    assert 1 + 1 == 3

def test_two():
    pass
"""


def test_a_failure_whose_source_cannot_be_parsed_ends_nothing(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.conftest", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in done.stdout
    assert "assert (1 + 1) == 3" in done.stdout
