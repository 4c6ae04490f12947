"""The real Temporal server for the demo, the tests and `make up`: started, made ready, and stopped again.

If TEMPORAL_ADDRESS is set, that server is used and nothing is started.
"""

import asyncio
import os
import secrets
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from temporalio.client import Client
from temporalio.service import RPCError

from countersign.tasks import first_of
from sandbox.arguments import parser
from sandbox.temporal_namespace import add_search_attributes, keep_histories, retention
from sandbox.temporal_tool import NoTemporal, Say, find_temporal, say_on_stderr
from store.file_permissions import BESIDE, OTHERS, OURS_ALONE, close
from workflows import search_attributes

HOST = "127.0.0.1"
# Below the ports that Linux gives to connections (ip(7), ip_local_port_range).
PORTS = range(10_000, 32_768)
START_SECONDS = 120
STOP_SECONDS = 3
POLL_SECONDS = 0.05
# The server takes further ports of its own choice, which another program may take first.
MOST_STARTS = 3
# The server would run workers of its own for each namespace, for schedules and batches, which we don't use.
NO_WORKERS_OF_ITS_OWN = ("--dynamic-config-value", "worker.perNamespaceWorkerCount=0")


class EndedAtOnce(NoTemporal):
    """The server did not come up; the end of its log says why."""


class TemporalServer:
    """A Temporal server for as long as the `async with` block lasts; `address` is where it answers.

    `database` is the file that keeps its state; without one, memory does. Without `port` a free port is taken; without
    `ui_port` there is no web UI; without `namespace` it is TEMPORAL_NAMESPACE's. Raises NoTemporal if no server can be
    had, or the one named doesn't answer.
    """

    def __init__(
        self,
        database: Path | None = None,
        port: int | None = None,
        ui_port: int | None = None,
        say: Say = say_on_stderr,
        namespace: str = "",
    ) -> None:
        self._given = os.environ.get("TEMPORAL_ADDRESS", "")
        self._namespace = namespace or os.environ.get("TEMPORAL_NAMESPACE") or "default"
        self._database = database
        self._ui_port = ui_port
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 -- closed when the server stops
        self._port_given = port is not None
        self._port = port or free_port()
        self.address = self._given or f"{HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        try:
            if self._given:
                self._say(f"Temporal: the server at {self.address} (TEMPORAL_ADDRESS); none is started.")
            else:
                await self._start_until_up(await asyncio.to_thread(find_temporal, self._say))
            await self._make_ready()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    @property
    def pid(self) -> int | None:
        """The process id of the server we started, if we did."""
        return self._process.pid if self._process else None

    async def ended(self) -> int:
        """Wait for the end of the server we started, and return its exit code."""
        return await self._process.wait() if self._process else 0

    async def restart(self) -> None:
        """End the server that we started, and start it on the same port; without a database it forgets everything."""
        await self._end()
        await self._start(await asyncio.to_thread(find_temporal, self._say))
        await self._make_ready()

    async def _start_until_up(self, tool: Path) -> None:
        """Start the server; if it ends at once and no port was given, try again on another port."""
        for last in (False,) * (MOST_STARTS - 1) + (True,):
            await self._start(tool)
            try:
                await self._connect()
                return
            except EndedAtOnce:
                if last or self._port_given:
                    raise
                self._port = free_port()
                self.address = f"{HOST}:{self._port}"

    async def _start(self, tool: Path) -> None:
        refuse_taken_port(self._port)
        command = [str(tool), "server", "start-dev", "--ip", HOST, "--port", str(self._port), "--log-level", "error"]
        command += ["--namespace", self._namespace, *NO_WORKERS_OF_ITS_OWN]
        command += ["--ui-port", str(self._ui_port)] if self._ui_port else ["--headless"]
        if self._database:
            self._database.parent.mkdir(mode=OURS_ALONE, parents=True, exist_ok=True)
            for ending in BESIDE:
                close(self._database.with_name(self._database.name + ending))
            command += ["--db-filename", str(self._database)]
        for key in search_attributes.ALL:
            command += ["--search-attribute", f"{key.name}={_type_name(key.indexed_value_type.name)}"]
        # Its own session: Ctrl-C reaches us, and we stop the server last.
        self._process = await asyncio.create_subprocess_exec(
            *command,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=self._errors,
            start_new_session=True,
            umask=OTHERS,  # its database holds the content of requests
        )

    async def _stop(self) -> None:
        await self._end()
        self._errors.close()

    async def _end(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def _make_ready(self) -> None:
        client = await self._connect()
        await add_search_attributes(client)
        if not self._given:
            await keep_histories(client)

    async def _connect(self) -> Client:
        """A client, once the server and its namespace answer."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                client = await Client.connect(self.address, namespace=self._namespace)
                await retention(client)
                return client
            except (RuntimeError, RPCError) as error:
                if self._process and self._process.returncode is not None:
                    raise EndedAtOnce(f"The Temporal server ended at once: {self._end_of_log()}") from error
                if time.monotonic() > deadline:
                    raise NoTemporal(f"Temporal at {self.address} does not answer: {error}") from error
            await asyncio.sleep(POLL_SECONDS)

    def _end_of_log(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace").strip()[-500:]


def free_port() -> int:
    """A port on loopback that nobody listens on now, and that the system gives to no connection meanwhile."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port


def refuse_taken_port(port: int) -> None:
    """Raise NoTemporal if somebody listens on the port: we would talk to their server and think it ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise NoTemporal(
                f"Port {port} is taken ({error.strerror}): set TEMPORAL_ADDRESS to use the server there."
            ) from error


def _type_name(constant: str) -> str:
    return "".join(word.capitalize() for word in constant.split("_"))


async def serve(database: Path, port: int, ui_port: int) -> int:
    """Run until SIGINT or SIGTERM, or until the server ends; returns its exit code."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with TemporalServer(database, port, ui_port) as server:
        say_on_stderr(f"Temporal answers at {server.address}; its web UI at http://{HOST}:{ui_port}")
        await first_of(stop.wait(), server.ended())
        return 0 if stop.is_set() else await server.ended() or 1


def main() -> None:
    """The command line: `python -m sandbox.temporal_server --db FILE`."""
    options = parser("sandbox.temporal_server", serve.__doc__)
    options.add_argument("--db", type=Path, required=True, help="the file that keeps the server's state")
    options.add_argument("--port", type=int, default=7233)
    options.add_argument("--ui-port", type=int, default=8233)
    given = options.parse_args()
    try:
        sys.exit(asyncio.run(serve(given.db, given.port, given.ui_port)))
    except NoTemporal as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
