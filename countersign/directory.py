"""The policy document: who exists, how people and devices are grouped, and who must agree to what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from countersign.models import LONGEST_GRANT_MINUTES, LONGEST_ID, ChannelUse, Id, LevelRule, Model, without_controls

DEFAULT_EXPIRE_MINUTES = 60
DEFAULT_GRANT_MINUTES = 60
LONGEST_EXPIRE_MINUTES = 60 * 24 * 90
LONGEST_NAME = 200
# RFC 5321, 4.5.3.1.3: a path is at most 256 characters with its angle brackets.
LONGEST_EMAIL = 254
# An address that needs no quoting in any header: what stands here goes into To and is compared with From.
EMAIL_PATTERN = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


def _email(value: str) -> str:
    if not EMAIL_PATTERN.fullmatch(value) or len(value) > LONGEST_EMAIL:
        raise ValueError(f"{value[:40]!r} is not a mail address; write name@example.org in ASCII, nothing around it")
    return value


def _one_line(value: str) -> str:
    if value != without_controls(value) or not value.isprintable() or not value:
        raise ValueError("must be one line of text, without control characters or space around it")
    return value


def _no_repeats(ids: list[str]) -> list[str]:
    if repeated := next((one for n, one in enumerate(ids) if one in ids[:n]), None):
        raise ValueError(f"{repeated} stands here twice; remove one")
    return ids


def _no_twins(value: object) -> object:
    """Ids are folded to lower case, so that `Grace` and `grace` would silently become one."""
    if isinstance(value, Mapping):
        folded = [str(key).strip().lower() for key in value]
        if twin := next((key for key in folded if folded.count(key) > 1), None):
            raise ValueError(f"{twin} stands here twice, in different letters; remove one")
    return value


T = TypeVar("T")
ById = Annotated[dict[Id, T], BeforeValidator(_no_twins)]
Ids = Annotated[list[Id], AfterValidator(_no_repeats), Field(json_schema_extra={"uniqueItems": True})]
Email = Annotated[str, AfterValidator(_email), Field(max_length=LONGEST_EMAIL)]
Name = Annotated[str, AfterValidator(_one_line), Field(min_length=1, max_length=LONGEST_NAME)]
Channels = ById[ChannelUse]
ExpireMinutes = Annotated[int, Field(ge=1, le=LONGEST_EXPIRE_MINUTES)]
GrantMinutes = Annotated[int, Field(ge=1, le=LONGEST_GRANT_MINUTES)]
ReminderMinutes = Annotated[int, Field(ge=1, le=LONGEST_EXPIRE_MINUTES)]


class User(Model):
    """A person who may ask, approve, or both."""

    name: Name
    email: Email
    disabled: bool = False
    line_manager: Id | None = None
    roles: list[Literal["admin"]] = []


class UserGroup(Model):
    """How people are grouped. A manager is not a member unless listed as one."""

    members: Ids = []
    managers: Ids = []
    require_managerial_approval: bool = False


class Terms(Model):
    """What may be said for an approval workflow or a device group alone; what is left out comes from the policy.

    An approval workflow goes before its device group. Durations are minutes.
    """

    fallback_approvers: Ids | None = None
    approval_status_change_to_expire: ExpireMinutes | None = None
    grant_minutes: GrantMinutes | None = None
    reminder_minutes: ReminderMinutes | None = None
    channels: Channels = {}


class DeviceGroup(Terms):
    """How devices are grouped. A device is in exactly one group."""

    devices: Ids = []
    managers: Ids = []
    require_managerial_approval: bool = False


class ApprovalWorkflow(Terms):
    """A rule for one user group and one device group: levels passed one after another."""

    name: Annotated[Name, Field(max_length=LONGEST_ID)]
    user_group: Id
    device_group: Id
    levels: list[LevelRule] = Field(min_length=1)


class Policy(Model):
    """The directory and the rules of approval, as one document. Durations are minutes."""

    users: ById[User]
    user_groups: ById[UserGroup] = {}
    device_groups: ById[DeviceGroup] = {}
    approval_workflows: list[ApprovalWorkflow] = []
    fallback_approvers: Ids = []
    auto_approve_when_requester_is_approver: bool = False
    approval_status_change_to_expire: ExpireMinutes = DEFAULT_EXPIRE_MINUTES
    grant_minutes: GrantMinutes = DEFAULT_GRANT_MINUTES
    reminder_minutes: ReminderMinutes | None = None
    same_source_address: bool = True
    channels: Channels = {"email": "decide"}

    def enabled(self, person: str) -> bool:
        """Whether this person exists and may act."""
        user = self.users.get(person)
        return user is not None and not user.disabled

    def groups_of(self, person: str) -> list[str]:
        """The user groups this person is a member of, in the policy's order."""
        return [name for name, group in self.user_groups.items() if person in group.members]

    def group_with(self, device: str) -> str | None:
        """The device group this device is in."""
        return next((name for name, group in self.device_groups.items() if device in group.devices), None)

    def managers_of(self, group: str) -> list[str]:
        """The managers of a user group or a device group; an unknown group has none."""
        found = self.user_groups.get(group) or self.device_groups.get(group)
        return found.managers if found else []

    def members_of(self, group: str) -> list[str]:
        """The members of a user group; an unknown group has none."""
        return self.user_groups[group].members if group in self.user_groups else []
