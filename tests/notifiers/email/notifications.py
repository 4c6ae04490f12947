"""People, notices and a configuration for the tests of mails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from countersign.kinds.connection import ConnectionQuestion, Protocol
from countersign.models import Decision, Event, GrantStatus, GrantView, Status, Verdict
from countersign.notifications import Person, RequestNotification
from notifiers.email.config import EmailConfig, SmtpConfig
from notifiers.email.token import KeyRing

NOON = datetime(2024, 5, 14, 12, 0, tzinfo=UTC)
SECRET = b"a secret of these tests only"
# That a request waits is shown to its requester by channels whose messages can be changed.
MAILED = [event for event in Event if event is not Event.OPENED]


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


def decided(who: str, verdict: Verdict, comment: str = "", level: int = 1) -> Decision:
    return Decision(
        answer_id=f"{who}-{level}",
        level=level,
        person=who,
        verdict=verdict,
        comment=comment,
        channel="email",
        at=NOON + timedelta(minutes=9),
    )


def notice(event: Event = Event.ASKED, to: Person = GRACE, **changes: Any) -> RequestNotification:
    usual: dict[str, Any] = {
        "id": f"{event}:{to.id}:1",
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


def settled(status: Status, to: Person = GRACE, **changes: Any) -> RequestNotification:
    return notice(Event.SETTLED, to, status=status, **changes)


def config(smtp: SmtpConfig | None = None, **changes: Any) -> EmailConfig:
    usual: dict[str, Any] = {
        "instance_name": "Acme Gateways",
        "sender_address": "countersign@acme.example",
        "reply_address": "answers@acme.example",
        "message_id_domain": "mail.acme.example",
        "keys": KeyRing([("k1", SECRET)]),
        "public_url": "https://countersign.acme.example",
        "smtp": smtp or SmtpConfig(host="127.0.0.1", security="none"),
    }
    return EmailConfig(**(usual | changes))
