"""Whom a transition notifies, on which channels. Notifications are written with it, and sent afterwards."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from countersign.models import ASKING, Event, Route
from countersign.transitions import Recipient
from store import notifications, shown_messages
from store.tables import ROOM

# A younger one may still be under way, sent by the worker that wrote it.
FIRST_RETRY = timedelta(seconds=10)
LONGEST_DIGEST = 16


def write(
    connection: Connection,
    live: Collection[str],
    request: Row[Any],
    level: int,
    transition: int,
    at: datetime,
    recipients: Sequence[Recipient],
) -> None:
    """Write a transition's notifications, in its transaction: for each person, or room, and channel that is on.

    Marks the messages that were sent before as outdated. `live` are the channels whose messages are kept up to date.
    """
    shown_messages.outdate(connection, request.approval_id)
    if recipients:
        notifications.add(connection, list(_rows(live, request, level, transition, at, recipients)))


def _rows(
    live: Collection[str],
    request: Row[Any],
    level: int,
    transition: int,
    at: datetime,
    recipients: Sequence[Recipient],
) -> Iterator[dict[str, Any]]:
    route, number = Route.model_validate(request.route), request.approval_id
    for_another = request.asked_by not in ("", request.requester)
    for channel in (name for name, use in route.channels.items() if use != "off"):
        opened, room = for_another or channel in live, route.rooms.get(channel, "")
        for whom, one in _of_channel(recipients, opened, request.requester, room):
            notification_id = f"{number}.{transition}.{one.event}.{whom}.{channel}"
            about = {"approval_id": number, "level": level, "message": one.message}
            yield notification(notification_id, one.event, whom, channel, at, **about)


def short_digest(text: str) -> str:
    """Identifies what a notification is about, within its id."""
    return hashlib.sha256(text.encode()).hexdigest()[:LONGEST_DIGEST]


def notification(
    notification_id: str, event: str, person: str, channel: str, at: datetime, **more: Any
) -> dict[str, Any]:
    """A notification as it is written, to be sent by the process that writes it, or else by the sweeper.

    `more` are its other columns.
    """
    return {
        "id": notification_id,
        "event": event,
        "level": 0,
        "person": person,
        "channel": channel,
        "message": "",
        "in_reply_to": "",
        "state": "waiting",
        "reference": "",
        "written_at": at,
        "tries": 0,
        "retry_at": at + FIRST_RETRY,
        **more,
    }


def _of_channel(
    recipients: Sequence[Recipient], opened: bool, requester: str, room: str
) -> Iterator[tuple[str, Recipient]]:
    """The recipients of a channel, each with the person or room to send to; those of the opening only if `opened`.

    If a room is asked, its one message shows all approvers the outcome.
    """
    written: set[Event] = set()
    for one in recipients:
        if one.event is Event.OPENED and not opened:
            continue
        if not room or one.person == requester:
            yield one.person, one
        elif one.event in ASKING and one.event not in written:
            written.add(one.event)
            yield f"{ROOM}{room}", one
