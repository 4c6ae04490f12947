"""What the parts of the engine work with."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from countersign.client import Client
from countersign.models import GeneralEvent
from engine.notifications.general import write_to_enabled
from engine.notifications.outbox import Outbox
from engine.transactions import Transactions
from store import Store
from store.database import run_in

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Resources:
    """The Temporal client, the database, and the outbox.

    `executor` is where transactions run. Without an `outbox`, a worker's sweeper sends what is written here.
    """

    client: Client
    store: Store
    transactions: Transactions
    executor: Executor
    outbox: Outbox | None

    async def run(self, function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Do a transaction without blocking the event loop."""
        return await run_in(self.executor, function, *args, **named)

    async def notify(self, event: GeneralEvent, key: str, people: Collection[str], fields: Mapping[str, str]) -> None:
        """Notify people of something that isn't about a request, by every channel of the policy; once for each `key`.

        `fields` are what its templates show; the record only gets the key. People who are disabled, or not in the
        directory, are left out. Without an outbox, a worker sends it about a second later. Raises Refused if no policy
        was ever applied.
        """
        await self.run(write_to_enabled, self.store, event, key, people, fields)
        await self.send_new()

    async def send_new(self) -> None:
        """Send what was just written that isn't about a request; without an outbox, a worker does, a second later."""
        if self.outbox is not None:
            await self.outbox.send_new()

    def notifies(self, channel: str) -> bool:
        """Whether senders are notified of refusals on this channel."""
        return self.outbox is not None and channel in self.outbox.senders

    async def send_replies(self, approval_id: int) -> None:
        """Send what was just written to whoever answered; without an outbox, a worker's sweeper sends it."""
        if self.outbox is not None:
            await self.outbox.send_replies(approval_id)
