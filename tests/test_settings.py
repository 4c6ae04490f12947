"""The defaults of settings that depend on the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

import settings
from settings import Settings

GIGABYTE = 10**9


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which Linux says how much memory a container may use; nothing else is set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COUNTERSIGN_CACHED_WORKFLOWS", raising=False)
    file = tmp_path / "memory.max"
    monkeypatch.setattr(settings, "LIMITS", (file, tmp_path / "not here"))
    return file


def test_as_many_workflows_are_kept_as_fit_into_a_quarter_of_the_containers_memory(limit: Path) -> None:
    limit.write_text(f"{GIGABYTE}\n")
    assert settings.memory() == GIGABYTE
    kept = Settings().cached_workflows
    assert kept * settings.WORKFLOW_BYTES <= GIGABYTE / 4 < (kept + 1) * settings.WORKFLOW_BYTES


@pytest.mark.parametrize("said", ["max\n", "9223372036854771712\n"], ids=["version 2", "version 1"])
def test_without_a_limit_the_machines_memory_counts(limit: Path, said: str) -> None:
    limit.write_text(said)
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
    assert settings.memory() == pytest.approx(int(total.split()[1]) * 1024, rel=0.01)


def test_a_number_that_is_set_counts(limit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_CACHED_WORKFLOWS", "1000")
    assert Settings().cached_workflows == 1000


def test_where_there_is_hardly_any_memory_one_is_kept() -> None:
    assert settings.workflows_that_fit(1000) == 1
