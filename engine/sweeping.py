"""Applies a new policy, and what was reported about people, to open requests and grants (rules 4 and 6)."""

from contextlib import suppress
from functools import partial

from countersign.errors import NotFound, Refused
from countersign.transitions import Revoke
from engine.concurrently import run_each
from engine.resources import Resources
from engine.undoing import Undoing


class Sweeping:
    """Checks what is open, again and again."""

    def __init__(self, resources: Resources, undoing: Undoing) -> None:
        self._run = resources.run
        self._transactions = resources.transactions
        self._client = resources.client
        self._requests = resources.store.reading
        self._undoing = undoing

    async def enforce_directory(self) -> None:
        """Recheck requests whose people are less available, and revoke grants that the policy ends (rules 4 and 6)."""
        try:
            to_recheck = await self._run(self._transactions.rechecks.due)
        except Refused:
            return  # no policy was ever applied, so nothing is open
        to_revoke = await self._run(self._transactions.granting.to_revoke)
        rechecks = [partial(self._recheck, approval_id) for approval_id in to_recheck]
        await run_each([*rechecks, *(partial(self._revoke, revocation) for revocation in to_revoke)])

    async def _revoke(self, revocation: Revoke) -> None:
        view = await self._run(self._requests.request, revocation.approval_id)
        await self._undoing.end(view, revocation)

    async def _recheck(self, approval_id: int) -> None:
        """Have a request check again who may act, unless it has ended."""
        workflow_id = await self._run(self._requests.workflow_of, approval_id)
        with suppress(Refused, NotFound):
            await self._client.recheck(workflow_id, approval_id)
