"""What admins are notified of without asking: once while it lasts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from countersign.client import Client
from engine.engine import Engine
from sandbox.temporal_server import free_port
from store import Store
from store.tables import notifications, policies

NOON = datetime(2024, 5, 14, 12, 0, tzinfo=UTC)
MAILBOX = "INBOX@imap.example.test"


async def engine_of(store: Store) -> Engine:
    return Engine(await Client.connect(f"127.0.0.1:{free_port()}", lazy=True), store)


@pytest_asyncio.fixture
async def at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine for which a mailbox is unread if the second look finds no progress."""
    monkeypatch.setattr("engine.alerts.UNREAD_FOR", timedelta(0))
    return await engine_of(store)


def alerts(store: Store) -> list[tuple[str, str]]:
    with store.database.reading() as connection:
        rows = connection.execute(notifications.select().order_by(notifications.c.written_at)).all()
    return [(row.person, row.fields["since"]) for row in rows]


async def test_the_admins_are_told_once_of_a_mailbox_that_is_read_no_further(store: Store, at_once: Engine) -> None:
    store.inboxes.read_through(MAILBOX, NOON)
    for _ in range(3):
        await at_once.alert_admins()
    await (await engine_of(store)).alert_admins()  # by a worker that starts meanwhile
    assert alerts(store) == [("ada", "Tue 14 May 2024, 12:00 UTC")]
    store.inboxes.read_through(MAILBOX, NOON + timedelta(hours=1))  # it could be read again, and then no longer
    await at_once.alert_admins()
    assert alerts(store)[1:] == [("ada", "Tue 14 May 2024, 13:00 UTC")]


async def test_a_mailbox_that_could_never_be_read_is_told_of_too(store: Store, at_once: Engine) -> None:
    store.inboxes.looking(MAILBOX, NOON)
    await at_once.alert_admins()
    assert alerts(store) == [("ada", "")]


async def test_nobody_is_told_before_a_quarter_of_an_hour_however_old_it_is(store: Store) -> None:
    store.inboxes.read_through(MAILBOX, NOON)  # no worker ran since
    engine = await engine_of(store)
    for _ in range(2):
        await engine.alert_admins()
    assert alerts(store) == []


async def test_without_a_policy_there_is_nobody_to_tell(store: Store, at_once: Engine) -> None:
    with store.database.transaction() as connection:
        connection.execute(policies.delete())
    store.inboxes.read_through(MAILBOX, NOON)
    await at_once.alert_admins()
    assert alerts(store) == []
