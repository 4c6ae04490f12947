"""The last lines that a start prints: what runs where, and what to type next. They come once everything answers."""

import os
import re
import shlex
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
from honcho.manager import Message
from honcho.printer import Printer

from sandbox.first_run import Installation
from store.tables import FIRST_APPROVAL_ID

POLL_SECONDS = 0.25
ANSWER_SECONDS = 2.0
# The lines come once the processes are quiet for this long; if the worker logs too little to be seen, for the second.
QUIET_SECONDS = 0.5
PATIENCE_SECONDS = 10.0
# Each process writes the time, and so does the printer.
OWN_TIME = re.compile(rb"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
WORKER_READY = b"worker: ready: "
# Where `countersign` looks for the portal by default.
DEFAULT_URL = "http://127.0.0.1:8080"


def always() -> bool:
    """For what runs elsewhere: it is not checked."""
    return True


class Place(NamedTuple):
    """Something that runs: what it is, where, and whether it answers."""

    name: str
    where: str
    answers: Callable[[], bool] = always

    @property
    def is_ours(self) -> bool:
        """Whether it is started here, and not elsewhere."""
        return self.answers is not always


class Screen(Printer):  # type: ignore[misc]
    """Prints what the processes print, and after their start `lines`, once `places` answer.

    When nobody reads any more, as after `| head`, it ends everything as a closed terminal would.
    """

    def __init__(self, places: Sequence[Place], lines: Sequence[str], end: Callable[[], object]) -> None:
        super().__init__(sys.stdout)
        self._places = places
        self._lines = lines
        self._end = end
        # honcho's signal handlers print, too, at whatever moment the signal comes.
        self._lock = threading.RLock()
        self._started = False
        self._worker_ready = False
        self._last_output = time.monotonic()

    def write(self, message: Message) -> None:
        """Print a line of a process."""
        if isinstance(message.data, bytes):
            self._worker_ready |= WORKER_READY in message.data
            message = message._replace(data=OWN_TIME.sub(b"", message.data))
        if not self._started:
            # Not sooner: the processes are forked first, and no thread should be there then.
            self._started = True
            threading.Thread(target=self._welcome, daemon=True).start()
        with self._lock:
            self._last_output = time.monotonic()
            self._print(lambda: super(Screen, self).write(message))

    def _welcome(self) -> None:
        while not (self._is_calm() and all(place.answers() for place in self._places)):
            time.sleep(POLL_SECONDS)
        with self._lock:
            self._print(lambda: print("\n" + "\n".join(self._lines) + "\n", file=self.output, flush=True))

    def _is_calm(self) -> bool:
        quiet = time.monotonic() - self._last_output
        return quiet > (QUIET_SECONDS if self._worker_ready else PATIENCE_SECONDS)

    def _print(self, line: Callable[[], object]) -> None:
        try:
            line()
        except RuntimeError:
            pass  # a signal came while a line was being written, and this line is its handler's
        except BrokenPipeError:
            self.output = Path(os.devnull).open("w")  # noqa: SIM115 -- for as long as the process lasts
            os.dup2(self.output.fileno(), sys.stdout.fileno())  # else Python complains about the broken pipe at its end
            self._end()


def is_healthy(url: str) -> bool:
    """Whether the portal answers there, and reaches its database and Temporal."""
    try:
        # No proxy from the environment, as the portal is on this machine.
        return httpx.get(f"{url}/api/v1/health", timeout=ANSWER_SECONDS, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def listens(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection((host, port), timeout=ANSWER_SECONDS):
            return True
    except OSError:
        return False


def next_steps(found: Installation, portal: str, plays: bool) -> list[str]:
    """What to type to have a request opened and answered; `plays`: whether one person answers for everybody."""
    lines = [f"{_activate()}{_url(portal)}export COUNTERSIGN_TOKEN=$({_token(found)})"]
    if not found.has_policy:
        return ["python -m portal policy apply FILE", *lines, "countersign request DEVICE ssh --for PERSON --wait"]
    if not (found.is_example and plays):
        advice = ["countersign policy apply FILE     # the example's people have no real mailboxes"]
        return [*lines, *(advice if found.is_example else []), "countersign request DEVICE ssh --for PERSON --wait"]
    # Numbers of later requests can't be predicted: whoever asks again while a grant lasts gets no new one.
    number = FIRST_APPROVAL_ID if found.is_unused else "ID"
    return [
        *lines,
        'countersign request web-1 ssh --for alice --reason "Deploy 4.2"',
        "python -m sandbox inbox grace",
        f'python -m sandbox reply {number} --as grace "Approved"',
        f"countersign show {number}",
    ]


def _activate() -> str:
    """How the commands are found, if this Python is a virtual environment's."""
    return f". {shlex.quote(os.path.relpath(sys.prefix))}/bin/activate; " if sys.prefix != sys.base_prefix else ""


def _url(portal: str) -> str:
    return "" if portal == DEFAULT_URL else f"export COUNTERSIGN_URL={portal}; "


def _token(found: Installation) -> str:
    if found.token_file:
        return f"cat {shlex.quote(os.path.relpath(found.token_file))}"
    return "python -m portal token create --person NAME --admin"
