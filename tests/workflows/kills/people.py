"""What people do by HTTP and mail while processes are killed, and what they were told."""

from __future__ import annotations

import asyncio
import imaplib
import random
import smtplib
import time
import uuid
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import select

from countersign.models import Status
from countersign.views import RequestView
from engine.credentials.tokens import TokenActions
from sandbox.people import NoSuchMail, Person, wants_answer
from store import Store
from store.tables import answers
from store.tokens import Owner
from tests.workflows.kills.patience import PAUSE_SECONDS, SETTLED_SECONDS, insist, until_so
from tests.workflows.people import PEOPLE
from tests.workflows.processes import Processes

LEVEL_1, LEVEL_2 = "grace", ("heidi", "ivan", "ada")
# How many seconds before or after a deadline its answers come.
IN_TIME, LATE, AROUND = (-8.0, -2.5), (0.3, 2.5), (-0.5, 0.5)
WHEN = {"in time": IN_TIME, "late": LATE, "around": AROUND}


@dataclass
class Plan:
    """One request: what its people will do. `answers_by` is the channel they answer by; either, if it is empty."""

    kind: str
    levels: int
    answers_by: str
    device: str
    requester: str
    number: int = 0
    withdrawn: bool = False
    revoked: bool = False

    def __str__(self) -> str:
        return f"#{self.number} ({self.kind}, {self.levels} levels, by {self.answers_by or 'either'}, {self.device})"


@dataclass(frozen=True)
class Said:
    """One answer, and what its person heard: accepted, refused, stored (it will be judged), or mailed (it was sent)."""

    number: int
    person: str
    level: int
    verdict: str
    channel: str
    heard: str
    sent_at: datetime
    heard_at: datetime


class People:
    """All of them, each with a token."""

    def __init__(self, processes: Processes, store: Store, http: httpx.AsyncClient) -> None:
        self.processes, self.store, self.http = processes, store, http
        self.tokens = {one: TokenActions(store).create(Owner(kind="person", name=one), "ada") for one in PEOPLE}
        self.said: list[Said] = []

    async def view(self, number: int) -> RequestView:
        return await insist(lambda: self.store.reading.request(number))

    async def carry_out(self, plan: Plan, dice: random.Random) -> None:
        """Carry out one request, from its question to whatever was planned."""
        body = {"device": plan.device, "protocol": "ssh", "reason": "a test"}
        asked = await self._post(plan.requester, "/requests", body, (200, 201))
        plan.number = asked.json()["approval_id"]
        if plan.kind == "silence":
            return
        if plan.kind in WHEN and plan.levels == 1:
            await self._until_deadline(plan, dice)
        withdrawal = self._cancel(plan, dice) if plan.kind == "cancel" else _nothing()
        await asyncio.gather(self._answer_all(plan, dice), withdrawal)
        if plan.kind == "revoke":
            await self._revoke(plan)

    async def _answer_all(self, plan: Plan, dice: random.Random) -> None:
        await self._answer(
            plan, dice, LEVEL_1, 1, "reject" if plan.kind == "reject" and plan.levels == 1 else "approve"
        )
        if plan.levels == 1:
            return
        await until_so(lambda: self._has_come_to(plan.number, 2), f"level 2 of {plan}")
        if (await self.view(plan.number)).level < 2:
            return
        if plan.kind in WHEN:
            await self._until_deadline(plan, dice)
        verdicts = {"reject": ["reject"], "opposed": ["approve", "reject", "approve"]}.get(plan.kind, ["approve"] * 3)
        answers = zip(LEVEL_2, verdicts, strict=False)
        await asyncio.gather(*(self._answer(plan, dice, person, 2, verdict) for person, verdict in answers))

    async def _until_deadline(self, plan: Plan, dice: random.Random) -> None:
        deadline = (await self.view(plan.number)).deadline
        at = deadline + timedelta(seconds=dice.uniform(*WHEN[plan.kind]))
        await asyncio.sleep(max((at - datetime.now(UTC)).total_seconds(), 0.0))

    async def _answer(self, plan: Plan, dice: random.Random, person: str, level: int, verdict: str) -> None:
        ways: dict[str, Callable[[Plan, str, int, str, bool], Awaitable[None]]]
        ways = {"email": self._by_mail, "portal": self._by_http}
        chosen = [plan.answers_by or dice.choice(["email", "portal", "portal"])]
        if plan.kind == "twice":
            chosen = list(ways)
        patient = dice.random() < 0.5
        await asyncio.gather(*(ways[one](plan, person, level, verdict, patient) for one in chosen))

    async def _by_http(self, plan: Plan, person: str, level: int, verdict: str, patient: bool) -> None:
        """Decide. The impatient are content with "stored", and don't ask again if the connection broke after that."""
        sent_at = datetime.now(UTC)

        own = (answers.c.person == person) & (answers.c.level == level) & (answers.c.channel == "portal")

        def stored() -> bool:
            with self.store.database.reading() as connection:
                query = select(answers.c.id).where(answers.c.approval_id == plan.number, own)
                return connection.execute(query).first() is not None

        body = {"verdict": verdict, "comment": "Wait until the audit is over.", "level": level}
        path = f"/requests/{plan.number}/decide"
        reply = await self._post(person, path, body, (200, 409) if patient else (200, 202, 409), stored)
        heard = {200: "accepted", 202: "stored", 409: "refused"}[reply.status_code]
        self._note(plan, person, level, verdict, "portal", heard, sent_at)

    async def _by_mail(self, plan: Plan, person: str, level: int, verdict: str, patient: bool) -> None:
        """Answer the mail that asks, as soon as there is one; nobody answers a mail that no longer asks."""
        at = Person(person, self.processes.smtp_port, self.processes.imap_port)
        text = "Approved" if verdict == "approve" else "Rejected\n\nWait until the audit is over."
        while (await self.view(plan.number)).status is Status.WAITING or plan.kind in WHEN:
            try:
                mail = await asyncio.to_thread(at.mail_about, plan.number)
                if wants_answer(mail):
                    sent_at = datetime.now(UTC)
                    await asyncio.to_thread(at.reply, mail, text)
                    self._note(plan, person, level, verdict, "email", "mailed", sent_at)
                    return
            except (NoSuchMail, OSError, imaplib.IMAP4.error, smtplib.SMTPException):
                pass
            await asyncio.sleep(PAUSE_SECONDS)

    def _note(
        self, plan: Plan, person: str, level: int, verdict: str, channel: str, heard: str, sent_at: datetime
    ) -> None:
        said = Said(plan.number, person, level, verdict, channel, heard, sent_at, datetime.now(UTC))
        self.said.append(said)

    async def _cancel(self, plan: Plan, dice: random.Random) -> None:
        await asyncio.sleep(dice.uniform(0, 3))
        reply = await self._post(plan.requester, f"/requests/{plan.number}/cancel", {"words": "not needed"}, (200, 409))
        plan.withdrawn = reply.status_code == 200

    async def _revoke(self, plan: Plan) -> None:
        await until_so(lambda: self._has_come_to(plan.number, 99), f"the end of {plan}")
        await self._post(LEVEL_1, f"/requests/{plan.number}/revoke", {"words": "enough"}, (200,))
        plan.revoked = True

    def _has_come_to(self, number: int, level: int) -> bool:
        view = self.store.reading.request(number)
        return view.level >= level or view.status is not Status.WAITING

    async def _post(
        self,
        person: str,
        path: str,
        body: dict[str, Any],
        good: Collection[int],
        stored: Callable[[], bool] | None = None,
    ) -> httpx.Response:
        """Post until there is a final reply, with one Idempotency-Key, as a program should.

        If 202 is enough, that is also the reply when the connection breaks after what was posted was stored.
        """
        headers = {"Authorization": f"Bearer {self.tokens[person]}", "Idempotency-Key": uuid.uuid4().hex}
        deadline = time.monotonic() + SETTLED_SECONDS
        while time.monotonic() < deadline:
            try:
                reply = await self.http.post(path, json=body, headers=headers)
                if reply.status_code in good:
                    return reply
                assert reply.status_code in (202, 429) or reply.status_code >= 500, f"{path}, {person}: {reply.text}"
            except httpx.TransportError:
                if stored and 202 in good and await insist(stored):
                    return httpx.Response(202)
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError(f"no reply to {path} of {person}")


async def _nothing() -> None:
    pass
