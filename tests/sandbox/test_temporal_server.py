from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from sandbox.temporal_namespace import registered_search_attributes, retention
from sandbox.temporal_server import TemporalServer, free_port
from sandbox.temporal_tool import NoTemporal
from workflows import search_attributes

DEADLINE_SECONDS = 180


@pytest.fixture
def own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests start servers, whatever the developer's environment names."""
    for name in ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)


def answers(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


async def open_a_workflow(client: Client) -> None:
    described = TypedSearchAttributes(
        [
            SearchAttributePair(search_attributes.TARGET, "db-1"),
            SearchAttributePair(search_attributes.APPROVERS, ["grace", "linus"]),
        ]
    )
    await client.start_workflow("Nobody", id="open", task_queue="nobody", search_attributes=described)


@pytest.mark.usefixtures("own_server")
async def test_state_in_a_file_survives_a_restart(tmp_path: Path) -> None:
    database = tmp_path / "new" / "temporal.db"
    async with TemporalServer(database) as server:
        await open_a_workflow(await Client.connect(server.address))
    assert not answers(server.address)
    async with TemporalServer(database) as server:
        client = await Client.connect(server.address)
        found = await client.get_workflow_handle("open").describe()
        assert found.status == WorkflowExecutionStatus.RUNNING
        assert found.typed_search_attributes[search_attributes.APPROVERS] == ["grace", "linus"]
        assert await registered_search_attributes(client) == {key.name for key in search_attributes.ALL}
        assert await retention(client) >= timedelta(days=30)


async def test_a_given_server_is_used_and_none_started(temporal_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_address)
    messages: list[str] = []
    async with TemporalServer(say=messages.append) as server:
        assert server.address == temporal_address
        assert server.pid is None
    assert answers(temporal_address)
    assert "TEMPORAL_ADDRESS" in messages[0]


@pytest.mark.usefixtures("own_server")
async def test_the_namespace_of_the_environment_is_made_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "doors")
    async with TemporalServer() as server:
        client = await Client.connect(server.address, namespace="doors")
        assert await registered_search_attributes(client) == {key.name for key in search_attributes.ALL}
        assert await retention(client) >= timedelta(days=30)


@pytest.mark.usefixtures("own_server")
async def test_a_taken_port_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(NoTemporal, match="is taken"):
            await TemporalServer(port=taken.getsockname()[1]).__aenter__()


@pytest.mark.usefixtures("own_server")
async def test_a_server_that_ends_at_once_tells_why(tmp_path: Path) -> None:
    with pytest.raises(NoTemporal, match=r"ended at once: .+"):
        await TemporalServer(database=tmp_path).__aenter__()


@pytest.mark.usefixtures("own_server")
@pytest.mark.parametrize("sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.whole)])
async def test_in_the_foreground_it_ends_with_a_signal(tmp_path: Path, sent: signal.Signals) -> None:
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "sandbox.temporal_server", "--db", str(tmp_path / "t.db")]
    command += ["--port", address.split(":")[1], "--ui-port", str(free_port())]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, env=os.environ)
    assert process.stderr
    deadline = time.monotonic() + DEADLINE_SECONDS
    while b"answers at" not in await asyncio.wait_for(process.stderr.readline(), DEADLINE_SECONDS):
        assert time.monotonic() < deadline
    process.send_signal(sent)
    assert await asyncio.wait_for(process.wait(), DEADLINE_SECONDS) == 0
    assert not answers(address)
