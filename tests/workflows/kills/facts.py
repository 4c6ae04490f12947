"""Everything that is known of a round of requests once it is over: the database, the inboxes, Temporal, the people."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, select
from temporalio.service import RPCError

from countersign.client import Client, grant_workflow
from countersign.models import Outcome, Status
from notifiers.email.token import masked
from sandbox.people import Person
from store import Store
from store.tables import answers, approvers, events, grants, notifications, requests
from tests.workflows.kills.killer import Kill
from tests.workflows.kills.patience import SETTLED_SECONDS
from tests.workflows.kills.people import Plan, Said
from tests.workflows.people import PEOPLE
from tests.workflows.processes import Processes

Rows = Sequence[Row[Any]]


@dataclass(frozen=True)
class Facts:
    """`outcomes` are the results of the workflows, by number, and `inboxes` the Message-IDs that each person got.

    `lasting` are the numbers whose grant has a workflow in Temporal.
    """

    plans: dict[int, Plan]
    said: list[Said]
    kills: list[Kill]
    requests: dict[int, Row[Any]]
    answers: Rows
    approvers: Rows
    notifications: Rows
    grants: dict[int, Row[Any]]
    events: Rows
    versions: list[int]
    inboxes: dict[str, Counter[str]]
    outcomes: dict[int, Outcome]
    lasting: set[int]

    def decided(self, number: int) -> Rows:
        """The answers to a request that counted."""
        return [row for row in self.answers if row.approval_id == number and row.state == "accepted"]

    def asked(self, number: int) -> set[str]:
        """Whoever was asked about a request, at any level."""
        return {row.person for row in self.approvers if row.approval_id == number}

    def kinds(self, number: int) -> Counter[str]:
        """How often each kind of event is on record for a request."""
        return Counter(row.kind for row in self.events if row.approval_id == number)


async def gather_facts(
    processes: Processes, store: Store, plans: Sequence[Plan], said: Sequence[Said], kills: Sequence[Kill]
) -> Facts:
    """Gather the facts; `plans` are those of the round."""
    by_number = {plan.number: plan for plan in plans if plan.number}
    with store.database.reading() as connection:

        def of(table: Table) -> Rows:
            own = select(table).where(table.c.approval_id.in_(by_number))
            return connection.execute(own).all()

        rows = {table.name: of(table) for table in (requests, answers, approvers, notifications, grants, events)}
        versions = list(connection.execute(select(events.c.version).order_by(events.c.version)).scalars())
    client = await Client.connect(processes.temporal_address)
    outcomes = {row.approval_id: await _outcome(client, row) for row in rows["requests"] if _is_over(row)}
    runs = {row.approval_id: row.token_run for row in rows["requests"]}
    return Facts(
        plans=by_number,
        said=[one for one in said if one.number in by_number],
        kills=list(kills),
        requests={row.approval_id: row for row in rows["requests"]},
        answers=rows["answers"],
        approvers=rows["approvers"],
        notifications=rows["notices"],
        grants={row.approval_id: row for row in rows["grants"]},
        events=rows["events"],
        versions=versions,
        inboxes={one: await asyncio.to_thread(_inbox, processes, one) for one in PEOPLE},
        outcomes=outcomes,
        lasting={row.approval_id for row in rows["grants"] if await _lasts(client, row, runs)},
    )


def _is_over(row: Row[Any]) -> bool:
    return bool(row.status != Status.WAITING)


async def _outcome(client: Client, row: Row[Any]) -> Outcome:
    handle = client.temporal.get_workflow_handle(row.workflow_id, run_id=row.run_id, result_type=Outcome)
    return await asyncio.wait_for(handle.result(), SETTLED_SECONDS)


async def _lasts(client: Client, row: Row[Any], runs: dict[int, str]) -> bool:
    try:
        await client.temporal.get_workflow_handle(grant_workflow(row.approval_id, runs[row.approval_id])).describe()
    except RPCError:
        return False
    return True


def _inbox(processes: Processes, person: str) -> Counter[str]:
    at = Person(person, processes.smtp_port, processes.imap_port)
    return Counter(masked(str(mail["Message-ID"])) for mail in at.inbox())
