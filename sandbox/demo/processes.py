"""Our programs as processes that can die: the worker, and the portal."""

import asyncio
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from sandbox.demo.steps import StepFailed

ROOT = Path(__file__).parent.parent.parent
READY_SECONDS = 60
STOP_SECONDS = 10
POLL_SECONDS = 0.05
LOG_LINES = 20
OURS = ("COUNTERSIGN_", "TEMPORAL_")


class Process:
    """One of our programs, which may be killed and started again, with one log file; it logs `ready` once it works."""

    def __init__(self, name: str, arguments: list[str], ready: str, settings: Mapping[str, str], folder: Path) -> None:
        # Whatever the person at the terminal has set is for their installation, not for the story.
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        # It runs in the story's folder, and must find its modules here.
        self._environment |= {"PYTHONPATH": str(ROOT), **settings}
        self.name = name
        self._arguments = arguments
        self._ready = ready
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> int:
        """Start it, and return its process id once it works."""
        position = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            # In the story's folder, so that it reads no .env of an installation; in a session of its own, so that
            # Ctrl-C reaches only us, and we stop it properly.
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        await self.says(self._ready, position)
        return self._process.pid

    async def says(self, text: str, position: int = 0) -> None:
        """Wait until its log has this text after a position."""
        assert self._process
        deadline = time.monotonic() + READY_SECONDS
        while text.encode() not in self._log.read_bytes()[position:]:
            if self._process.returncode is not None:
                raise StepFailed(f"the {self.name} ended at once, with exit code {self._process.returncode}")
            if time.monotonic() > deadline:
                raise StepFailed(f"the {self.name} did not say “{text}” within {READY_SECONDS} seconds")
            await asyncio.sleep(POLL_SECONDS)

    async def kill(self) -> int:
        """End it by SIGKILL, so that it can't finish anything or tell anybody; returns its process id."""
        assert self._process
        self._process.kill()
        ended = await self._process.wait()
        if ended != -signal.SIGKILL:
            raise StepFailed(f"the {self.name} had ended before it was killed, with exit code {ended}")
        return self._process.pid

    async def stop(self) -> None:
        """End it properly, whatever state it is in."""
        if not self._process or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def end_of_log(self) -> str:
        """The end of its log."""
        if not self._log.exists():
            return ""
        with self._log.open(errors="replace") as log:
            return "".join(deque(log, LOG_LINES))


def worker(settings: Mapping[str, str], folder: Path) -> Process:
    """`python worker.py`."""
    return Process("worker", [str(ROOT / "worker.py")], " ready: ", settings, folder)


def portal(settings: Mapping[str, str], folder: Path) -> Process:
    """`python -m portal serve`."""
    return Process("portal", ["-m", "portal", "serve"], "running on", settings, folder)
