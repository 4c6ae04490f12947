"""Reading requests, for pages and programs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, literal, select, tuple_

from countersign.directory import Policy
from countersign.errors import Refused, no_request
from countersign.notifications import Person
from countersign.transitions import WHILE_OPEN
from countersign.views import AuditEventView, Mine, MyList, RequestView
from countersign.visibility import Concern
from store import approvals
from store.database import Database, reads
from store.events import last_version
from store.events import view as event_view
from store.filters import found_by
from store.listing import LONGEST_LIST, Wanted, goes_on, numbers_of
from store.policies import Policies
from store.requests import request_row, waiting_after
from store.tables import Instant, events, requests
from store.views import person, principal_name, rows_of, views
from store.visibility import concerns


class FeedPage(NamedTuple):
    """Events, oldest first, with the names of whoever caused them; and whom their requests concern, by number.

    `newest` is the version of the last of them, or, without any, of the newest event that there is.
    """

    events: list[AuditEventView]
    concerns: dict[int, Concern]
    newest: int


class RequestReader:
    """Requests as they stand. Nothing here changes anything."""

    def __init__(self, database: Database, policies: Policies) -> None:
        self.database = database
        self.policies = policies

    @reads
    def request(self, approval_id: int) -> RequestView:
        """One request; NotFound when there is none of that number."""
        found = self.several([approval_id])
        if not found:
            raise no_request(approval_id)
        return found[0]

    @reads
    def several(self, approval_ids: Sequence[int]) -> list[RequestView]:
        """The requests with these numbers, as far as they exist, newest first."""
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            return views(connection, policy, rows_of(connection, approval_ids))

    @reads
    def changed(self, approval_id: int) -> tuple[RequestView, dict[str, list[str]]]:
        """One request, and what it is found by; NotFound when there is none of that number."""
        view = self.request(approval_id)
        return view, found_by(view, self.policy())

    @reads
    def workflow_of(self, approval_id: int) -> str:
        """The id of the workflow that decides a request; NotFound when there is none of that number."""
        with self.database.reading() as connection:
            workflow_id: str = request_row(connection, approval_id).workflow_id
        return workflow_id

    @reads
    def brought_about(self, approval_id: int, undo_id: str) -> bool:
        """Whether the call with this id cancelled the request, or ended its grant, as the record says."""
        ends = events.c.kind.in_(("cancelled", "grant_revoked", "grant_ended"))
        proofs = select(events.c.proof).where(events.c.approval_id == approval_id, ends)
        with self.database.reading() as connection:
            return any(proof.get("wish") == undo_id for proof in connection.execute(proofs).scalars())

    @reads
    def joined_by(self, approval_id: int) -> frozenset[str]:
        """Who asked for it again while it waited, as the record says."""
        again = events.c.kind == "asked_again", events.c.detail == WHILE_OPEN
        query = select(events.c.who).where(events.c.approval_id == approval_id, *again).distinct()
        with self.database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    @reads
    def waiting_after(self, approval_id: int, limit: int) -> list[tuple[int, str, str]]:
        """The next waiting requests above a number: each with the id and the run of its workflow."""
        with self.database.reading() as connection:
            rows = waiting_after(connection, approval_id, limit)
        return [(row.approval_id, row.workflow_id, row.run_id) for row in rows]

    @reads
    def expiring_after(self, deadline: datetime, approval_id: int, limit: int) -> list[tuple[int, str, datetime]]:
        """The next requests by deadline and number, settled or not: each with its workflow's id and its deadline."""
        columns = requests.c.approval_id, requests.c.workflow_id, requests.c.deadline
        place = requests.c.deadline, requests.c.approval_id
        later = tuple_(*place) > tuple_(literal(deadline, Instant()), literal(approval_id))
        query = select(*columns).where(later).order_by(*place).limit(limit)
        with self.database.reading() as connection:
            return [(row.approval_id, row.workflow_id, row.deadline) for row in connection.execute(query)]

    @reads
    def page(self, wanted: Wanted) -> tuple[list[RequestView], int | None]:
        """A page of requests, newest first, and the `before` of the next one; None if there is none.

        If what is wanted is rare, a page may be shorter than wanted though another follows (`listing`).
        """
        wanted = replace(wanted, limit=min(wanted.limit, LONGEST_LIST))
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            numbers, down_to = numbers_of(connection, wanted, policy)
            shown = views(connection, policy, rows_of(connection, numbers))
        return shown, goes_on(wanted, [view.approval_id for view in shown], down_to)

    @reads
    def mine(self, one: str, limit: int = 50) -> Mine:
        """The requests that concern somebody: `limit` at most in each list; in `active`, of own and of others' each."""
        wanted = Wanted(requester=one, limit=limit)
        own, revocable = (
            replace(wanted, has_active_grant=True),
            Wanted(approver=one, limit=limit, has_active_grant=True),
        )
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            waiting = connection.execute(approvals.waiting_for(one).limit(limit + 1)).scalars().all()
            asked, more_asked = _numbers(connection, wanted, policy)
            pages = [_numbers(connection, each, policy) for each in (own, revocable)]
            active = list(dict.fromkeys(number for numbers, _ in pages for number in numbers))
            rows = rows_of(connection, [*{*waiting[:limit], *asked, *active}])
            found = {view.approval_id: view for view in views(connection, policy, rows)}
        lists: dict[MyList, Sequence[int]] = {"waiting": waiting[:limit], "asked": asked, "active": active}
        goes_on = {"waiting": len(waiting) > limit, "asked": more_asked, "active": any(more for _, more in pages)}
        more = [name for name in lists if goes_on[name]]
        return Mine(**{name: [found[number] for number in numbers] for name, numbers in lists.items()}, more=more)

    @reads
    def waiting_for(self, one: str, after: int = 0, limit: int = 50) -> tuple[list[RequestView], int | None]:
        """A page of the requests that wait for somebody's answer, the most urgent first.

        Also the `after` of the next page, which is the number of the last request; None if there is no next page.
        """
        limit = min(limit, LONGEST_LIST)
        waiting = approvals.waiting_for(one, after).limit(limit + 1)
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            found = views(connection, policy, rows_of(connection, waiting))
        found.sort(key=lambda view: (view.deadline, view.approval_id))
        return found[:limit], found[limit - 1].approval_id if len(found) > limit else None

    @reads
    def person(self, one: str) -> Person:
        """Somebody of the directory; somebody deleted from it has their id as a name, and no address."""
        return person(self.policies.current()[1], one)

    @reads
    def policy(self) -> Policy:
        """The policy in force. Raises Refused if none was ever applied."""
        return self.policies.current()[1]

    @reads
    def person_at(self, address: str) -> Person | None:
        """The person with this mail address, whatever its case; disabled ones too."""
        _, policy = self.policies.current()
        found = policy.person_at(address)
        return person(policy, found) if found else None

    @reads
    def events_after(self, version: int, limit: int = 1000) -> FeedPage:
        """The next events after a version, for everybody who watches."""
        newer = select(events).where(events.c.version > version).order_by(events.c.version).limit(limit)
        with self.database.reading() as connection:
            newest = last_version(connection)
            # Mostly there are none, and this is asked twenty times a second.
            found = [event_view(row) for row in connection.execute(newer)] if newest > version else []
            if not found:
                return FeedPage([], {}, newest)
            about = {event.approval_id for event in found if event.approval_id is not None}
            return FeedPage(self.named_in(connection, found), concerns(connection, about), found[-1].version)

    @reads
    def named(self, events: Sequence[AuditEventView]) -> list[AuditEventView]:
        """Rows of the record, each with the name of whoever caused it."""
        with self.database.reading() as connection:
            return self.named_in(connection, events)

    def named_in(self, connection: Connection, events: Sequence[AuditEventView]) -> list[AuditEventView]:
        """The same within a transaction."""
        try:
            _, policy = self.policies.in_force(connection)
        except Refused:  # before the first policy nobody has a name
            return list(events)
        return [event.model_copy(update={"name": principal_name(policy, event.who)}) for event in events]


def _numbers(connection: Connection, wanted: Wanted, policy: Policy) -> tuple[list[int], bool]:
    """The requests of a page by their numbers, newest first, and whether there may be more."""
    query, down_to = numbers_of(connection, wanted, policy)
    numbers = sorted(connection.execute(query).scalars(), reverse=True)
    return numbers, goes_on(wanted, numbers, down_to) is not None
