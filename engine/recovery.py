"""Recovers from crashes: see docs/recovery.md.

Whatever dies, a transition is made twice at most and written once, and a stored answer is judged. Temporal may lose
what is on record when a whole machine dies; the answers that counted are then sent to its workflows again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row

from countersign.errors import NotFound, NotYet, Refused, Unavailable
from countersign.models import Answer, Status
from countersign.transitions import RecordedTransition, Settled, Transition
from engine.concurrently import run_each
from store import grants, transition_keys
from store.answers import decisions_of
from store.many_rows import by_request

if TYPE_CHECKING:  # it imports the transactions, which import this module
    from engine.resources import Resources

# A younger answer is still being submitted.
LEFT_OVER_AFTER = timedelta(seconds=15)
# How many requests' workflows are reminded in one batch.
REMINDED_AT_ONCE = 100


# --- a transition that is made again ----------------------------------------------------------------------------------


def written_before(connection: Connection, transition: Transition, row: Row[Any]) -> RecordedTransition:
    """The result of a transition that was written before; or, if it came too late, how the request had ended."""
    number = transition_keys.number_of(connection, transition.approval_id, transition.key)
    grant = grants.terms_of(connection, transition.approval_id)
    # Two people who cancel use the same key. And a workflow may have forgotten what came after a transition.
    as_on_record = number and (
        row.status == Status.WAITING or (row.status, row.message) == (transition.status, transition.message)
    )
    return RecordedTransition(number=number, instead=None if as_on_record else settled(connection, row), grant=grant)


def end_alone(transition: Transition) -> Transition:
    """The part of a transition that ends the request, as its other parts were written before.

    A workflow that counts the same answers again, in another order, may settle the request with a transition that
    was written before without settling it.
    """
    nothing_else: dict[str, Any] = {"decision": None, "asked": [], "availability": {}, "lapsed": []}
    end = {"key": f"{transition.key}.end", "events": transition.events[-1:]}
    return transition.model_copy(update=nothing_else | end)


def settled(connection: Connection, row: Row[Any]) -> Settled:
    """How a request ended, as the record says."""
    return Settled(status=Status(row.status), message=row.message, decisions=decisions_of(connection, row.approval_id))


# --- a workflow that has forgotten ------------------------------------------------------------------------------------


async def submit_counted_again(resources: Resources, workflow_ids: Mapping[int, str]) -> None:
    """Submit again, to the workflows of these requests, the answers that counted.

    If a workflow knows them, or has ended, this changes nothing. Raises Unavailable after all requests were tried.
    """

    async def again(answer: Answer) -> None:
        with suppress(Refused, NotFound, NotYet):
            await resources.client.decide(workflow_ids[answer.approval_id], answer)

    await _in_turn(again, await resources.run(resources.store.answers.counted_of, *workflow_ids))


# --- answers that were left over --------------------------------------------------------------------------------------


class Recovery:
    """Submits what a crash left open. `submit` has a request judge a stored answer."""

    def __init__(self, resources: Resources, submit: Callable[[Answer], Awaitable[object]]) -> None:
        self._resources = resources
        self._run = resources.run
        self._requests = resources.store.reading
        self._answers = resources.store.answers
        self._submit = submit
        self._reminded_to = datetime.now(UTC), 0  # the deadline and the number of a request
        self._not_reminded: Unavailable | None = None  # why a workflow couldn't be reminded

    async def submit_left_over(self) -> None:
        """Submit the answers that were stored but, after a crash, not judged; those to one request in turn."""
        left_over = await self._run(self._answers.waiting, datetime.now(UTC) - LEFT_OVER_AFTER)
        await _in_turn(self._submit, left_over)

    async def remind_workflows(self) -> None:
        """Submit again the answers that counted, for workflows that lost them and would wait until the deadline.

        Temporal may have lost them when a whole machine died; for all other workflows this changes nothing. A call
        goes on from where a cancelled one stopped. Raises Unavailable after all requests were tried; the next call then
        starts over.
        """
        while some := await self._run(self._requests.expiring_after, *self._reminded_to, REMINDED_AT_ONCE):
            workflow_ids = {approval_id: workflow_id for approval_id, workflow_id, _ in some}
            try:
                await submit_counted_again(self._resources, workflow_ids)
            except Unavailable as error:
                self._not_reminded = error
            last, _, deadline = some[-1]
            self._reminded_to = deadline, last
        failed, self._not_reminded = self._not_reminded, None
        if failed is not None:
            self._reminded_to = datetime.now(UTC), 0
            raise failed


async def _in_turn(submit: Callable[[Answer], Awaitable[object]], answers: Sequence[Answer]) -> None:
    """Submit answers: those to one request one after another."""

    async def to_one(its: Sequence[Answer]) -> None:
        for answer in its:
            await submit(answer)

    await run_each([partial(to_one, its) for its in by_request(answers).values()])
