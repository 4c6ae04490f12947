"""What the story runs on: a Temporal server, a mail server, a database, and the worker as a process that can die."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from countersign.client import Client
from sandbox.demo.namespace import own_namespace
from sandbox.demo.steps import StepFailed, step
from sandbox.mail_server import MailServer
from sandbox.mail_settings import mail_settings, new_mail_keys
from sandbox.people import Person
from sandbox.temporal_server import TemporalServer
from sandbox.temporal_tool import Say
from store import Store

ROOT = Path(__file__).parent.parent.parent
ADMIN = "ada"
READY_SECONDS = 60
STOP_SECONDS = 10
POLL_SECONDS = 0.05
LOG_LINES = 20
OURS = ("COUNTERSIGN_", "TEMPORAL_")


class Worker:
    """`python worker.py` in a process of its own, which may be killed and started again; its log is one file."""

    def __init__(self, settings: dict[str, str], folder: Path) -> None:
        # Whatever the person at the terminal has set is for their installation, not for the story.
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)} | settings
        self._folder = folder
        self._log = folder / "worker.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> int:
        """Start it, and return its process id once it works."""
        position = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            # In the story's folder, so that it reads no .env of an installation; in a session of its own, so that
            # Ctrl-C reaches us alone, and we stop it in order.
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(ROOT / "worker.py"),
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_SECONDS
        while b" ready: " not in self._log.read_bytes()[position:]:
            if self._process.returncode is not None:
                raise StepFailed(f"the worker ended at once, with exit code {self._process.returncode}")
            if time.monotonic() > deadline:
                raise StepFailed(f"the worker was not ready after {READY_SECONDS} seconds")
            await asyncio.sleep(POLL_SECONDS)
        return self._process.pid

    async def kill(self) -> int:
        """End it by SIGKILL, so that it can finish nothing and tell nobody; returns its process id."""
        assert self._process
        self._process.kill()
        ended = await self._process.wait()
        if ended != -signal.SIGKILL:
            raise StepFailed(f"the worker had ended before it was killed, with exit code {ended}")
        return self._process.pid

    async def stop(self) -> None:
        """End it in order, whatever state it is in."""
        if not self._process or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def last_words(self) -> str:
        """The end of its log."""
        if not self._log.exists():
            return ""
        with self._log.open(errors="replace") as log:
            return "".join(deque(log, LOG_LINES))


@dataclass(frozen=True)
class Stage:
    """All that runs, and how to reach it."""

    client: Client
    store: Store
    mail: MailServer
    worker: Worker

    def person(self, name: str) -> Person:
        """Somebody of the policy, at their mailbox."""
        return Person(name, self.mail.smtp_port, self.mail.imap_port)


@asynccontextmanager
async def stage(policy: str, say: Say) -> AsyncIterator[Stage]:
    """Start everything in a folder that is thrown away, and stop it again; the worker is not started yet."""
    with tempfile.TemporaryDirectory(prefix="countersign-demo-") as name:
        async with (
            own_namespace() as namespace,
            TemporalServer(namespace=namespace, say=say) as temporal,
            MailServer() as mail,
        ):
            settings = {
                "COUNTERSIGN_DATABASE_URL": f"sqlite:///{name}/countersign.db",
                "TEMPORAL_ADDRESS": temporal.address,
                "TEMPORAL_NAMESPACE": namespace,
                **mail_settings(mail.smtp_port, mail.imap_port, new_mail_keys()),
            }
            store = Store(settings["COUNTERSIGN_DATABASE_URL"])
            worker = Worker(settings, Path(name))
            try:
                with step("the policy is applied"):
                    store.policies.apply(policy, ADMIN)
                with step("the client connects to Temporal"):
                    client = await Client.connect(temporal.address, namespace)
                yield Stage(client, store, mail, worker)
            finally:
                await worker.stop()
                store.close()
