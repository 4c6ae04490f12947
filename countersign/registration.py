"""Registering the devices that people and machines connect with: what is sent, and what is known of one."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from countersign.device_keys import KeyText, KeyType, canonical_key
from countersign.fingerprints import Fingerprint
from countersign.models import SERVICE, Model

RegistrationStatus = Literal["approved", "pending", "denied", "blocked", "archived"]


class DeviceStatus(StrEnum):
    """The status of a registered device."""

    NOT_ENROLLED = "Not enrolled"
    PENDING = "Pending approval"
    APPROVED = "Approved"
    DENIED = "Denied"
    BLOCKED = "Blocked"
    REVOKED = "Revoked"
    ARCHIVED = "Archived"


class DeviceDecision(StrEnum):
    """What was decided of a registered device."""

    NONE = ""
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"


STATUSES = {
    DeviceDecision.NONE: DeviceStatus.NOT_ENROLLED,
    DeviceDecision.PENDING: DeviceStatus.PENDING,
    DeviceDecision.APPROVED: DeviceStatus.APPROVED,
    DeviceDecision.DENIED: DeviceStatus.DENIED,
}
# What takes precedence over the decision; the first of these that happened is the status.
BEFORE_DECISION = (
    ("archived_at", DeviceStatus.ARCHIVED),
    ("blocked_at", DeviceStatus.BLOCKED),
    ("revoked_at", DeviceStatus.REVOKED),
)

REGISTRATION_STATUS: dict[DeviceStatus, RegistrationStatus] = {
    DeviceStatus.NOT_ENROLLED: "denied",
    DeviceStatus.PENDING: "pending",
    DeviceStatus.APPROVED: "approved",
    DeviceStatus.DENIED: "denied",
    DeviceStatus.BLOCKED: "blocked",
    DeviceStatus.REVOKED: "denied",
    DeviceStatus.ARCHIVED: "archived",
}


def status_of(columns: Mapping[Any, Any]) -> DeviceStatus:
    """The status of a device with these columns."""
    before = next((status for name, status in BEFORE_DECISION if columns[name] is not None), None)
    return before or STATUSES[columns["decision"]]


class DeviceAction(StrEnum):
    """What may be done to a registered device, besides deciding on its request."""

    BLOCK = "block"
    UNBLOCK = "unblock"
    ARCHIVE = "archive"
    RESTORE = "restore"
    REVOKE = "revoke"
    UNREVOKE = "unrevoke"
    LEAVE = "leave"


class Presented(Model):
    """What a device presents: its public key, in base64, and what it reports about itself."""

    key: KeyText
    key_type: KeyType = "x25519"
    fingerprint: Fingerprint = Fingerprint()

    @model_validator(mode="after")
    def _canonical(self) -> Self:
        self.key = canonical_key(self.key, self.key_type)
        return self


class Registered(Model):
    """The result of a registration: its status, why, and the request that is open about it.

    `address`: its address in the policy's network, once it is approved. `session_ends_at`: when it has to register
    again at the latest.
    """

    id: str
    status: RegistrationStatus
    message: str
    approval_id: int | None = None
    address: str | None = None
    session_ends_at: datetime | None = None


class RegisteredDevice(Model):
    """A device that somebody connects with. For a machine's, `person` is empty and `email` is nobody's.

    `rule` is the enrolment rule that let it in. `last_seen_at` is when it last registered, to the minute.
    """

    id: str
    person: str
    email: str
    name: str
    status: DeviceStatus
    key: str
    key_type: KeyType
    fingerprint: Fingerprint
    registered_at: datetime
    last_seen_at: datetime
    source_address: str = ""
    address: str | None = None
    approval_id: int | None = None
    rule: str = ""
    service_token: str = ""
    provisioning_key: str = ""
    session_ends_at: datetime | None = None
    message: str = Field(default="", description="Who blocked, archived or revoked it, and why.")


def owner(person: str, service_token: str) -> str:
    """Who may have a device leave: its person, or the service token with which a machine registered it."""
    return person or f"{SERVICE}{service_token}"


class Snapshot(Model):
    """What a device reported about itself at some moment, and what had `changed`."""

    at: datetime
    source_address: str
    fingerprint: Fingerprint
    changed: list[str]


class Admitted(Model):
    """A device that a gate lets through, with its key and address; `until` is when it has to register again."""

    id: str
    key: str
    address: str | None
    person: str
    until: datetime | None = None


class Peers(Model):
    """The devices that a gate lets through; `version` changes whenever they do."""

    version: str
    peers: list[Admitted]
