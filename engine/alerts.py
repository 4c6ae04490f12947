"""Notifies admins of what nobody might notice in time: faults, and what expires within a week."""

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
from store.inboxes import NEVER_READ, inboxes_behind

UNREAD_FOR = timedelta(minutes=15)
WARN_BEFORE = timedelta(days=7)
# How often a worker looks for what expires.
TELL_OF_EXPIRY_EVERY = timedelta(minutes=10)


class Alerts:
    """Looks for inboxes that can't be read and for what expires soon, each time it is called.

    An inbox counts as unread when this process has seen for UNREAD_FOR that it was read no further.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources, self._store = resources, resources.store
        self._seen: dict[str, tuple[datetime, float]] = {}  # how far each inbox was read, and since when no further
        self._notified: set[str] = set()  # by this worker; the database knows what others have

    async def of_inboxes(self) -> None:
        """Notify the admins of each inbox that can't be read, once until it can be read again."""
        now = time.monotonic()
        rows = await self._resources.run(self._behind)
        self._seen = {row.inbox: self._since(row, now) for row in rows}
        for inbox, (read_through, since) in self._seen.items():
            if now - since >= UNREAD_FOR.total_seconds():
                # The field keeps the name that it has in notifications that were written before.
                fields = {"mailbox": inbox, "since": "" if read_through == NEVER_READ else moment(read_through)}
                await self._tell(GeneralEvent.INBOX_UNREAD, f"{inbox} {read_through.isoformat()}", fields)

    def _since(self, row: Row[Any], now: float) -> tuple[datetime, float]:
        read_through, since = self._seen.get(row.inbox, (None, now))
        return row.read_through, since if read_through == row.read_through else now

    def _behind(self) -> Sequence[Row[Any]]:
        with self._store.database.reading() as connection:
            return inboxes_behind(connection, datetime.now(UTC))

    async def of_expiry(self) -> None:
        """Notify the admins of service tokens and trusted authorities that expire within a week, once for each end."""
        now = datetime.now(UTC)
        soon = now + WARN_BEFORE
        for token in await self._resources.run(self._store.service_tokens.expiring, now, soon):
            if token.ends_at - token.created_at > WARN_BEFORE:  # what is made for a few days is meant to end
                await self._tell_of_end("service token", token.id, token.name, token.ends_at)
        for authority in await self._resources.run(self._store.certificates.authorities):
            if now < authority.ends_at <= soon:
                await self._tell_of_end("certificate authority", authority.id, authority.name, authority.ends_at)

    async def _tell_of_end(self, kind: str, its_id: str, name: str, ends_at: datetime) -> None:
        fields = {"kind": kind, "id": its_id, "name": name, "ends_at": moment(ends_at)}
        await self._tell(GeneralEvent.EXPIRING, f"{kind} {its_id}, {fields['ends_at']}", fields)

    async def _tell(self, event: GeneralEvent, key: str, fields: dict[str, str]) -> None:
        """Notify the admins, once for each key."""
        if key in self._notified:
            return
        with suppress(Refused):  # no policy was ever applied, so there is nobody to tell
            _, policy = await self._resources.run(self._store.policies.current)
            await self._resources.notify(event, key, policy.admins, fields)
            self._notified.add(key)
