"""A Temporal server with a database goes on where it was after a restart."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from temporalio.client import Client

from sandbox.temporal_server import TemporalServer
from tests.temporal_servers import TemporalInThread
from tests.workflows.deployment import new_namespace

FAILS_ONCE = """
TRIED = []

def test_it_fails_at_first():
    TRIED.append("once")
    assert len(TRIED) == 2
"""


async def test_a_server_that_is_started_anew_knows_what_it_knew(tmp_path: Path) -> None:
    async with TemporalServer(tmp_path / "temporal.db") as server:
        before, pid = server.address, server.pid
        name = await new_namespace(server.address)
        await server.restart()
        assert (server.address, server.pid != pid) == (before, True)
        client = await Client.connect(server.address, namespace=name)
        assert await client.count_workflows("") is not None
        assert await new_namespace(server.address) != name


async def test_whoever_uses_a_server_of_the_tests_may_have_it_started_anew(tmp_path: Path) -> None:
    with TemporalInThread(tmp_path) as server:
        before, name = server.address, await new_namespace(server.address)
        await asyncio.to_thread(lambda: asyncio.run(server.restart()))
        client = await Client.connect(server.address, namespace=name)
        assert (server.address, await client.count_workflows("") is not None) == (before, True)


def test_a_test_that_fails_as_the_server_is_broken_runs_again_with_a_new_one() -> None:
    ran = run(Path(__file__).with_name("broken_once.py"), is_whole=False)
    assert (ran.returncode, "1 passed, 1 flaky" in ran.stdout) == (0, True), ran.stdout
    assert ran.stderr.count("Temporal's server was broken, so it runs again") == 1
    assert "AssertionError: the server is broken" in ran.stdout


@pytest.mark.parametrize(
    ("name", "is_whole", "ends"),
    [
        ("test_others.py", True, (0, "1 flaky")),
        ("test_others.py", False, (1, "1 failed")),
        ("test_kills.py", True, (1, "1 failed")),
    ],
)
def test_another_that_fails_runs_again_in_ci_alone_unless_once_is_too_often(
    tmp_path: Path, name: str, is_whole: bool, ends: tuple[int, str]
) -> None:
    file = tmp_path / name
    file.write_text(FAILS_ONCE)
    ran = run(file, "-p", "tests.run_again", "-n1", is_whole=is_whole)
    code, summary = ends
    assert (ran.returncode, summary in ran.stdout, "assert 1 == 2" in ran.stdout) == (code, True, True), ran.stdout


def run(file: Path, *options: str, is_whole: bool) -> subprocess.CompletedProcess[str]:
    """Run tests of a file, as CI does or as `make test` does."""
    others = {name: value for name, value in os.environ.items() if name != "COUNTERSIGN_TEST_WHOLE"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(file)]
    variables = others | ({"COUNTERSIGN_TEST_WHOLE": "1"} if is_whole else {})
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
