"""What it costs that others wait: from a decision to the requester's mail, and the worker's memory."""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

from benchmarks.place import Deployment, Place, Sink, deployment, question, until
from benchmarks.throughput import approve
from countersign.kinds.connection import ConnectionQuestion

FEW, MANY = 100, 2000
DECISIONS = 60
AT_ONCE = 16
MAIL_SECONDS = 60
REQUESTER_TOLD = re.compile(r"<(\d+)\.settled\.")


async def with_others_waiting(place: Place, say: Callable[[str], None]) -> dict[str, float]:
    """Decide one after the other while FEW wait, then while MANY do; milliseconds and megabytes."""
    figures: dict[str, float] = {}
    async with deployment(place, "waiting") as running:
        figures["worker MB, nothing waiting"] = _megabytes(running.pid)
        asked, waiting = 0, list[int]()
        for wanted in (FEW, MANY):
            say(f"opening requests until {wanted} wait")
            more = wanted + DECISIONS - len(waiting)
            waiting += await _open(running, asked, more)
            asked += more
            say(f"{DECISIONS} decisions while {wanted} wait")
            deciding, waiting = waiting[:DECISIONS], waiting[DECISIONS:]
            latencies = await _decide(running, place.sink, deciding)
            figures[f"decision to mail, p50 ms, {wanted} waiting"] = quantiles(latencies, n=100)[49]
            figures[f"decision to mail, p99 ms, {wanted} waiting"] = quantiles(latencies, n=100)[98]
        figures[f"worker MB, {MANY} waiting"] = _megabytes(running.pid)
    return figures


async def _open(running: Deployment, first: int, count: int) -> list[int]:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> int:
        async with places:
            put = ConnectionQuestion.model_validate(question(number))
            asked = await running.client.ask(put, asked_by=put.requester)
            return asked.approval_id

    return list(await asyncio.gather(*(one(first + n) for n in range(count))))


async def _decide(running: Deployment, sink: Sink, approval_ids: list[int]) -> list[float]:
    """Milliseconds from handing in each answer to the arrival of the requester's mail."""
    started = {}
    for approval_id in approval_ids:
        started[approval_id] = time.perf_counter()
        await approve(running, approval_id)
    await until(lambda: started.keys() <= _told(sink).keys(), MAIL_SECONDS)
    told = _told(sink)
    return [(told[approval_id] - started[approval_id]) * 1000 for approval_id in approval_ids]


def _told(sink: Sink) -> dict[int, float]:
    found = ((REQUESTER_TOLD.match(message_id), at) for (message_id, _), at in sink.arrived.items())
    return {int(match[1]): at for match, at in found if match}


def _megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1000
