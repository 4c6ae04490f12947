"""Settles requests whose workflow was ended in Temporal by other means, or lost there, and ends overdue grants."""

from datetime import UTC, datetime, timedelta
from functools import partial

from countersign.models import Status
from countersign.transitions import time_over, workflow_lost
from engine.concurrently import run_each
from engine.resources import Resources
from store import grants

# How many waiting requests are checked each time.
CHECKED_AT_ONCE = 20
# A grant that its workflow has still not ended this long after its end is ended here.
OVERDUE_AFTER = timedelta(minutes=1)


class Settling:
    """Looks for requests without a workflow, and for overdue grants."""

    def __init__(self, resources: Resources) -> None:
        self._run = resources.run
        self._transactions = resources.transactions
        self._client = resources.client
        self._requests = resources.store.reading
        self._database = resources.store.database
        self._checked_through = 0  # the number of the waiting request that was checked last

    async def settle_lost(self) -> None:
        """Check the waiting requests in turn, a few each time, and cancel those whose workflow has ended or was lost.

        Nothing else would ever settle them.
        """
        rows = await self._run(self._requests.waiting_after, self._checked_through, CHECKED_AT_ONCE)
        self._checked_through = rows[-1][0] if len(rows) == CHECKED_AT_ONCE else 0
        await run_each([partial(self._settle_if, *row) for row in rows])

    async def end_overdue(self) -> None:
        """End the grants that are still Active OVERDUE_AFTER past their end, whether Temporal can be reached or not."""
        now = datetime.now(UTC)
        late = await self._run(grants.overdue, self._database, now - OVERDUE_AFTER, CHECKED_AT_ONCE)
        end = self._transactions.granting.end
        await run_each([partial(self._run, end, time_over(approval_id, now)) for approval_id in late])

    async def settle_if_lost(self, approval_id: int) -> bool:
        """Do what `settle_lost` does for one request; returns whether it is settled now, perhaps by another process."""
        [row] = await self._run(self._requests.waiting_after, approval_id - 1, 1) or [(0, "", "")]
        return row[0] != approval_id or await self._settle_if(*row)

    async def _settle_if(self, approval_id: int, workflow_id: str, run_id: str) -> bool:
        """Cancel a request on record if its workflow is gone, unless that recorded the outcome before it ended."""
        if not await self._client.is_workflow_lost(workflow_id, run_id):
            return False
        view = await self._run(self._requests.request, approval_id)
        if view.status is Status.WAITING:
            transition = workflow_lost(approval_id, run_id, view.level, view.question.requester)
            await self._run(self._transactions.transitions.write, transition)
        return True
