"""People, notices and a configuration for the tests of Slack messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from countersign.kinds.connection import ConnectionQuestion, Protocol
from countersign.models import Decision, Event, GrantStatus, GrantView, Status, Verdict
from countersign.notifications import Notification, Person, RequestNotification
from notifiers.slack.config import SlackConfig

NOON = datetime(2024, 5, 14, 12, 0, tzinfo=UTC)


def person(person_id: str, name: str) -> Person:
    return Person(id=person_id, name=name, email=f"{person_id}@acme.example")


ALICE = person("alice", "Alice Nguyen")
GRACE = person("grace", "Grace Hopper")
HEIDI = person("heidi", "Heidi Lamarr")
IVAN = person("ivan", "Ivan Petrov")
NAMES = {p.id: p.name for p in (ALICE, GRACE, HEIDI, IVAN)}

QUESTION = ConnectionQuestion(
    requester="alice",
    device="db-1",
    protocol=Protocol.SSH,
    reason="Replication lags.\nI must restart it.",
    ticket="INC-4711",
    source_address="203.0.113.7",
    minutes=60,
)
GRANT = GrantView(approval_id=1042, status=GrantStatus.ACTIVE, starts_at=NOON, ends_at=NOON + timedelta(minutes=60))


def decided(who: str, verdict: Verdict = Verdict.APPROVE, comment: str = "", level: int = 1) -> Decision:
    at = NOON + timedelta(minutes=9)
    return Decision(
        answer_id=f"{who}-{level}", level=level, person=who, verdict=verdict, comment=comment, channel="email", at=at
    )


def notice(event: Event = Event.ASKED, to: Person = GRACE, **changes: Any) -> RequestNotification:
    usual: dict[str, Any] = {
        "id": f"1042.1.{event}.{to.id}.slack",
        "event": event,
        "use": "decide",
        "to": to,
        "approval_id": 1042,
        "question": QUESTION,
        "requester": ALICE,
        "written_at": NOON,
        "opened_at": NOON,
        "deadline": NOON + timedelta(hours=4),
        "grant_minutes": 60,
        "status": Status.WAITING,
        "asked": [GRACE, HEIDI, IVAN],
        "names": NAMES,
    }
    return RequestNotification(**(usual | changes))


def in_room(room: str, event: Event = Event.ASKED, **changes: Any) -> RequestNotification:
    return notice(event, Person(id=f"#{room}", name="", email=""), room=room, **changes)


def general(mailbox: str = "INBOX@imap.acme.example", **changes: Any) -> Notification:
    """A notice about no request."""
    usual = {"id": "general.1.mailbox_unread.grace.slack", "event": "mailbox_unread", "to": GRACE, "written_at": NOON}
    return Notification(**(usual | {"fields": {"mailbox": mailbox, "since": "noon"}} | changes))


def config(**changes: Any) -> SlackConfig:
    usual: dict[str, Any] = {
        "mode": "socket",
        "bot_token": "xoxb-test-token",
        "app_token": "xapp-test-token",
        "instance_name": "Acme Gateways",
        "public_url": "https://countersign.acme.example",
    }
    return SlackConfig(**(usual | changes))


def texts(blocks: object) -> Iterator[str]:
    """All that people read of blocks, and what their buttons ask."""
    if isinstance(blocks, dict):
        for key, value in blocks.items():
            if key == "text" and isinstance(value, str):
                yield value
            elif key != "type":
                yield from texts(value)
    elif isinstance(blocks, list):
        for one in blocks:
            yield from texts(one)


def actions(blocks: list[dict[str, Any]]) -> list[str]:
    """The buttons, in order."""
    return [element["action_id"] for block in blocks if block["type"] == "actions" for element in block["elements"]]


def whole(blocks: object) -> str:
    return json.dumps(blocks, ensure_ascii=False)
