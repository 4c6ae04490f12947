"""Records and passes on the questions of approvers and the comments of requesters, in one transaction (rule 9)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from countersign.directory import Policy
from countersign.errors import TooMany, no_request
from countersign.models import Event, Route, Status
from countersign.notifications import SubmittedComment
from countersign.permissions import Action, must_be_allowed, principal
from countersign.transitions import ANSWERING_TRANSITION, Kind
from countersign.views import RequestView
from engine import record
from engine.notifications.notifying import notification, short_digest
from store import Store, events, notifications, transition_keys
from store.events import append
from store.tables import ROOM
from store.views import principal_name, route_from, rows_of, views

# At most this many questions, or comments, of one person about one request are passed on within this time.
MOST_PASSED_ON = 5
WITHIN = timedelta(hours=1)
KINDS: dict[Action, tuple[Kind, Event]] = {
    Action.INQUIRE: ("inquired", Event.INQUIRY),
    Action.COMMENT: ("commented", Event.COMMENT),
}


def pass_on(store: Store, action: Action, submitted: SubmittedComment) -> None:
    """Pass a question or comment on, and record it; the same again, known by its source's id, changes nothing.

    Raises NotFound, NotAllowed, Refused if the request no longer waits, and TooMany.
    """
    now, (kind, event) = datetime.now(UTC), KINDS[action]
    digest = short_digest(f"{submitted.channel} {submitted.person} {submitted.source_id}")
    with store.database.transaction() as connection:
        _, policy = store.policies.in_force(connection)
        rows = rows_of(connection, [submitted.approval_id])
        if not rows:
            raise no_request(submitted.approval_id)
        if not transition_keys.add(connection, submitted.approval_id, f"{kind}.{digest}", ANSWERING_TRANSITION):
            return
        [view], route = views(connection, policy, rows), route_from(rows[0].route)
        must_be_allowed(principal(policy, submitted.person), action, view)
        if view.status is not Status.WAITING:
            raise view.ended()
        _must_have_room(connection, view.approval_id, kind, submitted.person, now)
        about = {"approval_id": view.approval_id, "level": view.level, "message": submitted.text, "retry_at": now}
        about["fields"] = {"author": principal_name(policy, submitted.person)}
        what = f"{view.approval_id}.{ANSWERING_TRANSITION}.{event}.{digest}"
        to = _recipients(action, policy, view, route)
        written = [notification(f"{what}.{one}.{channel}", event, one, channel, now, **about) for one, channel in to]
        notifications.add(connection, written)
        audit_event = record.event(kind, submitted.person, submitted.text, submitted.proof, now, submitted.channel)
        append(connection, view.approval_id, [audit_event])


def _must_have_room(connection: Connection, approval_id: int, kind: Kind, person: str, now: datetime) -> None:
    """Raise TooMany if MOST_PASSED_ON of this person's were passed on lately."""
    if events.written_since(connection, approval_id, kind, person, now - WITHIN) >= MOST_PASSED_ON:
        message = (
            f"{MOST_PASSED_ON} messages of yours about #{approval_id} were passed on within an hour; more are not."
        )
        raise TooMany(message, limit=MOST_PASSED_ON, retry_after=WITHIN.seconds)


def _recipients(action: Action, policy: Policy, view: RequestView, route: Route) -> Iterator[tuple[str, str]]:
    """Whom each channel notifies: the requester; or those asked now who haven't answered yet, or their room."""
    awaited = [one.person for one in view.awaited if policy.enabled(one.person)]
    for channel, use in route.channels.items():
        if use == "off":
            continue
        room = route.rooms.get(channel, "")
        people = (
            [view.question.requester]
            if action is Action.INQUIRE
            else [f"{ROOM}{room}"]
            if room and awaited
            else awaited
        )
        for one in people:
            yield one, channel
