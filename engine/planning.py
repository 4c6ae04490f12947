"""Reads what is open now, for the plan of a new policy: in parts, so that no other transaction waits for long."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Connection

from countersign.directory import Policy
from countersign.errors import Refused
from countersign.kinds import question_from
from countersign.models import OWN_APPROVAL, Route
from countersign.policy.plan import ActiveGrant, Waiting
from engine.part import EnginePart
from store import answers, grants, requests
from store.database import reads

AT_ONCE = 500

P = TypeVar("P", Waiting, ActiveGrant)


class Planning(EnginePart):
    """Reading what a new policy may change. Each method is one transaction."""

    @reads
    def in_force(self) -> tuple[int, Policy | None]:
        """The policy in force and its version; 0 and None before the first."""
        try:
            return self.policies.current()
        except Refused:
            return 0, None

    @reads
    def waiting(self, after: int = 0) -> list[Waiting]:
        """The next waiting requests after this number, in order, AT_ONCE at most."""
        with self.database.reading() as connection:
            return [
                Waiting(
                    approval_id=row.approval_id, requester=row.requester, what=str(question_from(row.question).subject)
                )
                for row in requests.waiting_after(connection, after, AT_ONCE)
            ]

    @reads
    def active_grants(self, after: int = 0) -> list[ActiveGrant]:
        """The next lasting grants after this approval id, in order, AT_ONCE at most."""
        with self.database.reading() as connection:
            rows = grants.lasting_after(connection, after, datetime.now(UTC), AT_ONCE)
            approved = _approved_by(connection, [row.approval_id for row in rows])
        return [
            ActiveGrant(
                approval_id=row.approval_id,
                question=question_from(row.question),
                lasts=Route.model_validate(row.route).grant_lasts,
                approved_by=approved[row.approval_id],
            )
            for row in rows
        ]


def all_of(read: Callable[[int], list[P]]) -> Iterator[P]:
    """All that `read` returns in parts, each read in a transaction of its own."""
    after = 0
    while part := read(after):
        yield from part
        after = part[-1].approval_id


def _approved_by(connection: Connection, numbers: Collection[int]) -> defaultdict[int, list[str]]:
    """Who approved; not the requester, whose own approval the policy counts by itself (rule 3)."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for row in answers.approvals_of(connection, numbers, but_by=OWN_APPROVAL):
        if row.person not in found[row.approval_id]:
            found[row.approval_id].append(row.person)
    return found
