"""Fair turns: if many have work for few threads, each gets a turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextvars import copy_context

import pytest

from portal.fair_executor import WHOSE, FairExecutor


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def submit(turns: FairExecutor, whose: str, done: list[str]) -> Future[None]:
    """Submit work of `whose` that adds its name to `done`."""

    def within() -> Future[None]:
        WHOSE.set(whose)
        return turns.submit(done.append, whose)

    return copy_context().run(within)


def test_each_gets_a_turn_however_much_one_has(threads: ThreadPoolExecutor) -> None:
    turns, done, begin = FairExecutor(threads), list[str](), threading.Event()
    turns.submit(begin.wait, 120)
    all_of_it = [submit(turns, whose, done) for whose in ["greedy"] * 100 + ["late", "later", "late"]]
    begin.set()
    wait(all_of_it, 120)
    assert done[:6] == ["greedy", "late", "later", "greedy", "late", "greedy"]
    assert len(done) == 103


def test_what_one_has_is_done_in_its_order(threads: ThreadPoolExecutor) -> None:
    turns, done = FairExecutor(threads), list[int]()
    wait([turns.submit(done.append, n) for n in range(50)], 120)
    assert done == list(range(50))


def test_an_error_is_raised_to_whom_it_concerns_and_to_nobody_else(threads: ThreadPoolExecutor) -> None:
    turns = FairExecutor(threads)
    broken, whole = turns.submit(int, "x"), turns.submit(int, "7")
    with pytest.raises(ValueError):
        broken.result(120)
    assert whole.result(120) == 7


def test_what_was_cancelled_before_its_turn_is_not_done(threads: ThreadPoolExecutor) -> None:
    turns, done, begin = FairExecutor(threads), list[str](), threading.Event()
    turns.submit(begin.wait, 120)
    first, second = submit(turns, "one", done), submit(turns, "one", done)
    assert first.cancel()
    begin.set()
    second.result(120)
    assert done == ["one"]
    with pytest.raises(CancelledError):
        first.result(120)
