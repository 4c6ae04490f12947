"""Faults that admins are told of, as nobody might notice them."""

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from countersign.errors import Refused
from countersign.models import GeneralEvent
from countersign.times import moment
from engine.resources import Resources
from store.mails import NEVER_READ, mailboxes_behind

UNREAD_FOR = timedelta(minutes=15)


class Alerts:
    """Looks, again and again, whether what runs by itself still does.

    A mailbox counts as unread when this process has seen for UNREAD_FOR that it was read no further.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._seen: dict[str, tuple[datetime, float]] = {}  # how far each mailbox was read, and since when no further
        self._told: set[tuple[str, datetime]] = set()

    async def look(self) -> None:
        """Tell the admins of each mailbox that can't be read, once until it could be again."""
        now = time.monotonic()
        rows = await self._resources.run(self._behind)
        self._seen = {row.mailbox: self._since(row, now) for row in rows}
        at_least = UNREAD_FOR.total_seconds()
        unread = {row.mailbox: row.read_through for row in rows if now - self._seen[row.mailbox][1] >= at_least}
        self._told &= unread.items()
        for mailbox, read_through in unread.items() - self._told:
            with suppress(Refused):  # no policy was ever applied, so there is nobody to tell
                await self._tell(mailbox, read_through)
                self._told.add((mailbox, read_through))

    async def _tell(self, mailbox: str, read_through: datetime) -> None:
        _, policy = await self._resources.run(self._resources.store.policies.current)
        fields = {"mailbox": mailbox, "since": "" if read_through == NEVER_READ else moment(read_through)}
        # Another worker may have told it before.
        key = f"{mailbox} {read_through.isoformat()}"
        await self._resources.notify(GeneralEvent.MAILBOX_UNREAD, key, policy.admins, fields)

    def _since(self, row: Row[Any], now: float) -> tuple[datetime, float]:
        read_through, since = self._seen.get(row.mailbox, (None, now))
        return row.read_through, since if read_through == row.read_through else now

    def _behind(self) -> Sequence[Row[Any]]:
        with self._resources.store.database.reading() as connection:
            return mailboxes_behind(connection, datetime.now(UTC))
