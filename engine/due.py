"""Finds the requests that need something done, at a cost that grows neither with past nor with waiting requests."""

from collections.abc import Callable, Collection

from sqlalchemy import Connection

from countersign.directory import Policy
from store import events

# With more events, or requests, than this at once, all that is open is checked instead.
MOST = 1000

# Finds which of these requests, or of all open ones if it gets None, need something done.
Find = Callable[[Connection, Policy, Collection[int] | None], list[int]]


class Due:
    """Checks all open requests at first and after a new policy; after that those with new events, and those still due.

    Each process keeps its own state.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._read_through = 0
        self._policy_version = 0
        self._found: set[int] = set()

    def find(self, connection: Connection, policy_version: int, policy: Policy) -> list[int]:
        """The numbers of the requests that need something done."""
        # Read first: what is committed between the two reads is then checked now, or the next time.
        last = events.last_version(connection)
        suspects = self._suspects(connection, policy_version, last)
        found = self._find(connection, policy, suspects) if suspects is None or suspects else []
        self._read_through, self._policy_version, self._found = last, policy_version, set(found)
        return found

    def _suspects(self, connection: Connection, policy_version: int, last: int) -> set[int] | None:
        if policy_version != self._policy_version or last - self._read_through > MOST or len(self._found) > MOST:
            return None
        if last == self._read_through:
            return self._found
        return self._found | events.requests_between(connection, self._read_through, last)
