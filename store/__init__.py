"""The database: what pages list, the audit record, answers, grants, and the directory and policy."""

import asyncio
import logging
import time
from datetime import timedelta

from sqlalchemy import update

from store.answers import Answers
from store.audit import Audit
from store.certificates import Certificates
from store.database import Database
from store.database_errors import DatabaseUnavailable
from store.events import Events
from store.idempotency import Idempotency
from store.inboxes import Inboxes
from store.machines import ProvisioningKeys, ServiceTokens
from store.migrate import migrate
from store.notifications import Notifications
from store.numbers import Numbers
from store.passkeys import Passkeys
from store.policies import Policies
from store.reading import RequestReader
from store.registered_devices import RegisteredDevices
from store.requests import Requests
from store.sessions import Sessions
from store.shown_messages import ShownMessages
from store.tables import feed
from store.tokens import Tokens
from store.visibility import VisibleEvents
from store.workers import Workers

# How long a program that starts waits for its database, and the pause between tries.
START_PATIENCE = timedelta(seconds=60)
START_PAUSE_SECONDS = 0.5

log = logging.getLogger(__name__)


class Store:
    """All parts of the store, over one database, whose schema is brought up to date first.

    `live` are the channels whose messages are kept up to date.
    """

    def __init__(
        self,
        url: str,
        live: frozenset[str] = frozenset(),
    ) -> None:
        self.database = Database(url)
        self.live = live
        try:
            migrate(self.database)
        except BaseException:
            self.database.close()
            raise
        self.policies = Policies(self.database)
        self.notifications = Notifications(self.database)
        self.shown_messages = ShownMessages(self.database)
        self.requests = Requests(self.database)
        self.numbers = Numbers(self.database)
        self.answers = Answers(self.database)
        self.reading = RequestReader(self.database, self.policies)
        self.events = Events(self.database)
        self.audit = Audit(self.database, self.reading)
        self.inboxes = Inboxes(self.database)
        self.tokens = Tokens(self.database)
        self.service_tokens = ServiceTokens(self.database)
        self.provisioning_keys = ProvisioningKeys(self.database)
        self.sessions = Sessions(self.database)
        self.passkeys = Passkeys(self.database)
        self.registered_devices = RegisteredDevices(self.database, self.policies)
        self.certificates = Certificates(self.database)
        self.idempotency = Idempotency(self.database)
        self.visible_events = VisibleEvents(self.database)
        self.workers = Workers(self.database)

    def try_to_write(self) -> None:
        """Make a write that changes nothing. Raises Unavailable if it fails, for example on a full disk."""
        with self.database.transaction() as connection:
            connection.execute(update(feed).values(version=feed.c.version))

    @classmethod
    async def open_when_up(
        cls,
        url: str,
        live: frozenset[str] = frozenset(),
        patience: timedelta = START_PATIENCE,
    ) -> "Store":
        """Open the store, waiting for a database that is still starting.

        Raises DatabaseUnavailable when `patience` is over, or at once if waiting does not help.
        """
        over = time.monotonic() + patience.total_seconds()
        said = False
        while True:
            try:
                return await asyncio.to_thread(cls, url, live)
            except DatabaseUnavailable as error:
                if error.lasting or time.monotonic() > over:
                    raise
                if not said:
                    log.warning("%s; it is tried again for %d seconds", error.why, patience.total_seconds())
                said = True
            await asyncio.sleep(START_PAUSE_SECONDS)

    def close(self) -> None:
        """End the threads and connections."""
        self.database.close()
