"""What differs between two policies, described for people: what a new one adds, changes and takes away."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from countersign.directory import ApprovalWorkflow, DeviceGroup, Policy, Role, User, UserGroup
from countersign.enrolment.rules import EnrolmentRule
from countersign.models import LevelRule, ManagersOf, MembersOf, Model, NamedUser, SentAsWords
from countersign.times import duration

# The most items that a part lists, and the most names that a description does; of more, only the number is given.
MOST_ITEMS = 100
MOST_NAMED = 5
# Singular and plural. The headings of other kinds are made from their names.
HEADINGS = {
    "users_removed": ("person removed", "people removed"),
    "users_changed": ("person changed", "people changed"),
    "users_added": ("person added", "people added"),
    "admins_lost": ("person is no longer an admin", "people are no longer admins"),
    "admins_gained": ("person becomes an admin", "people become admins"),
    "devices_moved": ("device moved to another group", "devices moved to other groups"),
    "terms_changed": ("term of the whole policy changed", "terms of the whole policy changed"),
    "requests_cancelled": (
        "request cancelled, as its requester may not ask any more",
        "requests cancelled, as their requesters may not ask any more",
    ),
    "grants_revoked": (
        "grant revoked, as its requester may not connect any more",
        "grants revoked, as their requesters may not connect any more",
    ),
    "grants_not_given": ("grant that this policy would not give", "grants that this policy would not give"),
}
SECTIONS = {"users", "user_groups", "device_groups", "roles", "registered_devices", "approval_workflows", "enrolment"}


class Item(Model):
    """One thing that a new policy concerns. For a request or a grant, `name` is the requester's."""

    name: str
    description: SentAsWords = ""
    approval_id: int | None = None


class Part(Model):
    """Changes of one kind that a new policy makes, such as `users_removed`: the total, and the first hundred."""

    kind: str
    takes_away: bool
    total: int
    items: list[Item]

    @property
    def heading(self) -> str:
        """The heading, with the number of items: `2 people removed`."""
        one, several = HEADINGS.get(self.kind, (_heading(self.kind, True), _heading(self.kind, False)))
        return f"{self.total} {one if self.total == 1 else several}"

    @classmethod
    def of(cls, kind: str, items: Iterable[Item], takes_away: bool = False) -> list["Part"]:
        """The part, in a list; an empty list if there are no items."""
        found = list(items)
        return [cls(kind=kind, takes_away=takes_away, total=len(found), items=found[:MOST_ITEMS])] if found else []


def changes(old: Policy, new: Policy) -> list[Part]:
    """What the new policy adds, changes and removes."""
    workflows = ({one.name: one for one in policy.approval_workflows} for policy in (old, new))
    enrolment = ({one.name: one for one in policy.enrolment or []} for policy in (old, new))
    return [
        *_section("users", old.users, new.users),
        *_admins(old, new),
        *_section("user_groups", old.user_groups, new.user_groups),
        *_section("device_groups", old.device_groups, new.device_groups),
        *_section("roles", old.roles, new.roles),
        *_devices(_group_of_each(old), _group_of_each(new)),
        *_section("approval_workflows", *workflows),
        *_section("enrolment_rules", *enrolment),
        *_general(old, new),
    ]


def _section(kind: str, old: Mapping[str, Model], new: Mapping[str, Model]) -> Iterator[Part]:
    removed = (Item(name=name, description=_described(one)) for name, one in old.items() if name not in new)
    added = (Item(name=name, description=_described(one)) for name, one in new.items() if name not in old)
    both = [(name, old[name], one) for name, one in new.items() if name in old and old[name] != one]
    changed = [Item(name=name, description="; ".join(_differences(before, after))) for name, before, after in both]
    yield from Part.of(f"{kind}_removed", removed, takes_away=True)
    # A group in which only the devices differ is left out: each device is listed by itself.
    yield from Part.of(
        f"{kind}_changed",
        filter(lambda one: one.description, changed),
        any(_loses(before, after) for _, before, after in both),
    )
    yield from Part.of(f"{kind}_added", added)


def _admins(old: Policy, new: Policy) -> Iterator[Part]:
    before, after = old.admins, new.admins
    yield from Part.of("admins_lost", (Item(name=one) for one in before if one not in after), takes_away=True)
    yield from Part.of("admins_gained", (Item(name=one) for one in after if one not in before))


def _devices(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Part]:
    removed = (Item(name=one, description=f"from {group}") for one, group in old.items() if one not in new)
    moved = (
        Item(name=one, description=f"from {old[one]} to {group}")
        for one, group in new.items()
        if old.get(one, group) != group
    )
    added = (Item(name=one, description=f"to {group}") for one, group in new.items() if one not in old)
    yield from Part.of("devices_removed", removed, takes_away=True)
    yield from Part.of("devices_moved", moved)
    yield from Part.of("devices_added", added)


def _group_of_each(policy: Policy) -> dict[str, str]:
    return {device: name for name, group in policy.device_groups.items() for device in group.devices}


def _general(old: Policy, new: Policy) -> Iterator[Part]:
    fields = [name for name in Policy.model_fields if name not in SECTIONS]
    items = [Item(name=name, description=one) for name in fields for one in _difference(old, new, name, "")]
    devices = _differences(old.registered_devices, new.registered_devices)
    items += [Item(name="registered_devices", description=one) for one in devices]
    if (old.enrolment is None) != (new.enrolment is None):
        items.append(Item(name="who may enrol", description="by the rules" if old.enrolment is None else "everybody"))
    for name in ("approval_workflows", "enrolment"):
        before, after = ({one.name: None for one in getattr(policy, name) or []} for policy in (old, new))
        if [one for one in after if one in before] != [one for one in before if one in after]:
            items.append(Item(name=f"order of {name}", description=_some(list(after))))
    yield from Part.of("terms_changed", items)


def _described(one: Model) -> str:
    """A short description of something that is added or removed."""
    match one:
        case User():
            return one.name + (", disabled" if one.disabled else "")
        case UserGroup():
            return f"{len(one.members)} member{'s' * (len(one.members) != 1)}"
        case DeviceGroup():
            return f"{len(one.devices)} device{'s' * (len(one.devices) != 1)}"
        case Role(require_device_approval=True):
            return "new devices wait for an approval"
        case EnrolmentRule():
            return one.action
        case ApprovalWorkflow():
            return f"{one.user_group} to {one.device_group}"
    return ""


def _loses(old: Model, new: Model) -> bool:
    """Whether somebody loses something: is disabled, loses a role, or is no longer a member or manager of a group."""
    if isinstance(old, User) and isinstance(new, User):
        return (new.disabled and not old.disabled) or bool(set(old.roles) - set(new.roles))
    lists = [name for name in ("members", "managers", "people", "user_groups") if name in type(old).model_fields]
    return any(set(getattr(old, name)) - set(getattr(new, name)) for name in lists)


def _differences(old: Model, new: Model) -> Iterator[str]:
    for name in type(old).model_fields:
        if name != "devices":
            yield from _difference(old, new, name, f"{name.removesuffix('_minutes').replace('_', ' ')} ")


def _difference(old: Model, new: Model, name: str, label: str) -> Iterator[str]:
    before, after = getattr(old, name), getattr(new, name)
    if before == after:
        return
    if name != "levels" and isinstance(before, list) and isinstance(after, list):
        gone, come = [one for one in before if one not in after], [one for one in after if one not in before]
        differences = [f"{sign} {_some(which)}" for sign, which in (("without", gone), ("with", come)) if which]
        yield label + (", ".join(differences) or f"in another order: {_some(after)}")
    else:
        yield f"{label}{_value(name, before)} -> {_value(name, after)}"


def _value(name: str, value: Any) -> str:
    match value:
        case None:
            return "not said"
        case bool():
            return "true" if value else "false"
        case timedelta():
            return duration(value)
        case [LevelRule(), *_]:
            return ", then ".join(map(_level, value))
        case list():
            return _some(value) or "nobody"
        case dict():
            return ", ".join(f"{key} {used}" for key, used in value.items()) or "none"
    return str(value) or "nothing"


def _level(level: LevelRule) -> str:
    own = ", members may approve themselves" if level.members_may_approve_themselves else ""
    return f"{level.quorum} of {' or '.join(map(_approver, level.approvers))}{own}"


def _approver(rule: object) -> str:
    match rule:
        case ManagersOf(managers_of=group):
            return f"managers of {group}"
        case MembersOf(members_of=group):
            return f"members of {group}"
        case NamedUser(user=person):
            return person
        case "admins":
            return "admins"
    return "line manager"


def _some(names: Sequence[object]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(map(str, names[:MOST_NAMED])) + (f" and {more} more" if more > 0 else "")


def _heading(kind: str, one: bool) -> str:
    thing, _, how = kind.replace("_", " ").rpartition(" ")
    return f"{thing.removesuffix('s') if one else thing} {how}"
