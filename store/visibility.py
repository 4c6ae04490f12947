"""What somebody may see, as a condition on requests, and the feed of it."""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, exists, false, or_, select, true

from countersign.views import AuditEventView
from countersign.visibility import Concern, Visibility
from store.database import StorePart, reads
from store.events import last_version, view
from store.tables import approvers, events, requests

# How many pages of the feed are read in one call in search of an event that may be seen.
MOST_PAGES = 4


def condition(visibility: Visibility) -> ColumnElement[bool]:
    """What may be seen, as a condition on requests; the same as `Visibility.sees`."""
    if visibility.everything:
        return true()
    if visibility.person:
        return or_(requests.c.requester == visibility.person, is_asked(visibility.person))
    scope = visibility.scope
    if visibility.is_empty:
        return false()
    # A gateway may have more targets than a statement may have parameters.
    targets: BindParameter[str] = bindparam("targets", sorted(scope.targets), expanding=True, literal_execute=True)
    return requests.c.target.in_(targets) & requests.c.variant.in_(sorted(scope.variants))


def is_asked(one: str) -> ColumnElement[bool]:
    """A condition on requests: somebody was asked about it."""
    asked = approvers.alias()
    return exists().where(asked.c.approval_id == requests.c.approval_id, asked.c.person == one)


def concerns(connection: Connection, numbers: Collection[int]) -> dict[int, Concern]:
    """Whom each of these requests concerns, and what it is for."""
    columns = requests.c.approval_id, requests.c.requester, requests.c.target, requests.c.variant
    asked = select(*columns, approvers.c.person).join(
        approvers, approvers.c.approval_id == requests.c.approval_id, isouter=True
    )
    rows = list(connection.execute(asked.where(requests.c.approval_id.in_(numbers)))) if numbers else []
    people: dict[int, set[str]] = defaultdict(set)
    for row in rows:
        people[row.approval_id] |= {row.requester, row.person or row.requester}
    return {row.approval_id: Concern(frozenset(people[row.approval_id]), row.target, row.variant) for row in rows}


class VisibleEvents(StorePart):
    """The feed, as far as somebody may see it."""

    @reads
    def since(self, version: int, visibility: Visibility, limit: int) -> tuple[list[AuditEventView], int]:
        """The events after `version`, oldest first, and the version to go on from.

        If there are no events but that version is a new one, there may be more to read.
        """
        with self.database.reading() as connection:
            # Read first: what is committed between the two reads is then among the events, or left for the next call.
            last = last_version(connection)
            if version > last:  # an older database was put in place of the one before
                return [], last
            for _ in range(MOST_PAGES):
                events, read_through = _page(connection, version, visibility, limit)
                version = max(version, last if read_through is None else read_through)
                if events or read_through is None:
                    break
        return events, version


def _page(
    connection: Connection, version: int, visibility: Visibility, limit: int
) -> tuple[list[AuditEventView], int | None]:
    """Those of the next events that may be seen, and the last version that was read; None if that was the newest."""
    newer = select(events).where(events.c.version > version).order_by(events.c.version).limit(limit)
    rows = list(connection.execute(newer))
    about = {row.approval_id for row in rows}
    seen = about
    if not visibility.everything:  # events about no request are for those who see everything
        its = select(requests.c.approval_id).where(requests.c.approval_id.in_(about - {None}), condition(visibility))
        seen = set(connection.execute(its).scalars())
    found = [view(row) for row in rows if row.approval_id in seen]
    return found, rows[-1].version if len(rows) == limit else None
