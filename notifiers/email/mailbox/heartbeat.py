"""A sign of life that a slow server doesn't stop and a hung thread can't fake."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Heartbeat:
    """Calls `beat` every `tick` seconds from a thread of its own, for as long as `progress` was told lately.

    The watched thread may be silent for `patience` seconds, which is longer than any answer it waits for.
    """

    def __init__(self, beat: Callable[[], None], tick: float, patience: float) -> None:
        self._beat = beat
        self._tick = tick
        self._patience = patience
        self._alive_until = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self.progress()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def progress(self) -> None:
        """Tell that the watched thread got on."""
        self._alive_until = time.monotonic() + self._patience

    def _run(self) -> None:
        while True:
            if time.monotonic() < self._alive_until:
                self._beat()
            if self._over.wait(self._tick):
                return
