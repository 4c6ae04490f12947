"""Requests per second through the whole path, next to the two skeletons."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from statistics import median

from temporalio.client import Client as TemporalClient

from benchmarks.place import Deployment, Place, Sink, deployment, process
from benchmarks.skeleton import TASK_QUEUE
from countersign.models import Status, Verdict
from countersign.notifications import SubmittedAnswer

ROUNDS = 5
IN_A_ROUND = 100
AT_ONCE = 16
WARM_UP = 20

One = Callable[[int], Awaitable[None]]


async def requests_per_second(place: Place, say: Callable[[str], None]) -> dict[str, float]:
    """Measure all three in turn, round after round, so that a machine that slows down slows all of them.

    Returns each one's rate over all rounds, and the medians of the rounds' ratios.
    """
    command = ("-m", "benchmarks.skeleton", place.address)
    async with (
        deployment(place, "throughput") as running,
        process(place, *command, ready="ready", SMTP_PORT=str(place.sink.port)),
    ):
        client = await TemporalClient.connect(place.address)
        contenders: dict[str, One] = {
            "plain skeleton": skeleton(client, place.sink, "PlainSkeleton"),
            "Countersign": lambda number: decide_one(running, number),
            "tuned skeleton": skeleton(client, place.sink, "TunedSkeleton"),
        }
        say("warming up")
        for one in contenders.values():
            await seconds_of(one, range(WARM_UP))
        seconds = await rounds(contenders, IN_A_ROUND, say, WARM_UP)
    figures = {f"requests/s, {name}": ROUNDS * IN_A_ROUND / sum(taken) for name, taken in seconds.items()}
    for name in ("plain skeleton", "tuned skeleton"):
        figures |= ratio("Countersign", name, seconds)
    return figures


async def rounds(
    contenders: dict[str, One], in_a_round: int, say: Callable[[str], None], first: int = 0
) -> dict[str, list[float]]:
    """How many seconds each contender takes for this much work, round after round, from number `first` on."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(ROUNDS):
        say(f"round {turn + 1} of {ROUNDS}: {in_a_round} of each, {AT_ONCE} at a time")
        start = first + turn * in_a_round
        for name, one in contenders.items():
            seconds[name].append(await seconds_of(one, range(start, start + in_a_round)))
    return seconds


def ratio(ours: str, theirs: str, seconds: dict[str, list[float]]) -> dict[str, float]:
    """How many times faster ours is than theirs."""
    ratios = [their / our for their, our in zip(seconds[theirs], seconds[ours], strict=True)]
    return {f"ratio: {ours} / {theirs}, median of {ROUNDS} rounds": median(ratios)}


async def decide_one(running: Deployment, number: int) -> None:
    """Open one request, hand in an answer as a channel does, and see it approved."""
    await approve(running, await running.ask(number))


async def approve(running: Deployment, approval_id: int) -> None:
    """Hand in an approval as a channel does: stored, then submitted."""
    given = SubmittedAnswer(
        channel="bench",
        source_id=str(approval_id),
        approval_id=approval_id,
        level=1,
        person="grace",
        verdict=Verdict.APPROVE,
        at=datetime.now(UTC),
        signed_in=True,
    )
    judgement = await running.engine.submit(await running.engine.store_answer(given))
    assert judgement.status is Status.APPROVED, judgement


def skeleton(client: TemporalClient, sink: Sink, kind: str) -> One:
    """One request of a skeleton: started, answered, ended."""

    async def one(number: int) -> None:
        handle = await client.start_workflow(
            kind, f"{kind} {number}", id=f"{kind}-{number}", task_queue=TASK_QUEUE, result_type=str
        )
        # Nobody can answer before they are asked. Countersign's `ask` returns only after that.
        await sink.has_come(f"asked {kind} {number}")
        await handle.execute_update("decide")
        assert await handle.result() == "Approved"

    return one


async def seconds_of(one: One, numbers: range) -> float:
    """Do all of these, AT_ONCE at a time; returns how long it took."""
    places = asyncio.Semaphore(AT_ONCE)

    async def in_turn(number: int) -> None:
        async with places:
            await one(number)

    started = time.perf_counter()
    await asyncio.gather(*(in_turn(n) for n in numbers))
    return time.perf_counter() - started
