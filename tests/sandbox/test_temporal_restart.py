"""A Temporal server with a database goes on where it was after it was started anew."""

from __future__ import annotations

from pathlib import Path

from temporalio.client import Client

from sandbox.temporal_server import TemporalServer
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
