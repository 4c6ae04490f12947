"""Throwaway PostgreSQL clusters whose server starts slowly or can be killed."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.postgres import POLL_SECONDS, START_SECONDS, Cluster, NoPostgres, Serve, new_cluster, stop, wait_for

# What is committed has reached the kernel, so it survives a kill of the server's processes, if not of the machine.
LASTING = {"synchronous_commit": "on"}


@contextmanager
def starting_postgres() -> Iterator[tuple[Cluster, Callable[[], None]]]:
    """A new cluster that says it is starting until the function that is yielded with it is called."""
    with new_cluster() as (cluster, folder, serve):
        # A standby whose primary never comes, and which accepts no connections meanwhile.
        (folder / "data" / "standby.signal").touch()
        server = serve({"hot_standby": "off", "restore_command": "false"})

        def start() -> None:
            (folder / "data" / "promote").touch()
            server.send_signal(signal.SIGUSR1)

        try:
            yield cluster, start
        finally:
            stop(server)


class KillablePostgres:
    """A cluster whose server may be killed; when it is started again, it has everything that was committed."""

    def __init__(self, cluster: Cluster, folder: Path, serve: Serve) -> None:
        self.cluster = cluster
        self._folder = folder
        self._serve = serve
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers; raises NoPostgres if it does not."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._server = server = self._serve(LASTING)
            try:
                wait_for(self.cluster, server, self._folder)
                return
            except NoPostgres:
                # It ends at once while any process of the killed server has not noticed the kill yet.
                if server.poll() is None or time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)

    def kill(self) -> None:
        """Send SIGKILL to its first process; the others end when they notice."""
        if self._server:
            self._server.kill()
            self._server.wait()

    def stop(self) -> None:
        """Stop it for good."""
        if self._server:
            stop(self._server)


@contextmanager
def killable_postgres() -> Iterator[KillablePostgres]:
    """Serve a new cluster that can be killed and started again; raises NoPostgres if that can't be done."""
    with new_cluster() as (cluster, folder, serve):
        server = KillablePostgres(cluster, folder, serve)
        try:
            server.start()
            yield server
        finally:
            server.stop()
