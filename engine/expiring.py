"""What expires within a week: its admins are told, once, so that they renew it before something stops working."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from countersign.errors import Refused
from countersign.models import GeneralEvent
from countersign.times import moment
from engine.resources import Resources

TOLD_BEFORE = timedelta(days=7)
# How often a worker looks for it.
TELL_OF_EXPIRY_EVERY = timedelta(minutes=10)


class Expiring:
    """Looks, again and again, for what expires soon."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._told: set[str] = set()  # another worker may have told it before, which the database knows

    async def look(self) -> None:
        """Tell the admins of each service token and trusted authority that expires within a week, once for each end."""
        now, store = datetime.now(UTC), self._resources.store
        soon = now + TOLD_BEFORE
        for token in await self._resources.run(store.service_tokens.expiring, now, soon):
            if token.ends_at - token.created_at > TOLD_BEFORE:  # what is made for a few days is meant to end
                await self._tell("service token", token.id, token.name, token.ends_at)
        for authority in await self._resources.run(store.certificates.authorities):
            if now < authority.ends_at <= soon:
                await self._tell("certificate authority", authority.id, authority.name, authority.ends_at)

    async def _tell(self, kind: str, its_id: str, name: str, ends_at: datetime) -> None:
        fields = {"kind": kind, "id": its_id, "name": name, "ends_at": moment(ends_at)}
        key = f"{kind} {its_id}, {fields['ends_at']}"
        if key in self._told:
            return
        with suppress(Refused):  # no policy was ever applied, so there is nobody to tell
            _, policy = await self._resources.run(self._resources.store.policies.current)
            await self._resources.notify(GeneralEvent.EXPIRING, key, policy.admins, fields)
            self._told.add(key)
