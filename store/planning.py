"""What is open now, for the plan of a new policy: read in parts, so that nobody waits for long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from countersign.ballot import OWN_APPROVAL
from countersign.directory import Policy
from countersign.errors import Refused
from countersign.models import Question, Route, Status, Verdict
from countersign.policy_plan import Held, Waiting
from store.database import Database, reads
from store.policies import Policies
from store.tables import answers, as_written, grants, requests

AT_ONCE = 500
IS_ACTIVE = grants.c.status == as_written("Active")


class Planning:
    """Reading what a new policy may change. Each method is one transaction."""

    def __init__(self, database: Database, policies: Policies) -> None:
        self.database = database
        self.policies = policies

    @reads
    def in_force(self) -> tuple[int, Policy | None]:
        """The policy in force and its version; 0 and None before the first."""
        try:
            return self.policies.current()
        except Refused:
            return 0, None

    @reads
    def waiting(self) -> list[Waiting]:
        """All requests that wait."""
        columns = requests.c.approval_id, requests.c.requester, requests.c.protocol, requests.c.device
        query = select(*columns).where(requests.c.status == Status.WAITING).order_by(requests.c.approval_id)
        with self.database.reading() as connection:
            return [
                Waiting(approval_id=row.approval_id, requester=row.requester, what=f"{row.protocol} to {row.device}")
                for row in connection.execute(query)
            ]

    @reads
    def held(self, after: int = 0) -> list[Held]:
        """The grants that last, by their approval id: the next after this one, AT_ONCE at most."""
        query = (
            select(grants.c.approval_id, requests.c.question, requests.c.route)
            .join(requests, requests.c.approval_id == grants.c.approval_id)
            .where(IS_ACTIVE, grants.c.approval_id > after, grants.c.ends_at > datetime.now(UTC))
            .order_by(grants.c.approval_id)
            .limit(AT_ONCE)
        )
        with self.database.reading() as connection:
            rows = connection.execute(query).all()
            approved = _approved_by(connection, [row.approval_id for row in rows])
        return [
            Held(
                approval_id=row.approval_id,
                question=Question.model_validate(row.question),
                minutes=Route.model_validate(row.route).grant_minutes,
                approved_by=approved[row.approval_id],
            )
            for row in rows
        ]

    def all_held(self) -> Iterator[Held]:
        """All of them, a transaction for each AT_ONCE."""
        after = 0
        while part := self.held(after):
            yield from part
            after = part[-1].approval_id


def _approved_by(connection: Connection, numbers: Iterable[int]) -> defaultdict[int, list[str]]:
    """Who approved; not the requester, whose own approval the policy counts by itself (rule 3)."""
    query = (
        select(answers.c.approval_id, answers.c.person)
        .where(answers.c.approval_id.in_(numbers), answers.c.state == "accepted")
        .where(answers.c.verdict == Verdict.APPROVE, answers.c.channel != OWN_APPROVAL)
        .order_by(answers.c.at)
    )
    found: defaultdict[int, list[str]] = defaultdict(list)
    for row in connection.execute(query):
        if row.person not in found[row.approval_id]:
            found[row.approval_id].append(row.person)
    return found
