"""Notifications and a configuration for the tests of mails."""

from __future__ import annotations

from typing import Any

from countersign.models import Event, Status
from countersign.notifications import Person, RequestNotification
from notifiers.email.config import EmailConfig, SmtpConfig
from notifiers.email.token import KeyRing
from tests.samples import GRACE, notification

SECRET = b"a secret of these tests only"
# OPENED shows requesters that their request waits. Only channels whose messages can be changed send it.
MAILED = [event for event in Event if event is not Event.OPENED]


def settled(status: Status, to: Person = GRACE, **changes: Any) -> RequestNotification:
    return notification(Event.SETTLED, to, status=status, **changes)


def config(smtp: SmtpConfig | None = None, **changes: Any) -> EmailConfig:
    usual: dict[str, Any] = {
        "instance_name": "Acme Gateways",
        "sender_address": "countersign@acme.example",
        "reply_address": "answers@acme.example",
        "keys": KeyRing([("k1", SECRET)]),
        "public_url": "https://countersign.acme.example",
        "smtp": smtp or SmtpConfig(host="127.0.0.1", security="none"),
    }
    return EmailConfig(**(usual | changes))
