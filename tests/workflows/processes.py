"""Worker, portal, mail server, Temporal and PostgreSQL as processes, which can be killed and frozen at any moment."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.mail_settings import mail_settings, new_mail_keys
from sandbox.temporal_server import HOST, TemporalServer, free_port
from tests.postgres import KillablePostgres

ROOT = Path(__file__).parents[2]


class Processes:
    """A whole installation; its state, logs and mail are in `folder`, but not PostgreSQL's, which runs already."""

    def __init__(self, folder: Path, database_url: str, postgres: KillablePostgres | None = None) -> None:
        self.folder = folder
        self.smtp_port, self.imap_port, self.portal_port, self._temporal_port = (free_port() for _ in range(4))
        self.temporal_address = f"{HOST}:{self._temporal_port}"
        self.portal_url = f"http://{HOST}:{self.portal_port}/api/v1"
        settings = mail_settings(self.smtp_port, self.imap_port, new_mail_keys()) | {
            "COUNTERSIGN_DATABASE_URL": database_url,
            "COUNTERSIGN_PORTAL_PORT": str(self.portal_port),
            "COUNTERSIGN_REQUESTS_AN_HOUR": "0",
            "COUNTERSIGN_REFUSALS_AN_HOUR": "0",
            "TEMPORAL_ADDRESS": self.temporal_address,
        }
        self._environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}} | settings
        ports = ["--smtp-port", str(self.smtp_port), "--imap-port", str(self.imap_port)]
        self._commands = {
            "mail": ["-m", "sandbox", "serve", *ports, "--keep", str(folder / "mail")],
            "worker": ["worker.py"],
            "portal": ["-m", "portal", "serve"],
        }
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._temporal: TemporalServer | None = None
        self._postgres = postgres

    async def __aenter__(self) -> Self:
        for name in ("temporal", *self._commands):
            await self.start(name)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for process in self._running.values():
            if process.returncode is None:
                process.kill()
                await process.wait()
        if self._temporal:
            await self._temporal.__aexit__()

    @property
    def names(self) -> list[str]:
        """What can be killed."""
        return ["temporal", *self._commands, *(["postgres"] if self._postgres else [])]

    async def start(self, name: str) -> None:
        """Start one of them: Temporal and PostgreSQL until they answer, the others without waiting for them."""
        if name == "postgres":
            assert self._postgres
            await asyncio.to_thread(self._postgres.start)
        elif name == "temporal":
            self._temporal = TemporalServer(self.folder / "temporal.db", self._temporal_port)
            await self._temporal.__aenter__()
        else:
            with self.log(name).open("ab") as log:
                self._running[name] = await asyncio.create_subprocess_exec(
                    sys.executable, *self._commands[name], cwd=ROOT, env=self._environment, stdout=log, stderr=log
                )

    def freeze(self, name: str) -> None:
        """SIGSTOP. PostgreSQL runs on: processes other than its first one do what it has begun."""
        if name != "postgres":
            os.kill(self._pid(name), signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        if name != "postgres":
            os.kill(self._pid(name), signal.SIGCONT)

    async def kill(self, name: str) -> None:
        """SIGKILL, also of what is frozen."""
        if name == "postgres":
            assert self._postgres
            await asyncio.to_thread(self._postgres.kill)
            return
        os.kill(self._pid(name), signal.SIGKILL)
        if name == "temporal" and self._temporal:
            await self._temporal.ended()
            await self._temporal.__aexit__()
        else:
            await self._running[name].wait()

    def log(self, name: str) -> Path:
        """The file with all that a process said."""
        return self.folder / f"{name}.log"

    def _pid(self, name: str) -> int:
        if name == "temporal":
            assert self._temporal
            assert self._temporal.pid
            return self._temporal.pid
        process = self._running[name]
        assert process.returncode is None, f"{name} ended by itself: {self.log(name).read_text()[-2000:]}"
        return process.pid
