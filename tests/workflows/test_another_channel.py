"""A channel is added by its parts and its line in the list: here, in this one file. It reads letters in a folder."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import WorkflowExecutionStatus

import notifiers
import worker
from countersign.checks import Check
from countersign.directory import CHANNELS, Policy
from countersign.models import Status, Verdict
from countersign.notifications import Notification, SubmittedAnswer
from countersign.views import Explained, Finding
from engine.credentials.tokens import TokenActions
from notifiers.base import Channel, Inbox
from notifiers.engine import Engine, Ledger
from portal.__main__ import plan
from portal.api.routes import PREFIX
from portal.app import create_app
from portal.server import Server
from settings import Settings
from store.inboxes import inboxes_behind
from store.tokens import Owner
from tests.http_clients import plain_client
from tests.portal.context import serving
from tests.workflows.deployment import POLL_SECONDS, Deployment, new_namespace, until, until_after
from tests.workflows.people import policy

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAME = "letters"


@dataclass(frozen=True)
class LetterSender:
    """Writes each notification as a file."""

    folder: Path

    async def send(self, notification: Notification) -> str:
        """Write a file whose name says for whom it is, and what about."""
        file = self.folder / f"{notification.to.id} {notification.approval_id} {notification.event}"
        await asyncio.to_thread(file.touch)
        return file.name

    async def close(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True)
class LetterReader:
    """Takes each file in a folder as an answer; the folder may be missing for a while."""

    folder: Path
    engine: Engine
    ledger: Ledger

    async def run(self, beat: Callable[[], None]) -> None:
        """Look again and again."""
        while True:
            beat()
            at = datetime.now(UTC)
            await asyncio.to_thread(self.ledger.looking, NAME, at)
            if self.folder.exists():
                for file in sorted(self.folder.glob("*.json")):
                    await self._take(file)
                await asyncio.to_thread(self.ledger.read_through, NAME, at)
            await asyncio.sleep(POLL_SECONDS)

    async def _take(self, file: Path) -> None:
        answer = await self.engine.store_answer(await asyncio.to_thread(_read, file))
        await asyncio.to_thread(file.unlink)
        await self.engine.submit(answer)


def _read(file: Path) -> SubmittedAnswer:
    at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    about = {"channel": NAME, "source_id": file.name, "level": 1, "verdict": Verdict.APPROVE, "at": at}
    return SubmittedAnswer.model_validate(about | json.loads(file.read_text()))


class LetterLinks:
    """Links whose secret anybody could guess."""

    def secret(self, link_id: str) -> str:
        """Its id, stamped."""
        return f"stamped-{link_id}"

    def is_secret(self, link_id: str, given: str) -> bool:
        """Whether it is stamped so."""
        return given == self.secret(link_id)


@dataclass(frozen=True)
class Letters:
    """The two folders, and a way to write into the one that is read."""

    sent: Path
    received: Path

    def channel(self) -> Channel:
        """The channel."""
        return Channel(
            name=NAME,
            checks=[Check(NAME, "folder", self._check)],
            sender=partial(LetterSender, self.sent),
            inbox=Inbox(NAME, "read_letters", partial(LetterReader, self.received)),
            explainers={"application/json": lambda _: _explained},
            sign_in_links=LetterLinks(),
        )

    async def _check(self, policy: Policy | None) -> list[Finding]:
        return [Finding(part=NAME, state="ok", about="folder", message="can be read")]

    def write(self, person: str, number: int, at: datetime) -> None:
        """Somebody approves by a letter that arrives at this moment."""
        file = self.received / f"{number}.part"
        file.write_text(json.dumps({"person": person, "approval_id": number}))
        os.utime(file, (at.timestamp(), at.timestamp()))
        file.rename(file.with_suffix(".json"))


async def _explained(raw: bytes) -> Explained:
    written = json.loads(raw)
    return Explained(report={"letter": written}, has_sender=True, sender=written["person"], token_of="")


@pytest.fixture
def letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Letters:
    """Add the channel of letters to everything that runs in this process."""
    made = Letters(tmp_path / "sent", tmp_path / "received")
    for folder in (made.sent, made.received):
        folder.mkdir()
    listed = notifiers.channels

    def channels(settings: Settings) -> list[Channel]:
        return [*listed(settings), made.channel()]

    for module in (notifiers, worker):
        monkeypatch.setattr(module, "channels", channels)
    monkeypatch.setattr("countersign.policy.check.CHANNELS", (*CHANNELS, NAME))
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def deployment(temporal_address: str, sqlite_url: str, letters: Letters) -> AsyncIterator[Deployment]:
    """An engine that asks and reads by mail and by letters, once its worker runs."""
    namespace = await new_namespace(temporal_address)
    async with Deployment(temporal_address, namespace, sqlite_url, awake=False) as deployment:
        deployment.apply(policy(channels={"email": "decide", NAME: "decide"}, approval_status_change_to_expire="5s"))
        deployment.read_mailbox()
        yield deployment


def behind(deployment: Deployment) -> list[str]:
    """The inboxes that were not read up to now."""
    with deployment.store.database.reading() as connection:
        return [row.inbox for row in inboxes_behind(connection, datetime.now(UTC))]


async def test_it_tells_and_is_answered_beside_a_mailbox(deployment: Deployment, letters: Letters) -> None:
    deployment.apply(policy(channels={"email": "decide", NAME: "decide"}))
    deployment.start_worker()
    by_mail, by_letter = await deployment.ask("alice"), await deployment.ask("bob")
    grace = deployment.person("grace")
    mail = await asyncio.to_thread(grace.wait_for_mail, by_mail.id)
    await asyncio.to_thread(grace.reply, mail, "Approved")
    await until((letters.sent / f"grace {by_letter.id} asked").exists)
    letters.write("grace", by_letter.id, datetime.now(UTC))
    assert (await by_mail.outcome()).decisions[0].channel == "email"
    assert (await by_letter.outcome()).decisions[0].channel == NAME
    await until((letters.sent / f"bob {by_letter.id} settled").exists)
    for job in ("watch_mailbox", "read_letters"):
        found = await deployment.client.temporal.get_workflow_handle(f"standing:{job}").describe()
        assert found.status is WorkflowExecutionStatus.RUNNING


async def test_an_expiry_waits_for_it_and_admins_are_told_while_it_cannot_be_read(
    deployment: Deployment, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.alerts.UNREAD_FOR", timedelta(0))
    monkeypatch.setattr("activities.periodic_tasks.PAUSE", timedelta(seconds=1))
    away = letters.received.rename(letters.received.with_name("away"))
    deployment.start_worker()
    await until(lambda: NAME in behind(deployment), "somebody looks for letters")
    request = await deployment.ask("alice")
    await until_after(request.deadline + timedelta(seconds=1))
    assert request.status is Status.WAITING
    await until((letters.sent / "ada None mailbox_unread").exists)
    Letters(letters.sent, away).write("grace", request.id, request.deadline - timedelta(milliseconds=1))
    away.rename(letters.received)
    outcome = await request.outcome()
    assert (outcome.status, outcome.decisions[0].channel) == (Status.APPROVED, NAME)


async def test_the_portal_knows_its_checks_links_and_letters_and_leaves_reading_them_to_the_worker(
    deployment: Deployment,
) -> None:
    deployment.settings = deployment.settings.model_copy(update={"public_url": "https://access.example.test"})
    planned = plan(deployment.settings)
    assert NAME not in planned.listeners
    assert list(planned.site.links) == ["email", NAME]
    assert planned.site.is_link("ab12", "stamped-ab12")
    token = TokenActions(deployment.store).create(Owner(kind="person", name="ada"), "tests")
    async with (
        serving(Server(create_app(planned), "127.0.0.1", 0)) as url,
        plain_client(base_url=url + PREFIX, headers={"Authorization": f"Bearer {token}"}) as client,
    ):
        found = (await client.get("/doctor")).json()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        letter = await client.post("/replies/explain", content=b'{"person": "grace"}', headers=headers)
        mail = await client.post("/replies/explain", content=b"From: grace@example.test\r\n\r\nApproved\r\n")
    assert [one["about"] for one in found if one["part"] == NAME] == ["folder"]
    assert letter.json() == {"letter": {"person": "grace"}}
    assert mail.json()["reply"]["verdict"] == "approve"
