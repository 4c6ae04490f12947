"""The difference between two texts: exact for any texts, and quick even if thousands of lines differ."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.applying import large_policy
from countersign.policy.difference import difference, unified

# Few different lines, so that most of them are repeated.
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "  - d", "", "e: f"]), max_size=40).map("\n".join)


def rebuilt(old: str, new: str) -> list[str]:
    """The new text, rebuilt from the old one and the difference."""
    before, found, at = old.splitlines(), [], 0
    for part in difference(old, new):
        for line in part:
            if line.old is not None:
                found += before[at : line.old - 1]
                assert before[line.old - 1] == line.text
                at = line.old
            if line.sign != "-":
                found.append(line.text)
                assert new.splitlines()[(line.new or 0) - 1] == line.text
    return found + before[at:]


@given(TEXTS, TEXTS)
def test_the_new_text_is_the_old_one_with_what_differs(old: str, new: str) -> None:
    assert rebuilt(old, new) == new.splitlines()
    assert (difference(old, new) == []) == (old.splitlines() == new.splitlines())


@given(TEXTS, st.integers(0, 40), st.sampled_from(["a", "g"]))
def test_one_more_line_is_the_one_that_differs(old: str, place: int, line: str) -> None:
    before = old.splitlines()
    after = [*before[:place], line, *before[place:]]
    [part] = difference(*("".join(f"{one}\n" for one in lines) for lines in (before, after)))
    assert [one.text for one in part if one.sign != " "] == [line]


def test_it_is_printed_as_diff_prints_it(tmp_path: Path) -> None:
    if not shutil.which("patch"):
        pytest.skip("patch is not installed")
    old = "".join(f"line {n}\n" for n in range(60))
    new = old.replace("line 3\n", "line three\n").replace("line 40\n", "").replace("line 50\n", "line 50\nmore\n")
    (tmp_path / "policy").write_text(old)
    (tmp_path / "patch").write_text("\n".join(unified(difference(old, new), "policy", "policy")) + "\n")
    subprocess.run(["patch", "-s", "policy", "patch"], cwd=tmp_path, check=True, timeout=30)
    assert (tmp_path / "policy").read_text() == new
    assert unified(difference(old, old), "a", "b") == []


def test_thousands_of_different_lines_take_seconds_and_not_minutes() -> None:
    old = large_policy()
    started = time.process_time()
    parts = difference(old, old.replace("@example.test", "@example.org"))
    assert time.process_time() - started < 30
    assert sum(line.sign == "+" for part in parts for line in part) == 8_000
