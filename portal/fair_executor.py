"""Shares a few threads fairly among callers, however much work one of them has."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import ContextVar
from functools import partial
from typing import Any, ParamSpec, TypeVar

from store.database import only_reads, reads

# Whose work is submitted in this context: that of a token, session, address or proxy, or (empty) the portal's own.
WHOSE: ContextVar[str] = ContextVar("whose", default="")

P = ParamSpec("P")
T = TypeVar("T")
Work = tuple[Future[Any], Callable[[], Any]]


class FairExecutor(Executor):
    """Runs the store's work fairly: callers take turns, and each caller's work starts in the order it came.

    Work that only reads has threads of its own, and so turns of its own.
    """

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._reading, self._writing = _Queue(), _Queue()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run this in the turn of `WHOSE`."""
        future: Future[T] = Future()
        queue = self._reading if only_reads(fn) else self._writing
        queue.add(WHOSE.get(), (future, partial(fn, *args, **kwargs)))
        do_one = partial(_do, queue)
        self._threads.submit(reads(do_one) if only_reads(fn) else do_one)
        return future


class _Queue:
    """The waiting work by caller; the next caller comes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Work]] = {}

    def add(self, whose: str, work: Work) -> None:
        with self._lock:
            self._waiting.setdefault(whose, deque()).append(work)

    def next(self) -> Work:
        with self._lock:
            whose = next(iter(self._waiting))
            works = self._waiting.pop(whose)
            first = works.popleft()
            if works:
                self._waiting[whose] = works
        return first


def _do(queue: _Queue) -> None:
    """Do the next work, and set the result for whoever waits for it."""
    future, work = queue.next()
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
