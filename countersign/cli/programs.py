"""Starts programs of the person's own, and ends them with the command."""

import math
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from countersign.errors import Unavailable

END_SECONDS = 5.0
# A program that fails within this time after Ctrl-C has failed because of it.
INTERRUPTED_SECONDS = 30.0


@contextmanager
def started(command: Sequence[str], stdin: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs while the block does. Raises Unavailable if it is not installed."""
    process = start(command, stdin)
    try:
        yield process
    finally:
        end(process)
        if process.stdin:
            process.stdin.close()


def run(command: Sequence[str], stdin: int | None = None) -> int:
    """Run a program to its end; returns its exit code. Raises KeyboardInterrupt if it failed because of Ctrl-C.

    The terminal sends Ctrl-C to the program, too, which may go on: sftp ends a transfer, but not the session. So SIGINT
    to this process alone ends nothing.
    """
    interrupted_at = -math.inf

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted_at
        interrupted_at = time.monotonic()

    # The handler raises nothing: an exception just after the exit code was read would lose it.
    before = signal.signal(signal.SIGINT, interrupted)
    try:
        with started(command, stdin) as process:
            code = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    if code and time.monotonic() - interrupted_at < INTERRUPTED_SECONDS:
        raise KeyboardInterrupt
    return code


def start(command: Sequence[str], stdin: int | None = None, stdout: int | None = None) -> subprocess.Popen[bytes]:
    """Start a program, with these as its input and output. Raises Unavailable if it is not installed."""
    try:
        return subprocess.Popen(command, stdin=stdin, stdout=stdout)  # noqa: S603 - no shell reads it
    except OSError as error:
        raise Unavailable(f"{command[0]} can't be started: {error.strerror}. Install it.") from None


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program, and wait for it."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
