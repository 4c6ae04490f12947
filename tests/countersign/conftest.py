"""Fixtures: a whole installation, and its command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from countersign.cli import main
from tests.countersign.installation import Installation, Ran, Run, installed
from tests.countersign.scripted import Server
from tests.local_servers import answering


@pytest.fixture(autouse=True)
def no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore the login that whoever runs the tests may have."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(scope="session")
def installation(temporal_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A worker and a portal on the real Temporal server."""
    with installed(temporal_address, tmp_path_factory.mktemp("cli")) as running:
        yield running


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `countersign` with these arguments."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(one) for one in arguments])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run


@pytest.fixture
def by(installation: Installation, command: Run) -> Run:
    """Runs a command as somebody: `by("alice", "list")`."""

    def run(who: str, *arguments: object) -> Ran:
        return command(*arguments, "--url", installation.url, "--token", installation.tokens.get(who, ""))

    return run


@pytest.fixture
def server() -> Iterator[Server]:
    with answering(Server()) as running:
        yield running
