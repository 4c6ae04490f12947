"""Worker, portal, mail server and Temporal as processes, which can be killed and frozen at any moment."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.mail_settings import mail_settings, new_mail_keys
from sandbox.temporal_server import HOST, TemporalServer, free_port

ROOT = Path(__file__).parents[2]


class Processes:
    """A whole installation but for PostgreSQL; its state, logs and mail are in `folder`."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.smtp_port, self.imap_port, self.portal_port, self._temporal_port = (free_port() for _ in range(4))
        self.temporal_address = f"{HOST}:{self._temporal_port}"
        self.portal_url = f"http://{HOST}:{self.portal_port}/api/v1"
        self.kills: Counter[str] = Counter()
        self.freezes: Counter[str] = Counter()
        settings = mail_settings(self.smtp_port, self.imap_port, new_mail_keys()) | {
            "COUNTERSIGN_DATABASE_URL": database_url,
            "COUNTERSIGN_PORTAL_PORT": str(self.portal_port),
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

    async def start(self, name: str) -> None:
        """Start one of them: Temporal until it answers, the others without waiting for them."""
        if name == "temporal":
            self._temporal = TemporalServer(self.folder / "temporal.db", self._temporal_port)
            await self._temporal.__aenter__()
            return
        with self.log(name).open("ab") as log:
            self._running[name] = await asyncio.create_subprocess_exec(
                sys.executable, *self._commands[name], cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    async def kill(self, name: str, away: float) -> None:
        """SIGKILL; it is started again after so many seconds."""
        self._must_run(name)
        os.kill(self._pid(name), signal.SIGKILL)
        self.kills[name] += 1
        if name == "temporal" and self._temporal:
            await self._temporal.ended()
            await self._temporal.__aexit__()
        else:
            await self._running[name].wait()
        await asyncio.sleep(away)
        await self.start(name)

    async def freeze(self, name: str, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after so many seconds."""
        self._must_run(name)
        os.kill(self._pid(name), signal.SIGSTOP)
        self.freezes[name] += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(self._pid(name), signal.SIGCONT)

    def log(self, name: str) -> Path:
        """The file with all that a process said."""
        return self.folder / f"{name}.log"

    def _pid(self, name: str) -> int:
        if name != "temporal":
            return self._running[name].pid
        assert self._temporal
        assert self._temporal.pid
        return self._temporal.pid

    def _must_run(self, name: str) -> None:
        process = self._running.get(name)
        ended = process is not None and process.returncode is not None
        assert not ended, f"{name} ended by itself: {self.log(name).read_text()[-2000:]}"
