"""A round: requests, kills at chosen moments, and what must hold when all of it is over."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from countersign.models import Status
from store import Store
from store.tables import answers, events, notifications, requests
from tests.workflows.kills.facts import Facts, gather_facts
from tests.workflows.kills.invariants import INVARIANTS
from tests.workflows.kills.killer import Killer
from tests.workflows.kills.moments import ALWAYS, OF_POSTGRES, SOMETIMES, PlannedKill, Watch
from tests.workflows.kills.patience import PAUSE_SECONDS, insist, until_so
from tests.workflows.kills.people import People, Plan
from tests.workflows.people import policy
from tests.workflows.processes import Processes

DEVICES = 100
# These are asked for at the beginning, and have a minute, which ends while the worker is dead.
URGENT = [("silence", 1, "")] + [
    (kind, levels, channel)
    for kind in ("in time", "late")
    for levels, channel in ((1, "portal"), (1, "email"), (2, "portal"))
]
URGENT += [("around", 1, "portal"), ("around", 1, "email")]
BEFORE_DEADLINE, AFTER_DEADLINE = timedelta(seconds=10), timedelta(seconds=3)
REQUESTS_A_KILL = 3
MOST_REPORTED = 12
# If nothing new was recorded for this long, nothing will be: no pause before another try is that long.
QUIET_SECONDS = 75.0


def the_policy(rounds: int) -> str:
    """Urgent devices have a minute, the others an hour, so that no slow machine lets a request of theirs expire."""
    document = json.loads(policy())
    engineers = document["approval_workflows"][0]
    urgent = {"device_group": "urgent-databases", "name": "Engineers to urgent databases"}
    document["approval_workflows"].append(engineers | urgent)
    for group in ("web", "databases", "urgent-web", "urgent-databases"):
        devices = [f"{group}-{number}-{n}" for number in range(rounds) for n in range(DEVICES)]
        document["device_groups"].setdefault(group, {})["devices"] = devices
    for group in ("urgent-web", "urgent-databases"):
        document["device_groups"][group]["approval_status_change_to_expire"] = 1
    return json.dumps(document)


class Round:
    """One round. `number` is part of the seed, so that a round can be repeated by itself."""

    def __init__(self, number: int, seed: int, processes: Processes, store: Store, people: People) -> None:
        self.number = number
        self.dice = random.Random(f"{seed}-{number}")
        self.processes, self.store, self.people = processes, store, people
        self.killer = Killer(processes, store)
        self.plans: list[Plan] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def play(self) -> list[tuple[int, str]]:
        """Play the round; returns what went wrong, by the request's number."""
        began = time.monotonic()
        first = [self._begin(*one, urgent=True) for one in URGENT]
        await until_so(lambda: all(plan.number for plan in first), "all urgent requests are open")
        await asyncio.gather(self._kill_all(), self._be_dead_over_deadlines(first))
        await self._until_over()
        broken = [(0, f"not over: {one}") for one in await insist(self._left_over)]
        broken += [(0, repr(error)) for error in await asyncio.gather(*self.tasks, return_exceptions=True) if error]
        facts = await gather_facts(self.processes, self.store, self.plans, self.people.said, self.killer.kills)
        self._say(facts, time.monotonic() - began)
        return broken + [
            (number, f"{invariant.__name__.replace('_', ' ')}: {message}")
            for invariant in INVARIANTS
            for number, message in invariant(facts)
        ]

    async def _kill_all(self) -> None:
        kills = [*ALWAYS, *self.dice.sample(SOMETIMES, 2)]
        kills += self.dice.sample(OF_POSTGRES, 1) if "postgres" in self.processes.names else []
        self.dice.shuffle(kills)
        while kills:
            planned = kills.pop(0)
            if not await self._kill_with_requests(planned):
                kills.append(planned)

    async def _kill_with_requests(self, planned: PlannedKill) -> bool:
        watch = await insist(lambda: Watch(self.store, planned.moment, nth=self.dice.randint(1, 2)))
        for _ in range(REQUESTS_A_KILL):
            self._begin(self.dice.choice(planned.kinds), planned.levels, planned.by)
        return await self.killer.kill_at_moment(planned, self.dice, watch)

    async def _be_dead_over_deadlines(self, plans: Sequence[Plan]) -> None:
        deadlines = [(await self.people.view(plan.number)).deadline for plan in plans]
        left = min(deadlines) - BEFORE_DEADLINE - datetime.now(UTC)
        await asyncio.sleep(max(left.total_seconds(), 0.0))
        await self.killer.kill_until("worker", "before the deadlines", max(deadlines) + AFTER_DEADLINE)

    async def _until_over(self) -> None:
        """Wait until everybody has done what was planned and nothing is left over, or nothing happens any more."""
        last, since = 0, time.monotonic()
        while time.monotonic() - since < QUIET_SECONDS:
            version = await insist(self.store.events.last_version)
            if version > last:
                last, since = version, time.monotonic()
            if all(task.done() for task in self.tasks) and not await insist(self._left_over):
                return
            await asyncio.sleep(PAUSE_SECONDS)
        for plan, task in zip(self.plans, self.tasks, strict=True):
            task.cancel(f"somebody still waits in {plan}")

    def _begin(self, kind: str, levels: int, channel: str, urgent: bool = False) -> Plan:
        group = ("urgent-" if urgent else "") + ("databases" if levels == 2 else "web")
        device, requester = f"{group}-{self.number}-{len(self.plans)}", self.dice.choice(["alice", "bob"])
        plan = Plan(kind, levels, channel, device, requester)
        self.plans.append(plan)
        dice = random.Random(self.dice.random())
        self.tasks.append(asyncio.create_task(self.people.carry_out(plan, dice)))
        return plan

    def _left_over(self) -> list[str]:
        waits = {
            "a request waits": select(requests.c.approval_id).where(requests.c.status == Status.WAITING),
            "an answer is not judged": select(answers.c.approval_id).where(answers.c.state == "open"),
            "a notification is not sent": select(notifications.c.id).where(notifications.c.state == "waiting"),
        }
        # An answer that came too late to be stored is an event.
        stored = select(answers.c.approval_id, answers.c.person, answers.c.level).where(answers.c.channel == "email")
        refused = select(events.c.approval_id, events.c.who).where(
            events.c.channel == "email", events.c.kind == "answer_refused"
        )
        with self.store.database.reading() as connection:
            left = [f"{what}: {one}" for what, query in waits.items() for one in connection.execute(query).scalars()]
            read = {tuple(row) for query in (stored, refused) for row in connection.execute(query)}
        mailed = [(one.number, one.person, one.level) for one in self.people.said if one.heard == "mailed"]
        return left + [f"a mail is not read: {one}" for one in mailed if one not in read and one[:2] not in read]

    def _say(self, facts: Facts, seconds: float) -> None:
        missed = sum("did not come" in one.moment for one in self.killer.kills)
        print(f"round {self.number}: {len(self.plans)} requests, {len(facts.said)} answers, {seconds:.0f} s")
        print(f"{len(self.killer.kills)} kills and freezes, of which {missed} did not meet their moment")


def report(broken: Sequence[tuple[int, str]], played: Round, seed: int, database: str) -> str:
    """What went wrong, what was killed when, and the records of the requests concerned."""
    lines = [f"seed {seed}, round {played.number}, {database}: {len(broken)} invariants broken", ""]
    lines += [f"#{number} {message}" if number else message for number, message in broken[:MOST_REPORTED]]
    lines += ["", "killed:", *map(str, played.killer.kills)]
    for number in list(dict.fromkeys(one for one, _ in broken if one))[:MOST_REPORTED]:
        plan = next((plan for plan in played.plans if plan.number == number), None)
        lines += ["", f"the record of {plan or f'#{number}'}:"]
        lines += [
            f"{row.at:%H:%M:%S.%f} {row.kind} {row.who} {row.channel} {row.detail}"
            for row in played.store.events.of(number)
        ]
        lines += [f"said: {one}" for one in played.people.said if one.number == number]
    return "\n".join(lines)
