"""The worker as a process of its own, killed with SIGKILL: nothing is lost, and nothing happens twice."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from countersign.models import Status
from tests.workflows.deployment import Deployment, Request, environment_for, insist, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
REQUESTS = 12
KILLS = 3
# A worker needs about two seconds to start; it is killed at times from before it is ready until well after.
LIVES_SECONDS = (1.0, 4.0)


class WorkerProcess:
    """`python worker.py`, which can be started again and again; `settings` are further ones, by their names."""

    arguments: Sequence[str] = [str(ROOT / "worker.py")]

    def __init__(self, deployment: Deployment, log: Path, **settings: object) -> None:
        where = environment_for(deployment.database_url, deployment.address, deployment.namespace, deployment.mail)
        where |= {f"COUNTERSIGN_{name.upper()}": str(value) for name, value in settings.items()}
        self._environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}} | where
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *self.arguments, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def log(self) -> str:
        return self._log.read_text()


@pytest_asyncio.fixture(loop_scope="session")
async def process(asleep: Deployment, tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    """The worker's process, which does not run yet, and is killed at the end."""
    process = WorkerProcess(asleep, tmp_path / "worker.log")
    yield process
    await process.kill()


async def test_an_answer_stored_between_two_workers_is_judged_by_the_second(
    asleep: Deployment, process: WorkerProcess
) -> None:
    await process.start()
    question = asleep.question("alice")
    request = Request(asleep, question, await insist(lambda: asleep.client.ask(question, "ask", question.requester)))
    await request.until_mailed(grace=["asked"])
    await process.kill()
    answer = await request.store("grace", comment="while nobody was there")
    assert request.status is Status.WAITING
    await process.start()
    assert (await insist(lambda: asleep.engine.submit(answer))).accepted
    outcome = await request.outcome()
    assert (outcome.status, [one.answer_id for one in outcome.decisions]) == (Status.APPROVED, [answer.id])
    await request.until_mailed(alice=["settled"], grace=["asked", "settled"])
    assert request.lines() == [
        "opened alice",
        "level_started countersign",
        "answered grace",
        "approved grace",
        "granted alice",
    ]
    assert (await asleep.ask_for(request.question)).id == request.id


async def test_blows_at_any_moment_lose_nothing_and_double_nothing(asleep: Deployment, process: WorkerProcess) -> None:
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    await process.start()

    async def through(number: int) -> Request:
        await asyncio.sleep(dice.uniform(0, KILLS * sum(LIVES_SECONDS) / 2))
        question = asleep.question("alice", "databases")
        request = Request(
            asleep, question, await insist(lambda: asleep.client.ask(question, f"ask-{number}", question.requester))
        )
        for person, level in (("grace", 1), ("heidi", 2), ("ivan", 2)):
            await until(lambda level=level: request.asked_people(level))  # type: ignore[misc]
            answer = await request.store(person, level=level)
            judged = await insist(lambda answer=answer: asleep.engine.submit(answer))  # type: ignore[misc]
            assert judged.accepted, f"{judged.message} (seed {seed})"
        return request

    async def blows() -> None:
        for _ in range(KILLS):
            await asyncio.sleep(dice.uniform(*LIVES_SECONDS))
            await process.kill()
            await process.start()

    striking = asyncio.create_task(blows())
    requests = await asyncio.gather(*(through(number) for number in range(REQUESTS)))
    await striking
    for request in requests:
        outcome = await request.outcome()
        assert (outcome.status, request.status) == (Status.APPROVED, Status.APPROVED)
        people = ["grace approve 1", "heidi approve 2", "ivan approve 2"]
        assert request.decided() == people
        assert outcome.grant is not None
        assert outcome.grant == asleep.store.reading.request(request.id).grant
        once = [
            "opened alice",
            "level_started countersign",
            "answered grace",
            "level_started countersign",
            "answered heidi",
            "answered ivan",
            "approved ivan",
            "granted alice",
        ]
        assert [line for line in request.lines() if line != "asked_again alice"] == once, f"seed {seed}"
        await until(lambda request=request: request.lines("noticed").count("noticed alice") == 1)  # type: ignore[misc]
        told = Counter(request.lines("noticed"))
        assert told["noticed alice"] == 1
        assert all(told[f"noticed {one}"] <= 2 for one in ("grace", "heidi", "ivan", "ada"))  # asked and settled
    assert len({request.id for request in requests}) == REQUESTS
    versions = [row.version for row in asleep.store.events.since(0, limit=100_000)]
    assert versions == list(range(1, len(versions) + 1))
    assert "Nondeterminism" not in process.log
