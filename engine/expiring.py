"""What expires within a week: its admins are told, once, so that they renew it before something stops working."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from countersign.errors import Refused
from countersign.machines import ServiceToken
from countersign.models import GeneralEvent
from countersign.policy_changes import admins
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
        """Tell the admins of each service token that expires within a week, once for each end that it gets."""
        now, store = datetime.now(UTC), self._resources.store
        for token in await self._resources.run(store.service_tokens.expiring, now, now + TOLD_BEFORE):
            if token.ends_at - token.created_at > TOLD_BEFORE:  # what is made for a few days is meant to end
                await self._tell(_of_token(token))

    async def _tell(self, fields: dict[str, str]) -> None:
        """`fields` name the `kind` of thing, its `id` and `name`, and when it `ends_at`."""
        key = f"{fields['kind']} {fields['id']}, {fields['ends_at']}"
        if key in self._told:
            return
        with suppress(Refused):  # no policy was ever applied, so there is nobody to tell
            _, policy = await self._resources.run(self._resources.store.policies.current)
            await self._resources.notify(GeneralEvent.EXPIRING, key, admins(policy), fields)
            self._told.add(key)


def _of_token(token: ServiceToken) -> dict[str, str]:
    return {"kind": "service token", "id": token.id, "name": token.name, "ends_at": moment(token.ends_at)}
