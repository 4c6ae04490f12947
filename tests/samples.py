"""One request, its people, and notifications about it: what the pictures in the docs show, and what tests send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from countersign.fingerprints import Fingerprint, Posture
from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.kinds.device import DeviceQuestion
from countersign.models import Decision, Event, GrantStatus, GrantView, Status, Verdict
from countersign.notifications import Person, RequestNotification

NOON = datetime(2024, 5, 14, 12, 0, tzinfo=UTC)


def person(person_id: str, name: str) -> Person:
    """Somebody in the directory."""
    return Person(id=person_id, name=name, email=f"{person_id}@acme.example")


ALICE = person("alice", "Alice Nguyen")
GRACE = person("grace", "Grace Hopper")
HEIDI = person("heidi", "Heidi Lamarr")
IVAN = person("ivan", "Ivan Petrov")
NAMES = {p.id: p.name for p in (ALICE, GRACE, HEIDI, IVAN)}

QUESTION = ConnectionQuestion(
    requester="alice",
    device="db-1",
    protocol=ConnectionProtocol.SSH,
    reason="Replication lags.\nI must restart it.",
    ticket="INC-4711",
    source_address="203.0.113.7",
    minutes=60,
)
LAPTOP = Fingerprint(
    hostname="carbon",
    platform="linux",
    os="Debian",
    os_version="12",
    kernel="6.1.0-18-amd64",
    architecture="x86_64",
    model="ThinkPad X1 Carbon",
    serial="PF-3XK9",
    user="alice",
    client_version="countersign 1.0",
    posture=Posture(disk_encrypted=True, firewall=True, auto_update=False),
)
NEW_DEVICE = DeviceQuestion(
    requester="alice",
    device="d3f9c01a7b42e",
    name="carbon",
    key="3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    fingerprint=LAPTOP,
    reason="A new laptop.",
    source_address="203.0.113.7",
)
CHANGED_DEVICE = NEW_DEVICE.model_copy(
    update={
        "before": LAPTOP,
        "fingerprint": LAPTOP.model_copy(
            update={"kernel": "6.1.0-21-amd64", "posture": Posture(disk_encrypted=False, firewall=True)}
        ),
    }
)
GRANT = GrantView(approval_id=1042, status=GrantStatus.ACTIVE, starts_at=NOON, ends_at=NOON + timedelta(minutes=60))


def decided(who: str, verdict: Verdict = Verdict.APPROVE, comment: str = "", level: int = 1) -> Decision:
    """An answer that counted."""
    at = NOON + timedelta(minutes=9)
    return Decision(
        answer_id=f"{who}-{level}", level=level, person=who, verdict=verdict, comment=comment, channel="email", at=at
    )


def notification(event: Event = Event.ASKED, to: Person = GRACE, **changes: Any) -> RequestNotification:
    """A notification about the request, which waits unless `changes` say otherwise."""
    usual: dict[str, Any] = {
        "id": f"1042.1.{event}.{to.id}.slack",
        "event": event,
        "use": "decide",
        "to": to,
        "written_at": NOON,
        "approval_id": 1042,
        "question": QUESTION,
        "requester": ALICE,
        "opened_at": NOON,
        "deadline": NOON + timedelta(hours=4),
        "grant_lasts": timedelta(hours=1),
        "status": Status.WAITING,
        "asked": [GRACE, HEIDI, IVAN],
        "names": NAMES,
        "fields": {"author": "Grace Hopper"} if event is Event.INQUIRY else {"author": "Alice Nguyen"},
    }
    if isinstance(changes.get("question"), DeviceQuestion):
        usual["grant_lasts"] = timedelta(0)  # an approval of a device opens no grant
    return RequestNotification(**(usual | changes))


def in_room(room: str, event: Event = Event.ASKED, **changes: Any) -> RequestNotification:
    """The same notification for a room."""
    return notification(event, Person(id=f"#{room}", name="", email=""), room=room, **changes)
