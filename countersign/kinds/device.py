"""Devices: may this person connect with this one?"""

from typing import Literal

from countersign.device_keys import short_of
from countersign.fingerprints import Fingerprint, details
from countersign.kinds.kind import SubjectKind
from countersign.models import Detail, Id, Question, Subject, key_of


class DeviceQuestion(Question):
    """May this person connect with this registered device? `before` is what it reported when it was approved."""

    kind: Literal["device"] = "device"
    requester: Id
    device: Id
    name: str = ""
    key: str = ""
    fingerprint: Fingerprint = Fingerprint()
    before: Fingerprint | None = None

    @property
    def subject(self) -> Subject:
        """The device."""
        key = key_of(self.kind, self.requester, self.device)
        return Subject(kind=self.kind, key=key, target=self.device, fields={"name": self.name or self.device})

    @property
    def details(self) -> list[Detail]:
        """What the device reports about itself, with what changed, and its key in the form that people compare."""
        key = [Detail(label="Key", value=short_of(self.key))] if self.key else []
        return [*details(self.fingerprint, self.before), *key]


DEVICE = SubjectKind(
    name="device",
    workflow="DeviceApproval",
    question=DeviceQuestion,
    example='{"kind": "device", "requester": "alice", "device": "d0123456789ab"}',
    title=lambda subject: "device {name}".format(**subject.fields),
    asked_by_engine=True,
)
