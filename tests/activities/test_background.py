"""The background work in Temporal's environment for activities: it beats, goes on after faults, and stops when told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.background import background
from activities.periodic_tasks import PeriodicTask, repeating, sweep
from activities.requests import refusals_are_final
from countersign.errors import Refused, Unavailable

WAIT_SECONDS = 120


async def test_the_sweeper_does_every_task_though_one_fails_and_one_hangs(caplog: pytest.LogCaptureFixture) -> None:
    environment, done = ActivityEnvironment(), asyncio.Event()

    async def unavailable() -> None:
        raise Unavailable("the database is away")

    async def broken() -> None:
        raise LookupError("a fault of ours")

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def last() -> None:
        done.set()

    tasks = [PeriodicTask(work.__name__, work) for work in (hangs, unavailable, broken, last)]
    sweeping = asyncio.create_task(environment.run(background("sweep", partial(sweep, tasks))))
    await asyncio.wait_for(done.wait(), WAIT_SECONDS)
    environment.worker_shutdown()
    await asyncio.wait_for(sweeping, WAIT_SECONDS)
    assert "unavailable: the database is away" in caplog.text
    assert "a fault of ours" in caplog.text


async def test_a_task_that_hangs_is_ended_and_done_again(caplog: pytest.LogCaptureFixture) -> None:
    turns: list[int] = []
    again = asyncio.Event()

    async def hangs_once() -> None:
        turns.append(len(turns))
        if len(turns) > 1:
            again.set()
        await asyncio.Event().wait()

    async with repeating([PeriodicTask("the task", hangs_once, pause=timedelta(0), longest=timedelta(seconds=0.1))]):
        await asyncio.wait_for(again.wait(), WAIT_SECONDS)
    assert "the task: not done within" in caplog.text


async def test_what_is_to_be_done_once_is_done_until_it_goes_well_and_no_more() -> None:
    turns: list[int] = []

    async def fails_once() -> None:
        turns.append(len(turns))
        if len(turns) == 1:
            raise Unavailable("not yet")

    await asyncio.wait_for(
        PeriodicTask("the task", fails_once, pause=timedelta(0), until_it_worked=True).repeat(), WAIT_SECONDS
    )
    assert turns == [0, 1]


async def test_work_beats_and_stops_with_the_worker() -> None:
    environment, beaten = ActivityEnvironment(), asyncio.Event()
    environment.on_heartbeat = lambda *_: beaten.set()
    stopped = asyncio.Event()

    async def listen(beat: Callable[[], None]) -> None:
        beat()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # it may finish what it began
            stopped.set()

    watching = asyncio.create_task(environment.run(background("read", listen)))
    await asyncio.wait_for(beaten.wait(), WAIT_SECONDS)
    environment.worker_shutdown()
    await asyncio.wait_for(watching, WAIT_SECONDS)
    assert stopped.is_set()


async def test_work_that_fails_fails_its_activity() -> None:
    async def listen(beat: Callable[[], None]) -> None:
        raise Unavailable("the mailbox is away")

    with pytest.raises(Unavailable, match="the mailbox is away"):
        await ActivityEnvironment().run(background("read", listen))


async def test_work_that_ends_by_itself_fails_its_activity() -> None:
    async def listen(beat: Callable[[], None]) -> None:
        beat()

    with pytest.raises(ApplicationError, match="ended by itself"):
        await ActivityEnvironment().run(background("read", listen))


def test_a_refusal_is_final_and_keeps_its_words_and_nothing_else_is() -> None:
    with pytest.raises(ApplicationError, match="not you") as error, refusals_are_final():
        raise Refused("not you")
    assert (error.value.non_retryable, error.value.type) == (True, "Refused")
    with pytest.raises(Unavailable), refusals_are_final():
        raise Unavailable("later")
