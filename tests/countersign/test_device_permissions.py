"""Who may register, see, list and change the devices that people connect with."""

from dataclasses import replace

import pytest

from countersign.device_permissions import (
    may_see_device,
    must_be_allowed_to_register,
    must_register_devices,
    whose_devices,
    why_not_device,
)
from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed
from countersign.models import SERVICE, Scope
from countersign.permissions import Principal
from countersign.registration import DeviceAction

ALICE, BOB, ADA = Principal("alice"), Principal("bob"), Principal("ada", admin=True)
GONE = replace(ADA, enabled=False)
MACHINE = Principal(f"{SERVICE}1")
VPN = Principal("gateway:vpn", scope=Scope(variants=frozenset({"device"})))
BASTION = Principal("gateway:bastion", scope=Scope(targets=frozenset({"web-1"}), variants=frozenset({"ssh"})))
EVERYBODY = [ALICE, BOB, ADA, GONE, MACHINE, VPN, BASTION]


def test_a_device_is_seen_by_its_owner_admins_and_gateways_that_register_devices() -> None:
    assert [one for one in EVERYBODY if may_see_device(one, "alice")] == [ALICE, ADA, VPN]
    assert [one for one in EVERYBODY if may_see_device(one, MACHINE.name)] == [ADA, MACHINE, VPN]


def may_register(who: Principal, person: str | None) -> bool:
    try:
        must_be_allowed_to_register(who, person)
    except NotAllowed:
        return False
    return True


def test_people_and_machines_register_their_own_and_such_gateways_those_of_everybody() -> None:
    assert [one for one in EVERYBODY if may_register(one, None)] == [ALICE, BOB, ADA, MACHINE, VPN]
    assert [one for one in EVERYBODY if may_register(one, "alice")] == [ALICE, VPN]
    with pytest.raises(NotAllowed, match="--registers-devices"):
        must_register_devices(BASTION)


def test_people_list_their_own_and_admins_those_of_everybody() -> None:
    assert [whose_devices(ALICE, one) for one in ("", "alice")] == ["alice", "alice"]
    assert [whose_devices(ADA, one) for one in ("", "alice")] == ["", "alice"]
    for who, person in ((ALICE, "bob"), (GONE, ""), (VPN, ""), (MACHINE, "")):
        with pytest.raises(NotAllowed):
            whose_devices(who, person)


@pytest.mark.parametrize("action", list(DeviceAction))
def test_admins_do_everything_and_an_owner_leaves_where_the_policy_lets_them(action: DeviceAction) -> None:
    leaves = action is DeviceAction.LEAVE
    may = [one for one in EVERYBODY if not why_not_device(one, action, "alice", may_leave=True)]
    assert may == ([ALICE, ADA] if leaves else [ADA])
    refusal = why_not_device(ALICE, action, "alice", may_leave=False)
    assert refusal is not None
    assert refusal.code == (ErrorCode.MAY_NOT_LEAVE if leaves else ErrorCode.ADMIN_ONLY)
