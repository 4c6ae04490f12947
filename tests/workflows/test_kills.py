"""All processes are killed and frozen at random moments while people ask and answer: nothing is lost, nothing doubled.

The seed is printed. `COUNTERSIGN_TEST_KILLS` is for how many minutes, `COUNTERSIGN_TEST_SEED` the seed to repeat.
"""

from __future__ import annotations

import asyncio
import imaplib
import os
import random
import time
import uuid
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from countersign.client import Client
from countersign.models import GrantStatus, Outcome, Status
from countersign.views import RequestView
from notifiers.email.token import masked
from sandbox.people import NoSuchMail, Person, wants_answer
from store import Store
from store.tables import answers, notifications, requests
from store.tokens import Owner
from tests.workflows.deployment import until
from tests.workflows.people import PEOPLE, policy
from tests.workflows.processes import Processes

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECONDS = 60 * float(os.environ.get("COUNTERSIGN_TEST_KILLS", "1"))
SEED = int(os.environ.get("COUNTERSIGN_TEST_SEED") or random.randrange(2**32))
REQUESTS = max(16, int(SECONDS / 3))
# From one blow to the next, how long a killed process is away, and how long a frozen one.
BETWEEN, AWAY, FROZEN = (0.5, 4.0), (0.0, 2.0), (0.5, 6.0)
TARGETS = {"worker": 4, "portal": 2, "mail": 2, "temporal": 1}
KINDS = ["approve", "approve", "reject", "opposed", "cancel", "revoke", "deadline", "deadline", "silence"]
# A request expires a minute after it was opened; a deadline waits another minute for a mailbox that can't be read.
SETTLED_SECONDS = 240.0
PAUSE_SECONDS = 0.3
# Copies a killed worker may send where the machine is busy (test_killed_sending.py), and a killed mail server, which
# had one mail of each connection and gave its word for none.
COPIES = {"worker": 3, "mail": 8}
SETTLED = {"approved", "rejected", "expired", "cancelled"}
LEVEL_2 = ["heidi", "ivan", "ada"]


class Life:
    """What people do by HTTP and mail, each request with dice of its own, and what they were told."""

    def __init__(self, processes: Processes, store: Store, http: httpx.AsyncClient) -> None:
        self.processes, self.store, self.http = processes, store, http
        self.tokens = {one: store.tokens.create(Owner(kind="person", name=one), "ada") for one in PEOPLE}
        self.asked: list[int] = []
        self.answered: list[tuple[int, str, bool]] = []  # approval id, person, accepted
        self.mailed: list[tuple[int, str]] = []
        self.undone: list[tuple[int, str]] = []

    def view(self, number: int) -> RequestView:
        return self.store.reading.request(number)

    def is_over(self, number: int) -> bool:
        return self.view(number).status is not Status.WAITING

    async def post(self, person: str, path: str, body: dict[str, Any]) -> httpx.Response:
        """Post until there is a final reply, with one Idempotency-Key, as a program should."""
        headers = {"Authorization": f"Bearer {self.tokens[person]}", "Idempotency-Key": uuid.uuid4().hex}
        deadline = time.monotonic() + SETTLED_SECONDS
        while time.monotonic() < deadline:
            try:
                reply = await self.http.post(path, json=body, headers=headers)
                if reply.status_code not in (202, 429) and reply.status_code < 500:
                    return reply
            except httpx.TransportError:
                pass
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError(f"no reply to {path} of {person}")

    async def answer(self, dice: random.Random, number: int, person: str, verdict: str = "approve") -> None:
        if dice.random() < 0.4:
            await self.by_mail(number, person, "Approved" if verdict == "approve" else "Rejected: not today")
            return
        body = {"verdict": verdict, "comment": "not today"}
        reply = await self.post(person, f"/requests/{number}/decide", body)
        assert reply.status_code in (200, 409), reply.text
        assert reply.status_code == 200 or reply.json()["detail"]
        self.answered.append((number, person, reply.status_code == 200))

    async def by_mail(self, number: int, person: str, text: str) -> None:
        """Answer the mail about a request, as soon as there is one; a mail that was taken counts as given."""
        at = Person(person, self.processes.smtp_port, self.processes.imap_port)
        while not self.is_over(number):
            try:
                mail = await asyncio.to_thread(at.mail_about, number)
                if wants_answer(mail):
                    await asyncio.to_thread(at.reply, mail, text)
                    self.mailed.append((number, person))
                    return
            except (NoSuchMail, OSError, imaplib.IMAP4.error):
                pass
            await asyncio.sleep(PAUSE_SECONDS)

    async def level(self, number: int, level: int) -> None:
        await until(lambda: self.view(number).level >= level or self.is_over(number), f"level {level}", SETTLED_SECONDS)

    async def through(self, count: int) -> None:
        """One request, from its question to whatever these dice choose."""
        dice = random.Random(f"{SEED}-{count}")
        kind, levels, requester = KINDS[count % len(KINDS)], dice.choice([1, 2]), dice.choice(["alice", "bob"])
        await asyncio.sleep(dice.uniform(0, SECONDS))
        device = f"{'databases' if levels == 2 else 'web'}-{count}"
        asked = await self.post(requester, "/requests", {"device": device, "protocol": "ssh", "reason": "a test"})
        assert asked.status_code in (200, 201), asked.text
        number = asked.json()["approval_id"]
        self.asked.append(number)
        if kind == "silence":
            return
        if kind == "deadline":
            left = self.view(number).deadline - datetime.now(UTC)
            await asyncio.sleep(max(0, left.total_seconds() + dice.uniform(-4, 1)))
        withdrawing = asyncio.create_task(self.cancel(dice, number, requester)) if kind == "cancel" else None
        await self.answer(dice, number, "grace", "reject" if kind == "reject" and levels == 1 else "approve")
        if levels == 2:
            await self.level(number, 2)
            verdicts = {"reject": ["reject"], "opposed": ["approve", "reject", "approve"]}.get(kind, ["approve"] * 3)
            # Nobody of level 2 may see a request that ended at level 1.
            people = zip(LEVEL_2 if self.view(number).level == 2 else [], verdicts, strict=False)
            await asyncio.gather(*(self.answer(dice, number, one, verdict) for one, verdict in people))
        if withdrawing:
            await withdrawing
        if kind == "revoke":
            await self.revoke(number)

    async def cancel(self, dice: random.Random, number: int, requester: str) -> None:
        await asyncio.sleep(dice.uniform(0, 3))
        reply = await self.post(requester, f"/requests/{number}/cancel", {"words": "not needed"})
        self.undone += [(number, "cancel")] if reply.status_code == 200 else []

    async def revoke(self, number: int) -> None:
        await until(lambda: self.is_over(number), f"#{number} is settled", SETTLED_SECONDS)
        reply = await self.post("grace", f"/requests/{number}/revoke", {"words": "enough"})
        self.undone += [(number, "revoke")] if reply.status_code == 200 else []


async def strike(processes: Processes) -> None:
    """Kill and freeze, one process after the other or two at once, for as long as the test is to take."""
    dice = random.Random(SEED)
    over = time.monotonic() + SECONDS
    while time.monotonic() < over:
        await asyncio.sleep(dice.uniform(*BETWEEN))
        hit = set(dice.choices(list(TARGETS), list(TARGETS.values()), k=dice.choice([1, 1, 2])))
        blows = [
            processes.kill(one, dice.uniform(*AWAY))
            if dice.random() < 0.7
            else processes.freeze(one, dice.uniform(*FROZEN))
            for one in sorted(hit)
        ]
        await asyncio.gather(*blows)


def left_over(store: Store) -> list[str]:
    """What is not over yet."""
    waits = {
        "waiting requests": select(requests.c.approval_id).where(requests.c.status == Status.WAITING),
        "open answers": select(answers.c.id).where(answers.c.state == "open"),
        "unsent notifications": select(notifications.c.id).where(notifications.c.state == "waiting"),
    }
    with store.database.reading() as connection:
        return [what for what, query in waits.items() if connection.execute(query).first()]


@pytest.mark.skipif("TEMPORAL_ADDRESS" in os.environ, reason="somebody else's Temporal is not killed")
@pytest.mark.no_cover
@pytest.mark.timeout(SECONDS + 3 * SETTLED_SECONDS)
async def test_kills_and_freezes_at_any_moment_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'countersign.db'}"
    store = Store(url)
    groups = {group: {"devices": [f"{group}-{n}" for n in range(REQUESTS)]} for group in ("web", "databases")}
    store.policies.apply(policy(approval_status_change_to_expire=1, device_groups=groups), "ada")
    try:
        async with (
            Processes(tmp_path, url) as processes,
            httpx.AsyncClient(base_url=processes.portal_url, timeout=15) as http,
        ):
            life = Life(processes, store, http)
            await asyncio.gather(strike(processes), *(life.through(count) for count in range(REQUESTS)))
            await until(lambda: not left_over(store), f"all is over (seed {SEED})", SETTLED_SECONDS)
            print(f"seed {SEED}: kills {dict(processes.kills)}, freezes {dict(processes.freezes)}, {REQUESTS} requests")
            print(f"answers {len(life.answered)} by HTTP and {len(life.mailed)} by mail, undone {len(life.undone)}")
            client = await Client.connect(processes.temporal_address)
            for number in life.asked:
                await must_have_one_outcome(store, client, number)
            must_have_heard_the_truth(life)
            await must_be_mailed(life)
            assert "Nondeterminism" not in processes.log("worker").read_text()
    finally:
        store.close()


async def must_have_one_outcome(store: Store, client: Client, number: int) -> None:
    """The record, the row and the workflow's result are one; each decision is another person's."""
    view = store.reading.request(number)
    where = f"#{number}, seed {SEED}"
    lines = store.events.of(number)
    assert [line.kind for line in lines if line.kind in SETTLED] == [view.status.value.lower()], where
    with store.database.reading() as connection:
        row = connection.execute(select(requests).where(requests.c.approval_id == number)).one()
        judged = connection.execute(select(answers).where(answers.c.approval_id == number)).all()
    handle = client.temporal.get_workflow_handle(row.workflow_id, run_id=row.run_id, result_type=Outcome)
    outcome = await asyncio.wait_for(handle.result(), SETTLED_SECONDS)
    assert (outcome.approval_id, outcome.status, outcome.words) == (number, view.status, view.words), where
    people = [(one.level, one.person) for one in view.decisions]
    assert len(set(people)) == len(people), where
    approved = Counter(one.level for one in view.decisions if one.verdict == "approve")
    if view.status is Status.APPROVED:
        assert approved == ({1: 1, 2: 2} if view.levels == 2 else {1: 1}), where
        assert [line.kind for line in lines].count("granted") == 1, where
    assert (view.grant is not None) == (view.status is Status.APPROVED), where
    assert all(one.state == "accepted" or one.words for one in judged), where


def must_have_heard_the_truth(life: Life) -> None:
    """What people were told is what is on record, and every answer that was taken is there."""
    assert len(set(life.asked)) == REQUESTS
    with life.store.database.reading() as connection:
        rows = connection.execute(select(answers)).all()
    states: dict[tuple[int, str], set[str]] = {}
    for row in rows:
        states.setdefault((row.approval_id, row.person), set()).add(row.state)
    for number, person, accepted in life.answered:
        # One post is one answer, however often it was repeated.
        assert states[number, person] == {"accepted" if accepted else "refused"}, f"#{number}: {person}, seed {SEED}"
    for number, person in life.mailed:
        about = [line.kind for line in life.store.events.of(number) if line.who == person]
        assert {"answered", "answer_refused"} & set(about), f"#{number}: the mail of {person} is lost, seed {SEED}"
    for number, how in life.undone:
        view = life.view(number)
        done = view.status is Status.CANCELLED if how == "cancel" else view.grant and view.grant.status
        assert done in (True, GrantStatus.REVOKED), f"#{number}: {how}, seed {SEED}"
    versions = [line.version for line in life.store.events.since(0, limit=1_000_000)]
    assert versions == list(range(1, len(versions) + 1))


async def must_be_mailed(life: Life) -> None:
    """Each notification was sent, unless it came too late, and is in an inbox, where few are twice."""
    with life.store.database.reading() as connection:
        written = connection.execute(select(notifications)).all()
    rows = [row for row in written if row.state == "sent"]
    # What may have got through twice is not sent again.
    sure = [row for row in written if row.state != "unreachable" or not row.unconfirmed]
    assert {row.state for row in sure} <= {"sent", "moot"}, f"seed {SEED}"
    told = {(row.approval_id, row.person) for row in written if row.event == "settled" and row.state != "moot"}
    assert {(number, life.view(number).question.requester) for number in life.asked} <= told, f"seed {SEED}"
    kills = life.processes.kills
    live_messages = 0
    for person in PEOPLE:
        at = Person(person, life.processes.smtp_port, life.processes.imap_port)
        found = Counter(masked(str(mail["Message-ID"])) for mail in await asyncio.to_thread(at.inbox))
        assert {row.reference for row in rows if row.person == person} <= found.keys(), f"{person}, seed {SEED}"
        assert max(found.values(), default=1) <= 1 + sum(kills.values()), f"{person}, seed {SEED}"
        live_messages += found.total() - len(found)
    print(f"{len(rows)} notifications, {live_messages} second copies")
    assert live_messages <= sum(COPIES[name] * kills[name] for name in COPIES), f"seed {SEED}"
