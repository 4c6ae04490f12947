"""Notifications that aren't about a request: written first, and sent by the same outbox."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection

from countersign.models import GeneralEvent
from countersign.policy.channels import channels_on
from countersign.transitions import ENGINE, AuditEvent
from engine.notifications.notifying import notification, short_digest
from store import Store, notifications
from store.events import append


def write_to_enabled(
    store: Store, event: GeneralEvent, key: str, people: Collection[str], fields: Mapping[str, str]
) -> None:
    """Write a notification for each of these people who is enabled, and each channel that is on; once for each key.

    The record gets the event and its key, never the fields. Raises Refused if no policy was ever applied.
    """
    with store.database.transaction() as connection:
        _, policy = store.policies.in_force(connection)
        enabled = [person for person in people if policy.enabled(person)]
        write(connection, event, key, enabled, channels_on(policy), fields)


def write(
    connection: Connection,
    event: GeneralEvent,
    key: str,
    people: Collection[str],
    channels: Collection[str],
    fields: Mapping[str, str],
) -> None:
    """Write a notification for each of these people and channels; once for each key. Call it last in a transaction."""
    at = datetime.now(UTC)
    about = f"general.{short_digest(key)}.{event}"
    rows = [
        notification(f"{about}.{person}.{channel}", event, person, channel, at, retry_at=at, fields=dict(fields))
        for person in people
        for channel in channels
    ]
    if rows and notifications.add_new(connection, *rows):
        append(connection, None, [AuditEvent(kind=event, at=at, who=ENGINE, detail=key)])
