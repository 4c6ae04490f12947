"""The tests' Temporal servers, each in an event loop of its own, so that any test may restart it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import uuid
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from temporalio.client import Client
from temporalio.service import RPCError

from sandbox.temporal_server import TemporalServer

T = TypeVar("T")

# A server that keeps its state in a file can be restarted. The file is in memory, as a disk would make it slow.
MEMORY = Path("/dev/shm")
FOLDER = MEMORY if MEMORY.is_dir() else None
PROBE_SECONDS = 20


class TemporalInThread:
    """A Temporal server whose state is in a file, run by an event loop in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "temporal.db"
        self._port: int | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.start()
        except BaseException:
            self._end_thread()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._run(self._server.__aexit__())
        self._end_thread()

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @property
    def address(self) -> str:
        """Where it answers."""
        return self._server.address

    def start(self) -> None:
        """Start it; after a kill, on the same port as before."""
        # Raised in the caller's thread, where `--no-servers` notices it.
        sys.audit("subprocess.Popen", "temporal", [], None, None)
        self._server = TemporalServer(self._file, self._port)
        self._run(self._server.__aenter__())
        self._port = int(self.address.rpartition(":")[2])

    def kill(self) -> None:
        """Send it SIGKILL."""
        assert self._server.pid
        os.kill(self._server.pid, signal.SIGKILL)
        self._run(self._server.ended())
        self._run(self._server.__aexit__())

    def works(self) -> bool:
        """Whether a workflow can be started there."""

        async def start_one() -> None:
            async with asyncio.timeout(PROBE_SECONDS):
                client = await Client.connect(self.address)
                begun = await client.start_workflow("Nobody", id=uuid.uuid4().hex, task_queue="nobody")
                await begun.terminate()

        try:
            self._run(start_one())
        except (RPCError, RuntimeError, TimeoutError):  # RuntimeError: nobody listens there
            return False
        return True

    async def restart(self) -> None:
        """Stop it and start it again; may be called from any event loop."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._server.restart(), self._loop))


# The servers that many tests share, by address.
SERVERS: dict[str, TemporalInThread] = {}
