"""Requests per second through the whole path, beside the two skeletons."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from temporalio.client import Client as TemporalClient

from benchmarks.place import Engine, Place, engine, process, question
from benchmarks.skeleton import TASK_QUEUE
from countersign.models import Question, Status, Verdict
from countersign.notices import Given

REQUESTS = 500
AT_ONCE = 16
WARM_UP = 20


async def requests_per_second(place: Place, say: Callable[[str], None]) -> dict[str, float]:
    """Measure all three, one after the other."""
    rates = {}
    for name, measure in (("plain skeleton", plain), ("Countersign", countersign), ("tuned skeleton", tuned)):
        say(f"{name}: {REQUESTS} requests, {AT_ONCE} at a time")
        rates[name] = await measure(place)
    return rates


async def countersign(place: Place) -> float:
    """The whole path."""
    async with engine(place, "throughput") as running:
        await asyncio.gather(*(decide_one(running, n) for n in range(REQUESTS, REQUESTS + WARM_UP)))
        return await _rate(lambda n: decide_one(running, n))


async def decide_one(running: Engine, number: int) -> None:
    """Open one request, hand in an answer as a channel does, and see it approved."""
    asked = await running.client.ask(Question.model_validate(question(number)))
    await approve(running, asked.approval_id)


async def approve(running: Engine, approval_id: int) -> None:
    """Hand in an approval as a channel does: stored, then submitted."""
    given = Given(
        channel="bench",
        source_id=str(approval_id),
        approval_id=approval_id,
        level=1,
        person="grace",
        verdict=Verdict.APPROVE,
        at=datetime.now(UTC),
    )
    judgement = await running.door.submit(await running.door.store(given))
    assert judgement.status is Status.APPROVED, judgement


async def plain(place: Place) -> float:
    """The skeleton with plain activities."""
    return await _skeleton(place, "PlainSkeleton")


async def tuned(place: Place) -> float:
    """The skeleton with local activities."""
    return await _skeleton(place, "TunedSkeleton")


async def _skeleton(place: Place, kind: str) -> float:
    client = await TemporalClient.connect(place.address)

    async def one(number: int) -> None:
        handle = await client.start_workflow(
            kind, str(number), id=f"{kind}-{number}", task_queue=TASK_QUEUE, result_type=str
        )
        await handle.execute_update("decide")
        assert await handle.result() == "Approved"

    command = ("-m", "benchmarks.skeleton", place.address)
    async with process(place, *command, ready="ready", SMTP_PORT=str(place.sink.port)):
        await asyncio.gather(*(one(n) for n in range(REQUESTS, REQUESTS + WARM_UP)))
        return await _rate(one)


async def _rate(one: Callable[[int], Awaitable[None]]) -> float:
    """Do REQUESTS of it, AT_ONCE at a time; returns how many a second."""
    places = asyncio.Semaphore(AT_ONCE)

    async def in_turn(number: int) -> None:
        async with places:
            await one(number)

    started = time.perf_counter()
    await asyncio.gather(*(in_turn(n) for n in range(REQUESTS)))
    return REQUESTS / (time.perf_counter() - started)
