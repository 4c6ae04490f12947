"""The heartbeat of a worker: others see by it that it is alive, and by which channels it sends."""

import logging
from collections.abc import Collection

from countersign.errors import Refused
from countersign.policy.reach import channels_on
from engine.notifications.outbox import Outbox
from store import Store
from store.workers import this_worker

log = logging.getLogger(__name__)


class Heartbeat:
    """Writes that this worker is there; reads which channels others have, and warns of those that are missing."""

    def __init__(self, store: Store, outbox: Outbox, task_queue: str) -> None:
        self._store = store
        self._outbox = outbox
        self._worker = this_worker(outbox.senders, task_queue)
        self._said = ""

    async def beat(self) -> None:
        """Write it now."""
        channels, used = await self._store.database.run(self._renewed)
        elsewhere = self._outbox.elsewhere = channels - self._outbox.senders.keys()
        message = "; ".join(_lacking(name, elsewhere) for name in used if name not in self._outbox.senders)
        if message and message != self._said:
            log.warning("channels of the policy that this worker lacks: %s", message)
        self._said = message

    async def end(self) -> None:
        """Write that this worker stops. Raises Unavailable."""
        await self._store.database.run(self._store.workers.end, self._worker)

    def _renewed(self) -> tuple[frozenset[str], list[str]]:
        seen_at = self._store.workers.renew(self._worker).seen_at
        try:
            used = channels_on(self._store.policies.current()[1])
        except Refused:  # no policy was ever applied
            used = []
        return self._store.workers.channels(seen_at), used


def _lacking(channel: str, elsewhere: Collection[str]) -> str:
    if channel in elsewhere:
        return f"{channel}, which is left to the workers that have it"
    return f"{channel}, which no worker has, so that nobody can be reached by it"
