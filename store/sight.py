"""Who may see which requests and events, and the feed as they see it."""

from dataclasses import dataclass

from sqlalchemy import BindParameter, ColumnElement, bindparam, false, or_, select, true

from countersign.views import LineView, RequestView
from store.database import Database
from store.events import view
from store.tables import approvers, events, feed, requests


@dataclass(frozen=True)
class Sight:
    """What somebody may see: everything; or the requests a person made or was asked about; or a gateway's own."""

    everything: bool = False
    person: str = ""
    devices: frozenset[str] = frozenset()
    protocols: frozenset[str] = frozenset()

    def sees(self, request: RequestView) -> bool:
        """Whether this request may be seen."""
        asked = {request.question.requester, *(one.person for one in request.approvers)}
        own = request.question.device in self.devices and request.question.protocol in self.protocols
        return self.everything or own or (self.person != "" and self.person in asked)

    @property
    def requests(self) -> ColumnElement[bool]:
        """The same as a condition on requests."""
        if self.everything:
            return true()
        if self.person:
            asked = select(approvers.c.approval_id).where(approvers.c.person == self.person)
            return or_(requests.c.requester == self.person, requests.c.approval_id.in_(asked))
        if not self.devices or not self.protocols:
            return false()
        # A gateway may have more devices than a statement may have parameters.
        devices: BindParameter[str] = bindparam("devices", sorted(self.devices), expanding=True, literal_execute=True)
        return requests.c.device.in_(devices) & requests.c.protocol.in_(sorted(self.protocols))

    @property
    def events(self) -> ColumnElement[bool]:
        """The same as a condition on events; those that belong to no request are for who sees everything."""
        if self.everything:
            return true()
        return events.c.approval_id.in_(select(requests.c.approval_id).where(self.requests))


class Seen:
    """The feed, as far as somebody may see it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def since(self, version: int, sight: Sight, limit: int) -> tuple[list[LineView], int]:
        """What came after `version`, oldest first, and the version to go on from."""
        newer = select(events).where(events.c.version > version, sight.events).order_by(events.c.version).limit(limit)
        with self.database.reading() as connection:
            # Read first: what is committed between the two reads is then among the lines, or left for the next time.
            last = connection.execute(select(feed.c.version)).scalar_one()
            lines = [view(row) for row in connection.execute(newer)]
        newest = lines[-1].version if lines else version
        return lines, newest if len(lines) == limit else max(newest, last)
