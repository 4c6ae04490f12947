"""What people do to registered devices: block, archive and revoke them, undo each of these, and leave."""

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from countersign.device_permissions import must_be_allowed_device
from countersign.directory import Policy
from countersign.errors import Refused
from countersign.models import sentence
from countersign.permissions import Principal
from countersign.registration import DeviceAction, DeviceDecision, RegisteredDevice, owner
from countersign.transitions import Kind
from engine.devices.enrolment import waiting_request
from engine.part import EnginePart
from engine.record import append_or_count, event, record
from store import registered_devices as devices
from store.events import lock_feed

DONE: dict[DeviceAction, tuple[str, Kind]] = {
    DeviceAction.BLOCK: ("Blocked", "device_blocked"),
    DeviceAction.UNBLOCK: ("Unblocked", "device_unblocked"),
    DeviceAction.ARCHIVE: ("Archived", "device_archived"),
    DeviceAction.RESTORE: ("Restored", "device_restored"),
    DeviceAction.REVOKE: ("Revoked", "device_revoked"),
    DeviceAction.UNREVOKE: ("Given back", "device_unrevoked"),
    DeviceAction.LEAVE: ("Removed", "device_left"),
}
# The time that an action sets; after that, nobody is asked about the device any more.
SETS = {
    DeviceAction.BLOCK: "blocked_at",
    DeviceAction.ARCHIVE: "archived_at",
    DeviceAction.REVOKE: "revoked_at",
    DeviceAction.LEAVE: "archived_at",
}
# And the one that an action clears.
ENDS = {DeviceAction.RESTORE: "archived_at", DeviceAction.UNREVOKE: "revoked_at"}
# What has to be done first if another device has the key now. A block applies to the key: an archived device can't be
# blocked while another has its key.
REMEDIES = {DeviceAction.BLOCK: "block that one", DeviceAction.RESTORE: "archive that one first"}


class DeviceActions(EnginePart):
    """Each method is one transaction."""

    def act(
        self, device_id: str, action: DeviceAction, who: Principal, reason: str, channel: str, proof: dict[str, str]
    ) -> tuple[RegisteredDevice, int | None]:
        """Do it, on record; returns the device, and the request about it that nobody need answer any more.

        Raises NotFound, NotAllowed, and Refused if that changes nothing or may not be done.
        """
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            lock_feed(connection)
            _, policy = self.policies.in_force(connection)
            row = devices.device_row(connection, device_id, lock=True)
            owned_by = owner(row.person, row.service_token)
            must_be_allowed_device(who, action, owned_by, policy.registered_devices.allow_devices_to_leave)
            return _done(connection, policy, row, _Act(action, who.name, reason, channel, proof, now))

    def act_on_all(
        self,
        action: DeviceAction,
        who: str,
        reason: str,
        channel: str,
        proof: dict[str, str],
        person: str = "",
        service_token: str = "",
        within: Connection | None = None,
    ) -> list[tuple[RegisteredDevice, int | None]]:
        """Revoke all devices of a person, or all that a service token enrolled, or undo that, on record.

        Returns those that it changed, each with the request about it that nobody need answer any more. With
        `within`, this runs in that transaction instead of one of its own.
        """
        column, whose = ("person", person) if person else ("service_token", service_token)
        now = datetime.now(UTC)
        with nullcontext(within) if within is not None else self.database.transaction() as connection:
            lock_feed(connection)
            _, policy = self.policies.in_force(connection)
            # A service token is revoked for good: a device that it enrolled must not come back by being restored.
            rows = devices.of_owner(
                connection, column, whose, revoked=action is not DeviceAction.REVOKE, archived=not person
            )
            act = _Act(action, who, reason, channel, proof, now)
            return [_done(connection, policy, row, act) for row in rows]

    def record_refusal(self, device_id: str, action: DeviceAction, who: str, why: str, proof: dict[str, str]) -> None:
        """Record that somebody tried what they may not do."""
        detail = f"{action} {device_id}: {why}"
        refused = event("device_refused", who, detail, proof, datetime.now(UTC))
        with self.database.transaction() as connection:
            append_or_count(connection, None, refused, who)


class _Act(NamedTuple):
    """What is done, by whom and why."""

    action: DeviceAction
    who: str
    reason: str
    channel: str
    proof: dict[str, str]
    at: datetime


def _done(connection: Connection, policy: Policy, row: Row[Any], act: _Act) -> tuple[RegisteredDevice, int | None]:
    """Do it, on record; returns the device, and the request about it that nobody need answer any more."""
    values = _values(connection, row, act.action, act.at)
    done, kind = DONE[act.action]
    name = policy.users[act.who].name if act.who in policy.users else act.who
    message = sentence(f"{done} by {name}", act.reason)
    changed = devices.change(connection, row.id, message=message, **values)
    record(connection, kind, act.who, message, {**act.proof, "device": row.id}, act.at, act.channel)
    return devices.view(changed, policy), waiting_request(connection, changed) if act.action in SETS else None


def _values(connection: Connection, row: Row[Any], action: DeviceAction, now: datetime) -> dict[str, Any]:
    """The columns that an action changes. Raises Refused if it changes nothing, or may not be done."""
    if action is DeviceAction.UNBLOCK:
        return _unblocked(row)
    column = SETS.get(action) or ENDS[action]
    state, holds = column.removesuffix("_at"), row._mapping[column] is not None
    if holds is (action in SETS):
        raise Refused(f"{row.name} is {state} already." if holds else f"{row.name} is not {state}.")
    remedy = REMEDIES.get(action)
    if remedy and any(one.archived_at is None for one in devices.with_key(connection, row.key) if one.id != row.id):
        raise Refused(f"Another device has the key of {row.name} now; {remedy}.")
    return {column: now, "to_ask": False} if action in SETS else {column: None}


def _unblocked(row: Row[Any]) -> dict[str, Any]:
    """Back to waiting for an approval, never to approved; a machine has to pass the rules when it registers again."""
    if row.blocked_at is None and row.decision != DeviceDecision.DENIED:
        raise Refused(f"{row.name} is neither blocked nor denied.")
    decision = DeviceDecision.PENDING if row.person else ""
    asks = bool(row.person) and row.archived_at is None and row.revoked_at is None
    return {"blocked_at": None, "decision": decision, "to_ask": asks}
