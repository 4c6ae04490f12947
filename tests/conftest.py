"""Real servers for the tests: Temporal and PostgreSQL once a session, a fresh database a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.temporal_server import TemporalServer
from sandbox.temporal_tool import find_temporal


@pytest.fixture(scope="session")
def temporal_tool() -> Path:
    """The real `temporal` command line tool."""
    return find_temporal()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal_address() -> AsyncIterator[str]:
    """Where a real Temporal server answers, with our search attributes; its state ends with the session."""
    async with TemporalServer() as server:
        yield server.address
