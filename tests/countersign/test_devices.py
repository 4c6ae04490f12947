"""The devices that somebody may ask for."""

from __future__ import annotations

from countersign.devices import devices_for
from countersign.kinds.connection import ConnectionProtocol
from countersign.models import Scope
from countersign.permissions import Principal, principal
from tests.countersign.policy.test_route import a_policy

POLICY = a_policy(device_groups={"web": {"devices": ["web-2", "web-1"]}, "lab": {"devices": ["lab-1"]}})


def names(who: Principal, *arguments: object) -> list[str]:
    return [one.device for one in devices_for(POLICY, who, *arguments)]  # type: ignore[arg-type]


def test_a_person_may_ask_for_each_device_that_is_in_a_group() -> None:
    alice = principal(POLICY, "alice")
    assert names(alice) == ["lab-1", "web-1", "web-2"]
    assert devices_for(POLICY, alice)[0].protocols == list(ConnectionProtocol)
    assert names(alice, " WEB ") == ["web-1", "web-2"]
    assert names(alice, "", "lab-1", 1) == ["web-1"]
    assert names(alice, "", "web-2") == []


def test_who_is_disabled_or_unknown_may_ask_for_nothing() -> None:
    assert names(principal(POLICY, "nobody")) == []


def test_a_gateway_may_ask_for_what_is_in_its_scope_and_in_a_group() -> None:
    scope = Scope(targets=frozenset({"web-1", "gone-1"}), variants=frozenset({"ssh"}))
    [one] = devices_for(POLICY, Principal("gateway:bastion", scope=scope))
    assert (one.device, one.protocols) == ("web-1", [ConnectionProtocol.SSH])
    assert names(Principal("gateway:bastion", scope=Scope(targets=frozenset({"web-1"})))) == []
