"""What waiting requests cost others: from decision to the requester's mail, and the worker's memory and processor."""

import asyncio
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import quantiles

from benchmarks.place import APPROVER, Deployment, Place, Sink, deployment, until
from benchmarks.throughput import approve

# Opening 10,000 takes six minutes; `make bench WAITING=1000` opens fewer.
FEW, MANY = 100, int(os.environ.get("WAITING", "10000"))
DECISIONS = 100
AT_ONCE = 32
# Progress is printed each time this many more have been opened.
SAID_EACH = 1000
MAIL_SECONDS = 60
# How many times as long 99 of 100 decisions may take while MANY wait as while FEW do.
MOST_TIMES = 1.5
P50, P99 = "decision to mail, p50 ms", "decision to mail, p99 ms"
PROCESSOR = "decision, ms of the worker's processor"
TOLD = re.compile(r"<(\d+)\.(.+\.)?settled\.")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


async def with_others_waiting(place: Place, say: Callable[[str], None]) -> dict[str, float]:
    """Decide one after the other while FEW wait, then while MANY do; milliseconds and megabytes.

    The requests that are decided were opened before all others that wait: a cache too small for all has lost them.
    """
    figures: dict[str, float] = {}
    async with deployment(place, "waiting") as running:
        figures["worker MB, nothing waiting"] = _megabytes(running.pid)
        asked = decided = 0
        for wanted in (FEW, MANY):
            oldest = await _open(running, asked, DECISIONS)
            asked += DECISIONS
            while (missing := wanted + DECISIONS - (asked - decided)) > 0:
                say(f"opening requests until {wanted} wait; {asked - decided - DECISIONS} do")
                more = min(SAID_EACH, missing)
                await _open(running, asked, more)
                asked += more
            say(f"{DECISIONS} decisions while {wanted} wait")
            figures |= await _measured(running, place.sink, oldest, f"{wanted:,} waiting")
            decided += DECISIONS
        figures[f"worker MB, {MANY:,} waiting"] = _megabytes(running.pid)
    for what in (P50, P99, PROCESSOR):
        few, many = figures[f"{what}, {FEW:,} waiting"], figures[f"{what}, {MANY:,} waiting"]
        figures[_ratio(what)] = many / few
    return figures


def over_its_limit(figures: Mapping[str, float]) -> list[str]:
    """A message that decisions take too long while many wait, if they do."""
    times = figures[_ratio(P99)]
    return [f"{_ratio(P99)} is {times:.2f}; it may be {MOST_TIMES}"] if times > MOST_TIMES else []


def _ratio(what: str) -> str:
    return f"ratio: {what}, {MANY:,} / {FEW:,} waiting"


async def _measured(running: Deployment, sink: Sink, approval_ids: list[int], when: str) -> dict[str, float]:
    before = _processor_seconds(running.pid)
    latencies = quantiles(await _decide(running, sink, approval_ids), n=100)
    worked = _processor_seconds(running.pid) - before
    return {
        f"{P50}, {when}": latencies[49],
        f"{P99}, {when}": latencies[98],
        f"{PROCESSOR}, {when}": worked / len(approval_ids) * 1000,
    }


async def _open(running: Deployment, first: int, count: int) -> list[int]:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> int:
        async with places:
            return await running.ask(number)

    return list(await asyncio.gather(*(one(first + n) for n in range(count))))


async def _decide(running: Deployment, sink: Sink, approval_ids: list[int]) -> list[float]:
    """Milliseconds from handing in each answer to the arrival of the requester's mail."""
    begun, started = time.perf_counter(), {}
    for approval_id in approval_ids:
        started[approval_id] = time.perf_counter()
        await approve(running, approval_id)
    await until(lambda: started.keys() <= _told(sink, begun).keys(), MAIL_SECONDS)
    told = _told(sink, begun)
    return [(told[approval_id] - started[approval_id]) * 1000 for approval_id in approval_ids]


def _told(sink: Sink, since: float) -> dict[int, float]:
    """When requesters were told the outcome, by request number; mails before `since` may be another measurement's."""
    mails = ((TOLD.match(mail), at) for (mail, to), at in sink.arrived.items() if to != APPROVER and at > since)
    return {int(match[1]): at for match, at in mails if match}


def _megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1000


def _processor_seconds(pid: int) -> float:
    """What a process has used: the 14th and 15th fields of proc_pid_stat(5), after a name that may hold anything."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND
