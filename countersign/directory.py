"""The policy document: who exists, how people and devices are grouped, and who must agree to what."""

from datetime import timedelta
from functools import cached_property
from ipaddress import IPv4Network
from itertools import chain
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from countersign.enrolment.rules import EnrolmentRules
from countersign.fields import (
    Applications,
    ById,
    ChannelName,
    Channels,
    Described,
    Email,
    GrantLength,
    Ids,
    Name,
    Network,
    Rooms,
    Wait,
    Watched,
    folded_address,
    no_repeats,
)
from countersign.models import Id, LevelRule

ADMIN = "admin"
DEFAULT_LENGTH = timedelta(hours=1)
# The channels there are, and which of them have rooms where one message asks several people.
CHANNELS = ("email", "slack")
CHANNELS_WITH_ROOMS = ("slack",)


class User(Described):
    """A person who may ask, approve, or both."""

    name: Name
    """As pages and mails show it."""
    email: Email
    """Where they are written to; a mail from this address counts as theirs. No two people share one."""
    aliases: Annotated[list[Email], AfterValidator(no_repeats), Field(json_schema_extra={"uniqueItems": True})] = []
    """Other addresses that they write from: a mail from one of them counts as theirs too. None is written to."""
    disabled: bool = False
    """May neither connect nor decide."""
    line_manager: Id | None = None
    """The person whom a level asks by `line_manager`."""
    roles: list[Literal["admin"]] = []
    """`admin`: may apply policies and revoke any grant."""

    @property
    def addresses(self) -> list[str]:
        """All of their addresses, as `folded_address` folds them; the one that we write to is first."""
        return [folded_address(address) for address in (self.email, *self.aliases)]


class UserGroup(Described):
    """How people are grouped. A manager is not a member unless listed as one."""

    members: Ids = []
    """People by id."""
    managers: Ids = []
    """People by id."""
    require_managerial_approval: bool = False
    """Whatever its members want to connect to, one of its managers has to agree."""
    confirm: Literal["sign_in_again"] | None = None
    """The same as for a device group, if this group requires managerial approval."""


class RequestTerms(Described):
    """Terms that may be set for some of the requests; those left out come from the policy."""

    fallback_approvers: Ids | None = None
    """Asked if a level has fewer people than its quorum."""
    approval_status_change_to_expire: Wait | None = None
    """How long a request waits before it becomes Expired: `90s`, `15m`, `36h`, `2d`; a number alone means minutes."""
    reminder_minutes: Wait | None = None
    """How long until those who were asked and have not answered are reminded. A number alone means minutes."""
    channels: Channels = {}
    """For each channel: `decide`, `link_only` or `off`."""
    rooms: Rooms = {}
    """For a channel that has rooms: the one where a single message asks all approvers, instead of one each."""
    rejection_needs_reason: bool | None = None
    """A rejection counts only with a comment that says why."""
    confirm: Literal["sign_in_again"] | None = None
    """`sign_in_again`: an approval counts only on the portal's page, within five minutes of signing in there."""


class Terms(RequestTerms):
    """Terms that may be set for an approval workflow or a device group.

    Those that an approval workflow leaves out come from its device group, and then from the policy.
    """

    grant_minutes: GrantLength | None = None
    """How long a grant lasts, unless less is asked for; more is refused. A number alone means minutes."""


class DeviceGroup(Terms):
    """How devices are grouped. A device is in exactly one group."""

    devices: Ids = []
    """Devices by id."""
    managers: Ids = []
    """People by id."""
    require_managerial_approval: bool = False
    """A manager of this group, or if it has none, of the requester's groups, has to agree to every connection."""


class ApprovalWorkflow(Terms):
    """A rule for one user group and one device group: levels passed one after another."""

    name: Name
    """As pages, mails and the record show it."""
    user_group: Id
    """Whose requests it is for."""
    device_group: Id
    """Requests for these devices."""
    levels: list[LevelRule] = Field(min_length=1)
    """Passed in this order."""


class Role(Described):
    """A role that people have, and what it requires of the devices they connect with."""

    people: Ids = []
    """People by id."""
    user_groups: Ids = []
    """Groups by name: all their members have this role."""
    require_device_approval: bool = False
    """A new device of theirs waits for an approval. Devices that are known already stay as they are."""


class RegisteredDeviceRules(RequestTerms):
    """The rules for the devices that people connect with."""

    approved_by: Literal["admins", "managers"] = "admins"
    """Who agrees to a new device if no levels are given: any admin, or a manager of one of its person's groups."""
    levels: list[LevelRule] = []
    """Passed in this order; without any, it is one level of those in `approved_by`."""
    ask_about_changes: list[Watched] = []
    """What may not change without another approval; other changes are recorded and shown."""
    allow_devices_to_leave: bool = True
    """A person may remove their own device."""
    network: Network | None = None
    """IPv4 network from which each approved device gets an address of its own; no address is given to another."""
    team: ChannelName = "countersign"
    """A device of no person is known as `non_identity@<team>`."""

    def address(self, number: int | None) -> str | None:
        """The address of a device by its number, from 1; the network's first is the gate's. None if there is none."""
        if self.network is None or number is None:
            return None
        network = IPv4Network(self.network)
        # Without the network's own address, the gate's, and the one for broadcasts.
        return str(network[number + 1]) if number + 1 < network.num_addresses - 1 else None


def _admins_need_no_approval(roles: dict[str, Role]) -> dict[str, Role]:
    """Somebody has to be able to approve the first device."""
    if ADMIN in roles and roles[ADMIN].require_device_approval:
        raise ValueError("admins approve devices, so their own need no approval; remove require_device_approval here")
    return roles


class Policy(Described):
    """The directory and the rules of approval, as one document."""

    users: ById[User]
    """Everybody, by id."""
    user_groups: ById[UserGroup] = {}
    """How people are grouped, by name."""
    device_groups: ById[DeviceGroup] = {}
    """How devices are grouped, by name."""
    approval_workflows: list[ApprovalWorkflow] = []
    """The first one for a user group of the requester and the group of the device applies."""
    roles: Annotated[ById[Role], AfterValidator(_admins_need_no_approval)] = {}
    """Roles by name; the role `admin` is that of `users`, and may be given here too."""
    registered_devices: RegisteredDeviceRules = RegisteredDeviceRules()
    """The devices that people connect with."""
    fallback_approvers: Ids = []
    """Asked if a level has fewer people than its quorum."""
    auto_approve_when_requester_is_approver: bool = False
    """If the requester is an approver of a level as a manager, their own approval is counted at once."""
    approval_status_change_to_expire: Wait = DEFAULT_LENGTH
    """How long a request waits before it becomes Expired: `90s`, `15m`, `36h`, `2d`; a number alone means minutes."""
    grant_minutes: GrantLength = DEFAULT_LENGTH
    """How long a grant lasts, unless less is asked for; more is refused. A number alone means minutes."""
    reminder_minutes: Wait | None = None
    """How long until those who were asked and have not answered are reminded. A number alone means minutes."""
    same_source_address: bool = True
    """While a grant lasts, asking again gets a yes only from the address that it was first asked from."""
    channels: Channels = {"email": "decide"}
    """For each channel: `decide`, `link_only` (a page where the approver signs in) or `off`."""
    rooms: Rooms = {}
    """For a channel that has rooms: the one where a single message asks all approvers, instead of one each."""
    rejection_needs_reason: bool = False
    """A rejection counts only with a comment that says why."""
    confirm: Literal["sign_in_again"] | None = None
    """`sign_in_again`: an approval counts only on the portal's page, within five minutes of signing in there."""
    applications: Applications = {}
    """Web applications, by the host name of each: the device that people ask for to reach it."""
    enrolment: EnrolmentRules = Field(default=None, exclude_if=lambda rules: rules is None)
    """The rules for who may register a device, tried in this order; without them everybody here may."""

    def person_at(self, address: str) -> str:
        """The id of the person with this mail address, whatever its case, disabled or not; "" if it is nobody's."""
        return self._by_address.get(folded_address(address), "")

    @cached_property
    def _by_address(self) -> dict[str, str]:
        return {address: one for one, user in self.users.items() for address in user.addresses}

    def enabled(self, person: str) -> bool:
        """Whether this person exists and may act."""
        user = self.users.get(person)
        return user is not None and not user.disabled

    def roles_of(self, person: str) -> list[str]:
        """The roles of this person, including those of the groups they are in."""
        return self._roles_by_person.get(person, [])

    def people_in(self, role: str) -> list[str]:
        """Everybody who has this role, including the members of groups that have it."""
        return sorted(person for person, roles in self._roles_by_person.items() if role in roles)

    def is_admin(self, person: str) -> bool:
        """Whether this person exists, may act, and is an admin."""
        return self.enabled(person) and ADMIN in self.roles_of(person)

    @cached_property
    def admins(self) -> list[str]:
        """The enabled people who are admins, in the policy's order."""
        return [person for person in self.users if self.is_admin(person)]

    @property
    def all_roles(self) -> dict[str, Role]:
        """The roles by name, with that of admins even if the policy gives it only in `users`, or to nobody."""
        return {ADMIN: Role(), **self.roles}

    def groups_of(self, person: str) -> list[str]:
        """The user groups this person is a member of, in the policy's order."""
        return self._groups_by_member.get(person, [])

    def group_with(self, device: str) -> str | None:
        """The device group this device is in."""
        return self._group_by_device.get(device)

    def workflows_for(self, device_group: str) -> list[ApprovalWorkflow]:
        """The approval workflows for this device group, in the policy's order."""
        return self._workflows_by_group.get(device_group, [])

    def managers_of(self, group: str) -> list[str]:
        """The managers of a user group or a device group; an unknown group has none."""
        found = self.user_groups.get(group) or self.device_groups.get(group)
        return found.managers if found else []

    def members_of(self, group: str) -> list[str]:
        """The members of a user group; an unknown group has none."""
        return self.user_groups[group].members if group in self.user_groups else []

    @cached_property
    def people_by_groups(self) -> dict[tuple[str, ...], list[str]]:
        """The enabled people, by their user groups: the same rules apply to all who are in the same groups."""
        found: dict[tuple[str, ...], list[str]] = {}
        for person in filter(self.enabled, sorted(self.users)):
            found.setdefault(tuple(self.groups_of(person)), []).append(person)
        return found

    # A policy never changes after it was read, so what is looked up again and again is worked out once.

    @cached_property
    def devices(self) -> list[str]:
        """All devices that are in a group, sorted."""
        return sorted(self._group_by_device)

    @cached_property
    def _roles_by_person(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {one: [ADMIN] for one, user in self.users.items() if ADMIN in user.roles}
        for name, role in self.roles.items():
            in_groups = (self.members_of(group) for group in role.user_groups)
            for person in dict.fromkeys([*role.people, *chain.from_iterable(in_groups)]):
                if name not in (roles := found.setdefault(person, [])):
                    roles.append(name)
        return found

    @cached_property
    def _groups_by_member(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, group in self.user_groups.items():
            for person in group.members:
                found.setdefault(person, []).append(name)
        return found

    @cached_property
    def _group_by_device(self) -> dict[str, str]:
        # If a device is in two groups, which is refused elsewhere, the first counts.
        found: dict[str, str] = {}
        for name, group in self.device_groups.items():
            for device in group.devices:
                found.setdefault(device, name)
        return found

    @cached_property
    def _workflows_by_group(self) -> dict[str, list[ApprovalWorkflow]]:
        found: dict[str, list[ApprovalWorkflow]] = {}
        for workflow in self.approval_workflows:
            found.setdefault(workflow.device_group, []).append(workflow)
        return found
