"""Applies to a device what the enrolment rules and the roles of its person say; within a transaction."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from countersign.directory import Policy
from countersign.fingerprints import Fingerprint, changed
from countersign.models import Status
from countersign.registration import DeviceDecision
from countersign.transitions import ENGINE
from engine.devices.limits import must_have_room
from engine.devices.registrant import Enrolment, Registrant
from engine.record import append_or_count, event, record
from store import registered_devices as devices
from store import requests
from store.events import append


def enrol(
    connection: Connection, policy: Policy, row: Row[Any], by: Registrant, enrolment: Enrolment, now: datetime
) -> Row[Any]:
    """Apply what the enrolment rules say to a device; returns its row as it is then. Raises TooMany."""
    if enrolment.refused:
        refused = event("enrolment_refused", by.who, enrolment.refused, {**by.proof, "device": row.id}, now)
        # No gate lets it through until the rules let it in again, not even after an approval.
        ends = {"session_ends_at": now} if row.decision == DeviceDecision.APPROVED else {"identity": None}
        after = devices.change(connection, row.id, message=enrolment.refused, **ends)
        if row.decision == DeviceDecision.APPROVED and _session_lasts(row, now):
            append(connection, None, [refused])  # gates hear of this; if the session was over before, it may be counted
        else:
            append_or_count(connection, None, refused, row.id)
        return after
    values: dict[str, Any] = {"message": ""}
    if anew := not has_enrolled(row, now):
        session = enrolment.session and int(enrolment.session.total_seconds())
        values |= {"rule": enrolment.rule, "identity": enrolment.identity, "session_seconds": session}
    match row.decision:
        case "" if not _needs_approval(policy, by, enrolment):
            values |= approved(connection, row, row.fingerprint, now)
        case "":
            if not by.provisioning_key:  # which has a limit of its own
                must_have_room(connection, by, now, row.id)
            values |= {"decision": DeviceDecision.PENDING, "to_ask": True}
        case DeviceDecision.PENDING if not (row.to_ask or waiting_request(connection, row)):
            values |= {"to_ask": True}
        case DeviceDecision.APPROVED if has_to_ask_again(policy, row):
            values |= {"decision": DeviceDecision.PENDING, "to_ask": True}
    if anew and values.get("decision", row.decision) == DeviceDecision.APPROVED:
        values["session_ends_at"] = now + enrolment.session if enrolment.session else None
    values = {name: value for name, value in values.items() if value != row._mapping[name]}
    after = devices.change(connection, row.id, **values) if values else row
    if values.get("decision") == DeviceDecision.APPROVED:
        why = enrolment.rule or "nobody requires approval"
        record(connection, "device_approved", ENGINE, why, {"device": row.id}, now)
    elif row.decision == DeviceDecision.APPROVED and values.get("decision") == DeviceDecision.PENDING:
        why = "what it says about itself has changed"
        record(connection, "device_pending", ENGINE, why, {"device": row.id}, now)
    elif "session_ends_at" in values:
        why = enrolment.rule or "no rule is needed"
        record(connection, "device_enrolled", by.who, why, {**by.proof, "device": row.id}, now)
    return after


def has_enrolled(row: Row[Any], now: datetime) -> bool:
    """Whether the device has enrolled, so that the facts about its person are kept, and its session is not over."""
    return row.identity is not None and _session_lasts(row, now)


def _session_lasts(row: Row[Any], now: datetime) -> bool:
    return row.session_ends_at is None or bool(row.session_ends_at > now)


def approved(connection: Connection, row: Row[Any], fingerprint: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The columns of a device that is approved with this fingerprint; it keeps the address that it had, if any."""
    return {
        "decision": DeviceDecision.APPROVED,
        "to_ask": False,
        "approved_fingerprint": fingerprint,
        "address_number": row.address_number or devices.next_address(connection),
        # If the enrolment rules don't let it in yet, or no longer do, it has to register before a gate lets it through.
        "session_ends_at": _session_end(row, now) if row.identity is not None else now,
    }


def _session_end(row: Row[Any], now: datetime) -> datetime | None:
    """When a device that registers now has to register again; None for never."""
    return now + timedelta(seconds=row.session_seconds) if row.session_seconds else None


def _needs_approval(policy: Policy, by: Registrant, enrolment: Enrolment) -> bool:
    """Whether it needs an approval; not without a person, as only rules for machines enrol such a device."""
    roles = (policy.roles[one] for one in policy.roles_of(by.person) if one in policy.roles)
    return (
        bool(by.person)
        and not by.skips_approval
        and (enrolment.approval_required or any(role.require_device_approval for role in roles))
    )


def has_to_ask_again(policy: Policy, row: Row[Any]) -> bool:
    """Whether something that the policy asks about again has changed since the device was approved."""
    if not row.person or row.approved_fingerprint is None:
        return False
    before, now = (Fingerprint.model_validate(one) for one in (row.approved_fingerprint, row.fingerprint))
    return not set(changed(before, now)).isdisjoint(policy.registered_devices.ask_about_changes)


def waiting_request(connection: Connection, row: Row[Any]) -> int | None:
    """The number of the request that waits about a device; None if there is none."""
    request = requests.known(connection, row.approval_id) if row.approval_id else None
    return request.approval_id if request is not None and request.status == Status.WAITING else None
