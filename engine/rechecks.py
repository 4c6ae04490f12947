"""Which waiting requests have to check again who may act (rules 4 and 6)."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row

from countersign.directory import Policy
from countersign.models import Route
from countersign.policy import route as rules
from countersign.transitions import AVAILABILITIES
from engine.due import Due
from engine.part import EnginePart
from store import Store, notifications, requests
from store.database import reads


class Rechecks(EnginePart):
    """Finds them at a cost that does not grow with what waits; each process remembers what it has checked."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._due = Due(_due)

    @reads
    def due(self) -> list[int]:
        """Waiting requests that don't know yet that somebody was disabled, or found away or unreachable.

        Also those with a later level that too few people could pass now.
        """
        with self.database.reading() as connection:
            return self._due.find(connection, *self.policies.in_force(connection))


def _due(connection: Connection, policy: Policy, numbers: Collection[int] | None) -> list[int]:
    signalled = requests.waiting_signals(connection, numbers)
    signals = {tuple(row) for row in (*signalled, *notifications.lost_among(connection, numbers))}
    changed = {
        row.approval_id for row in requests.waiting_approvers(connection, numbers) if _changed(policy, row, signals)
    }
    routes = requests.waiting_routes(connection, numbers)
    return sorted(changed.union(row.approval_id for row in routes if _in_vain(policy, row, signals)))


def _in_vain(policy: Policy, row: Row[Any, Any, Any, Any], signals: set[tuple[Any, ...]]) -> bool:
    """Whether a request has a later level that too few people could pass (rule 4)."""
    if len(row.route["levels"]) <= row.level:
        return False
    gone = {who for number, who, signal in signals if number == row.approval_id and signal == "unreachable"}
    route = Route.model_validate(row.route)
    return rules.level_without_people(policy, route, row.requester, row.level + 1, gone) > 0


def _changed(policy: Policy, row: Row[Any, Any, Any, Any], signals: set[tuple[Any, ...]]) -> bool:
    """Whether the requester is disabled, or an approver less available than the request knows."""
    if not policy.enabled(row.requester):
        return True
    if not row.person or row.availability == "disabled":
        return False
    news = [signal for signal in ("away", "unreachable") if (row.approval_id, row.person, signal) in signals]
    return not policy.enabled(row.person) or (
        bool(news) and AVAILABILITIES.index(news[-1]) > AVAILABILITIES.index(row.availability)
    )
