"""Devices: may this person connect with this one?"""

from datetime import timedelta
from typing import Literal

from countersign.device_keys import short_of
from countersign.directory import Policy, RequestTerms
from countersign.fingerprints import Fingerprint, details
from countersign.kinds.kind import SubjectKind
from countersign.models import Detail, Id, LevelRule, ManagersOf, Question, Route, Subject, key_of
from countersign.policy import combined


class DeviceQuestion(Question):
    """May this person connect with this registered device? `before` is what it said of itself when it was approved."""

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
        """What the device says of itself, with what changed, and its key as people compare it."""
        key = [Detail(label="Key", value=short_of(self.key))] if self.key else []
        return [*details(self.fingerprint, self.before), *key]


def route(policy: Policy, question: DeviceQuestion) -> Route:
    """Who must agree to a device: the levels of the policy, else any admin or a manager of the requester's groups."""
    rules = policy.registered_devices
    terms = combined(RequestTerms, rules, policy)
    groups = policy.groups_of(question.requester)
    managers = LevelRule(approvers=[ManagersOf(managers_of=group) for group in groups] or ["line_manager"])
    default = managers if rules.approved_by == "managers" else LevelRule(approvers=["admins"])
    return Route(
        because="a device has to be approved",
        levels=rules.levels or [default],
        fallback_approvers=terms["fallback_approvers"],
        expires_after=terms["approval_status_change_to_expire"],
        grant_lasts=timedelta(0),
        remind_after=terms["reminder_minutes"],
        channels=terms["channels"],
        rooms=terms["rooms"],
        rejection_needs_reason=terms["rejection_needs_reason"],
        confirm=terms["confirm"] or "",
    )


DEVICE = SubjectKind(
    name="device",
    workflow="DeviceApproval",
    question=DeviceQuestion,
    route=route,
    example='{"kind": "device", "requester": "alice", "device": "d0123456789ab"}',
    title=lambda subject: "device {name}".format(**subject.fields),
    asked_by_engine=True,
)
