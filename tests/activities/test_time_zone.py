"""With PostgreSQL's sessions in another time zone, what is stored, listed and mailed is the same time in UTC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import make_url, text

from countersign.times import moment
from engine.notifications.outbox import Outbox
from engine.policy import apply_policy
from notifiers.email.read_settings import email_channel
from notifiers.email.send import EmailSender
from sandbox.mail_server import MailServer
from sandbox.people import Person
from sandbox.postgres import Cluster
from store import Store
from tests.store.requests import approving, asking, given, opened, store_answer, write
from tests.workflows.deployment import settings_for
from tests.workflows.people import policy

BERLIN = "Europe/Berlin"


@pytest.fixture
def berlin_url(postgres: Cluster, postgres_url: str) -> str:
    postgres.run(f"ALTER DATABASE {make_url(postgres_url).database} SET timezone TO '{BERLIN}'")
    return postgres_url


@pytest_asyncio.fixture
async def mail() -> AsyncIterator[MailServer]:
    async with MailServer() as server:
        yield server


async def test_all_times_are_utc(berlin_url: str, mail: MailServer) -> None:
    store = Store(berlin_url)
    with store.database.reading() as connection:
        assert connection.execute(text("SHOW timezone")).scalar_one() == BERLIN
    apply_policy(store, policy(), "ada")
    before = datetime.now(UTC)
    number = opened(store).approval_id
    write(store, asking(number, "grace"))
    config = email_channel(settings_for(berlin_url, "127.0.0.1:1", "", mail)).config
    assert config is not None
    sender = EmailSender(config)
    outbox = Outbox(store, {"email": sender})
    await outbox.deliver(number, 1)
    write(store, approving(store_answer(store, given(number))))

    view = store.reading.request(number)
    assert view.grant is not None
    assert view.settled_at is not None
    answered = view.decisions[0].at
    for at in (view.opened_at, view.deadline, view.settled_at, view.grant.ends_at, answered):
        assert at.utcoffset() == timedelta(0)
    assert all(line.at.utcoffset() == timedelta(0) for line in store.events.of(number))
    assert before <= view.opened_at <= datetime.now(UTC)
    assert view.model_dump(mode="json")["deadline"].endswith("Z")
    with store.database.reading() as connection:
        stored = connection.execute(text("SELECT EXTRACT(EPOCH FROM deadline) FROM requests")).scalar_one()
    assert abs(float(stored) - view.deadline.timestamp()) < 0.001

    shown = await asyncio.to_thread(Person("grace", mail.smtp_port, mail.imap_port).wait_for_mail, number)
    body = shown.get_body(("plain",))
    assert body is not None
    assert moment(view.deadline) in " ".join(body.get_content().split())
    granted = next(line for line in store.events.of(number) if line.kind == "granted")
    assert moment(view.grant.ends_at) in granted.detail
    await outbox.close()
    await sender.close()
    store.close()
