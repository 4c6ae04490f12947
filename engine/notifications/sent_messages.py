"""Reads what was sent about a request: to whom, by which channel, with which result, and what it said."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from countersign.directory import Policy
from countersign.errors import NotFound
from countersign.models import GrantStatus, Status
from countersign.notifications import RequestNotification
from countersign.redaction import masked
from countersign.views import NotificationView
from engine.notifications.messages import Messages
from engine.part import EnginePart
from store import Store, events, notifications, requests
from store.database import reads
from store.tables import ROOM
from store.views import principal_name

# More than any request has, except one that somebody floods with unreadable mails.
MOST_SHOWN = 500
# How a notification's state in the database is shown.
STATES = {"sent": "sent", "waiting": "waiting", "unreachable": "not delivered", "moot": "not needed"}


class Sent(NamedTuple):
    """One notification; `message` is what its channel composes it from, as it was when it was sent.

    A message that is `kept_up_to_date` shows the request as it is now.
    """

    view: NotificationView
    message: RequestNotification
    kept_up_to_date: bool


class SentMessages(EnginePart):
    """Reads what was sent about a request, as long as that is kept."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.messages = Messages(store)

    @reads
    def of(self, approval_id: int) -> list[NotificationView]:
        """The notifications about a request, in the order in which they were written."""
        with self.database.reading() as connection:
            return self._views(connection, notifications.of_request(connection, approval_id, MOST_SHOWN))

    @reads
    def one(self, approval_id: int, notification_id: str) -> Sent:
        """One of them; NotFound if the request has none of this id."""
        with self.database.reading() as connection:
            rows = notifications.of_request(connection, approval_id, MOST_SHOWN)
            found = [row for row in rows if row.id == notification_id]
            if not found:
                raise NotFound(f"#{approval_id} has no notification {notification_id}, or it is kept no longer.")
            view = next(one for one in self._views(connection, rows) if one.id == notification_id)
            [(_, message)] = self.messages.read(connection, found)
            settled_at = requests.request_row(connection, approval_id).settled_at
        assert isinstance(message, RequestNotification)
        if found[0].shows is not None:
            return Sent(view, message, True)
        at = view.ended_at or view.written_at
        then = {"status": Status.WAITING, "message": found[0].message} if settled_at is None or settled_at > at else {}
        return Sent(view, _as_it_was(message, at).model_copy(update=then), False)

    def _views(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[NotificationView]:
        if not rows:
            return []
        _, policy = self.policies.in_force(connection)
        ends: dict[tuple[str, ...], list[datetime]] = defaultdict(list)
        for event in events.deliveries_of(connection, rows[0].approval_id, 2 * MOST_SHOWN):
            ends[event.who, event.channel, event.detail].append(event.at)
        return [_view(policy, row, ends[row.person, row.channel, row.event]) for row in rows]


def _view(policy: Policy, row: Row[Any], ends: list[datetime]) -> NotificationView:
    """A notification as it is shown. `ends`: when those like it were sent or given up; it takes the first one left."""
    is_over = row.state in ("sent", "unreachable")
    return NotificationView(
        id=row.id,
        event=row.event,
        person=row.person,
        name=principal_name(policy, row.person),
        is_room=row.person.startswith(ROOM),
        channel=row.channel,
        level=row.level,
        state=STATES[row.state],
        written_at=row.written_at,
        ended_at=ends.pop(0) if is_over and ends else None,
        tries=row.tries,
        next_try_at=row.retry_at if row.state == "waiting" else None,
        # The reference of a sent one isn't a reason, and holds the secret of the mail's token.
        why=masked(row.reference) if row.state == "unreachable" else "",
    )


def _as_it_was(message: RequestNotification, at: datetime) -> RequestNotification:
    """The message without the decisions that came after a moment, and with its grant as it was then."""
    grant = message.grant if message.grant and message.grant.starts_at <= at else None
    if grant is not None and (grant.ended_at is None or grant.ended_at > at):
        grant = grant.model_copy(update={"status": GrantStatus.ACTIVE, "ended_at": None, "message": ""})
    decisions = [one for one in message.decisions if one.at <= at]
    return message.model_copy(update={"decisions": decisions, "grant": grant, "untold": []})
