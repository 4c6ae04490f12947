"""Fair turns: where many have work for few threads, each of them gets a turn, however much one of them has."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextvars import ContextVar
from functools import partial
from typing import Any, ParamSpec, TypeVar

from store.database import only_reads, reads

# Whose work it is that is begun from here: a token's, an address', or the portal's own.
WHOSE: ContextVar[str] = ContextVar("whose", default="")

P = ParamSpec("P")
T = TypeVar("T")
Work = tuple[Future[Any], Callable[[], Any]]


class FairExecutor(Executor):
    """Has the store's threads do what it is given, one of each in turn and each one's in its order.

    What only reads is done by threads of its own, so it has turns of its own too.
    """

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._reading, self._writing = _Queue(), _Queue()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do this when its turn has come; it is the work of `WHOSE`."""
        future: Future[T] = Future()
        queue = self._reading if only_reads(fn) else self._writing
        queue.add(WHOSE.get(), (future, partial(fn, *args, **kwargs)))
        do_one = partial(_do, queue)
        self._threads.submit(reads(do_one) if only_reads(fn) else do_one)
        return future


class _Queue:
    """What waits, by whose it is; whose turn it is comes first."""

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
    """Do what is next, and tell who waits for it."""
    future, work = queue.next()
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
