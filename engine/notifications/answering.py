"""Notifies the senders of answers that decide nothing: on the channel they came by, and not too often."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from countersign.models import Event
from countersign.transitions import ANSWERING_TRANSITION
from engine.notifications.notifying import notification
from store import notifications

# A person gets at most this many notifications of one kind about mails that decide nothing within this time; the record
# has all such mails.
HELP_AT_MOST = 5
HELP_WITHIN = timedelta(hours=1)
# The same for refused answers: enough that a person who answers by hand is notified of each.
REFUSALS_AT_MOST = 20
ANSWERING = (Event.HELP, Event.ANSWER_REFUSED)


def written_lately(connection: Connection, person: str, event: Event, now: datetime) -> int:
    """How many notifications of this event were written to somebody within HELP_WITHIN."""
    return notifications.written_since(connection, person, event, now - HELP_WITHIN, ANSWERING)


def write_reply(
    connection: Connection,
    event: Event,
    what: str,
    approval_id: int,
    level: int,
    person: str,
    channel: str,
    message: str,
    in_reply_to: str,
    now: datetime,
) -> None:
    """Write somebody a notification on the channel they came by; `what` distinguishes it from others of the event."""
    notification_id = f"{approval_id}.{ANSWERING_TRANSITION}.{event}.{what}.{channel}"
    about = {"approval_id": approval_id, "level": level, "message": message, "in_reply_to": in_reply_to}
    notifications.add(connection, [notification(notification_id, event, person, channel, now, **about)])
