"""A Temporal server with a database goes on where it was after it was started anew."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from temporalio.client import Client

from sandbox.temporal_server import TemporalServer
from tests.temporal_servers import TemporalInThread
from tests.workflows.deployment import new_namespace


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
    tests = Path(__file__).with_name("broken_once.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, "2 passed" in ran.stdout) == (0, True), ran.stdout
    assert ran.stderr.count("so it runs again") == 1
