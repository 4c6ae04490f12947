"""An outbox with a real mail server, for the tests of what is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from countersign.channels import Sender
from engine.notifications.outbox import Outbox
from engine.policy import apply_policy
from notifiers.email.read_settings import email_channel
from notifiers.email.send import EmailSender
from sandbox.mail_server import MailServer
from sandbox.smtp import Faults
from store import Store
from store.tables import notifications
from tests.store.requests import opened, unsent
from tests.workflows.deployment import settings_for
from tests.workflows.people import policy

LONG_AGO = datetime.now(UTC) - timedelta(hours=1)


class Post:
    """An outbox with a database and a mail server of its own."""

    def __init__(self, store: Store, mail: MailServer, sender: EmailSender) -> None:
        self.store = store
        self.mail = mail
        self.sender = sender
        self.outboxes: list[Outbox] = []
        self.outbox = self.another_outbox({"email": sender})
        self.number = opened(store, device="vaults-1").approval_id

    def another_outbox(self, senders: Mapping[str, Sender]) -> Outbox:
        """An outbox like that of another worker."""
        outbox = Outbox(self.store, senders)
        self.outboxes.append(outbox)
        return outbox

    def due_now(self) -> None:
        """Make the next tries due now."""
        with self.store.database.transaction() as connection:
            connection.execute(notifications.update().values(retry_at=LONG_AGO))

    def waiting(self) -> list[str]:
        return sorted(row.person for row in unsent(self.store, self.number, 1))


@pytest_asyncio.fixture
async def post(sqlite_url: str) -> AsyncIterator[Post]:
    store = Store(sqlite_url)
    apply_policy(store, policy(), "ada")
    async with MailServer() as mail:
        config = email_channel(settings_for(sqlite_url, "127.0.0.1:1", "", mail)).config
        assert config is not None
        sender = EmailSender(config)
        post = Post(store, mail, sender)
        yield post
        mail.faults = Faults()
        for outbox in post.outboxes:
            await outbox.close()
        await sender.close()
    store.close()
