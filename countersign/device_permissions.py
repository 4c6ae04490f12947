"""Who may do what to the devices that people connect with, and who may see which of them."""

from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed
from countersign.kinds.device import DEVICE
from countersign.permissions import Principal, admin_only, disabled, must_be_person
from countersign.registration import DeviceAction


def registers_devices(who: Principal) -> bool:
    """Whether it is a gateway whose token is for devices."""
    return who.is_gateway and DEVICE.name in who.scope.variants


def must_register_devices(who: Principal) -> None:
    """Raise NotAllowed unless it is a gateway whose token is for devices."""
    if not registers_devices(who):
        raise NotAllowed(f"{who.name} has nothing to do with devices; make its token with `--registers-devices`.")


def must_be_allowed_to_register(who: Principal, person: str | None) -> None:
    """Raise NotAllowed if they may not register a device of this person; None means one of their own."""
    if not who.enabled:
        raise disabled()
    if who.is_gateway:
        must_register_devices(who)
    elif person not in (None, who.name):
        raise NotAllowed("You can register only your own devices; leave the person out.")


def whose_devices(who: Principal, person: str) -> str:
    """Whose devices to list when they ask for those of `person`, or with "" for all that they may see.

    Returns "" for everybody's. Raises NotAllowed.
    """
    if not who.enabled:
        raise disabled()
    if who.admin:
        return person
    must_be_person(who)
    if person not in ("", who.name):
        raise NotAllowed("You can see only your own devices; leave the person out.")
    return who.name


def may_see_device(who: Principal, owner: str) -> bool:
    """Whether they may see a device of this owner."""
    return who.enabled and (who.admin or registers_devices(who) or who.name == owner)


def must_be_allowed_device(who: Principal, action: DeviceAction, owner: str, may_leave: bool) -> None:
    """Raise NotAllowed if this principal may not do this to a device of this owner."""
    if why := why_not_device(who, action, owner, may_leave):
        raise why


def why_not_device(who: Principal, action: DeviceAction, owner: str, may_leave: bool) -> NotAllowed | None:
    """Why this principal may not do this to a device of this owner; None if they may.

    Admins may do everything. Unless the policy forbids it, people may have their own devices leave, and machines those
    of their service token.
    """
    if not who.enabled:
        return disabled()
    if who.admin:
        return None
    if action is not DeviceAction.LEAVE or owner != who.name:
        return admin_only()
    return (
        None if may_leave else NotAllowed("Devices may not leave here; ask an administrator.", ErrorCode.MAY_NOT_LEAVE)
    )
