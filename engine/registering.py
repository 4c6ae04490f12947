"""Registers devices: what one says of itself is stored first, and what follows from that is decided afterwards."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from countersign.device_keys import short_of
from countersign.directory import Policy
from countersign.enrolment.facts import Certificate
from countersign.error_codes import ErrorCode
from countersign.errors import CountersignError, NotAllowed, Refused, TooMany
from countersign.fingerprints import Fingerprint, changed, details
from countersign.kinds.device import DeviceQuestion
from countersign.models import Status
from countersign.policy import must_be_enabled
from countersign.registration import DeviceStatus, Presented, RegisteredDevice
from countersign.transitions import AuditEvent
from engine.machines import must_last, use_provisioning_key
from store import Store, requests
from store import registered_devices as devices
from store.events import append
from store.repeats import append_or_count

ID_BYTES = 6
MOST_WAITING_OF_PERSON = 3
MOST_WAITING_FROM_ADDRESS = 20
# Each new device is kept for good and may take an address of the network, so nobody may make them without end.
MOST_NEW_OF_PERSON = 50
NEW_WITHIN = timedelta(hours=1)
# A device that was refused counts as one that waits for so long after its last try.
TRIES_FOR = timedelta(hours=1)
SEEN_EVERY = timedelta(minutes=1)
# The statuses of devices of which something may be decided.
OPEN_TO_DECISION = {DeviceStatus.NOT_ENROLLED, DeviceStatus.PENDING, DeviceStatus.APPROVED}


@dataclass(frozen=True)
class Registrant:
    """Who registers a device: a person, or a machine by a service token; `who` called, on this `proof`."""

    who: str
    person: str = ""
    source_address: str = ""
    country: str = ""
    claims: dict[str, list[str]] = field(default_factory=dict)
    login_method: str = ""
    service_token: str = ""
    provisioning_key: str = ""
    skips_approval: bool = False
    justification: str = ""
    proof: dict[str, str] = field(default_factory=dict)
    certificate: Certificate | None = None


class Enrolment(NamedTuple):
    """What the enrolment rules say of a registration: `refused` says why not, and is empty where they let it in."""

    refused: str = ""
    rule: str = ""
    approval_required: bool = False
    session: timedelta | None = None
    identity: dict[str, Any] | None = None


class Registering:
    """Each method is one transaction, which waits for all others that register."""

    def __init__(self, store: Store) -> None:
        self.database = store.database
        self.policies = store.policies

    def present(self, presented: Presented, by: Registrant) -> Row[Any]:
        """Store what a device presents, before anything is decided; returns its row.

        Raises Refused for a key of somebody else, TooMany where too many wait, and NotAllowed for a machine whose
        credential does not allow one more; all are recorded.
        """
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            devices.one_at_a_time(connection)
            _, policy = self.policies.in_force(connection)
            try:
                return _present(connection, policy, presented, by, now)
            except (Refused, TooMany, NotAllowed) as error:
                _record_refusal(connection, policy, presented, by, str(error), now)
                refused: CountersignError = error
        raise refused

    def enrol(self, device_id: str, by: Registrant, said: Enrolment) -> tuple[RegisteredDevice, bool]:
        """Decide what follows: approved at once, waiting for a request, or refused by the enrolment rules.

        Returns the device, and whether a request about it has to be opened. Raises TooMany where it would have to wait
        and too many do, and Refused for a person who was disabled: both may be so since it was presented, and are
        recorded.
        """
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            devices.one_at_a_time(connection)
            _, policy = self.policies.in_force(connection)
            row = devices.device_row(connection, device_id, lock=True)
            try:
                if devices.status_of(row) in OPEN_TO_DECISION:
                    if by.person:  # who may have been disabled while the rules were judged
                        must_be_enabled(policy, by.person)
                    row = _enrol(connection, policy, row, by, said, now)
                return devices.view(row, policy), row.to_ask
            except (Refused, TooMany) as error:
                devices.change(connection, device_id, message=str(error))
                event = _event("device_refused", by.who, device_id, str(error), now, by.proof)
                append_or_count(connection, None, event, by.who, by.person)
                refused: CountersignError = error
        raise refused

    def question_about(self, device_id: str) -> DeviceQuestion | None:
        """The question of the request that has to be opened about a device, if one has to."""
        with self.database.reading() as connection:
            row = devices.device_row(connection, device_id)
        return _question(row) if row.to_ask and devices.status_of(row) is DeviceStatus.PENDING else None

    def do_not_ask(self, device_id: str, why: str) -> None:
        """No request can be opened: the device waits until it registers again."""
        with self.database.transaction() as connection:
            devices.change(connection, device_id, to_ask=False, message=why)


def _present(connection: Connection, policy: Policy, presented: Presented, by: Registrant, now: datetime) -> Row[Any]:
    if by.person:
        must_be_enabled(policy, by.person)
    if by.service_token:
        must_last(connection, by.service_token, now)
    serial = presented.fingerprint.serial or ""
    same_key = devices.with_key(connection, presented.key)
    if any(not _is_owner(row, by) and (row.archived_at is None or row.blocked_at is not None) for row in same_key):
        raise Refused("This key belongs to a device of somebody else; make a new one.", ErrorCode.KEY_TAKEN)
    own = [row for row in same_key if _is_owner(row, by)]
    known = next((row for row in own if row.serial == serial), None)
    # A block survives whatever a device calls itself.
    known = next((row for row in own if row.blocked_at is not None), known)
    if known is not None:
        return _seen_again(connection, known, presented, by, now)
    device_id = f"d{secrets.token_hex(ID_BYTES)}"
    if by.provisioning_key:  # which has room for a number of its own
        use_provisioning_key(connection, by.provisioning_key, device_id, now)
    else:
        _must_be_slow(connection, by, now)
        _must_have_room(connection, by, now)
    _replace(connection, own, now)
    return _add(connection, device_id, presented, serial, by, now)


def _is_owner(row: Row[Any], by: Registrant) -> bool:
    """Whether it is their device; a provisioning key has nothing to do with those that its person has besides."""
    own = (row.person, row.service_token) == (by.person, by.service_token)
    return bool(own and by.provisioning_key in ("", row.provisioning_key))


def _must_be_slow(connection: Connection, by: Registrant, now: datetime) -> None:
    if by.person and devices.registered_since(connection, by.person, now - NEW_WITHIN) >= MOST_NEW_OF_PERSON:
        raise TooMany(
            f"{by.person} has registered {MOST_NEW_OF_PERSON} new devices within an hour, and may register no more; try"
            " again later.",
            ErrorCode.TOO_MANY_DEVICES,
            limit=MOST_NEW_OF_PERSON,
        )


def _must_have_room(connection: Connection, by: Registrant, now: datetime, device_id: str = "") -> None:
    since = now - TRIES_FOR
    if by.person and devices.waiting(connection, since, device_id, person=by.person) >= MOST_WAITING_OF_PERSON:
        raise TooMany(
            f"{MOST_WAITING_OF_PERSON} devices of {by.person} wait for an approval, and more may not; have one decided "
            "or archived first.",
            ErrorCode.TOO_MANY_DEVICES,
            limit=MOST_WAITING_OF_PERSON,
        )
    address = by.source_address
    if address and devices.waiting(connection, since, device_id, first_source=address) >= MOST_WAITING_FROM_ADDRESS:
        raise TooMany(
            f"{MOST_WAITING_FROM_ADDRESS} devices from {address} wait for an approval, and more may not; try again "
            "when some were decided.",
            ErrorCode.TOO_MANY_DEVICES,
            limit=MOST_WAITING_FROM_ADDRESS,
        )


def _replace(connection: Connection, own: Sequence[Row[Any]], now: datetime) -> None:
    """A device with another serial takes the place of the one that had its key."""
    for row in own:
        if row.archived_at is None:
            message = "Another device registered with its key."
            devices.change(connection, row.id, archived_at=now, to_ask=False, message=message)
            _record(connection, "device_archived", "countersign", row.id, message, now)


def _add(
    connection: Connection, device_id: str, presented: Presented, serial: str, by: Registrant, now: datetime
) -> Row[Any]:
    print_ = presented.fingerprint
    written = print_.model_dump(mode="json")
    row = devices.add(
        connection,
        id=device_id,
        person=by.person,
        service_token=by.service_token,
        provisioning_key=by.provisioning_key,
        key=presented.key,
        key_type=presented.key_type,
        serial=serial,
        name=print_.hostname or device_id,
        fingerprint=written,
        registered_at=now,
        last_seen_at=now,
        source_address=by.source_address,
        first_source=by.source_address,
        justification=by.justification,
    )
    _keep(connection, device_id, written, [], by, now)
    whose = f"of {by.person}" if by.person else "of a machine"
    proof = {**by.proof, "key": short_of(presented.key), "from": by.source_address}
    _record(connection, "device_registered", by.who, device_id, f"{print_.hostname or device_id} {whose}", now, proof)
    return row


def _seen_again(connection: Connection, row: Row[Any], presented: Presented, by: Registrant, now: datetime) -> Row[Any]:
    before, after = Fingerprint.model_validate(row.fingerprint), presented.fingerprint
    names = changed(before, after)
    values: dict[str, Any] = {}
    if names:
        written = after.model_dump(mode="json")
        values |= {"fingerprint": written, "name": after.hostname or row.name}
        _keep(connection, row.id, written, names, by, now)
    if row.source_address != by.source_address or now - row.last_seen_at >= SEEN_EVERY or names:
        values |= {"last_seen_at": now, "source_address": by.source_address}
    if by.justification:
        values["justification"] = by.justification
    seen = devices.change(connection, row.id, **values) if values else row
    if names:
        told = [f"{one.label}: {one.before} -> {one.value}" for one in details(after, before) if one.before is not None]
        event = _event("device_changed", by.who, row.id, "; ".join(told), now, by.proof)
        append_or_count(connection, None, event, row.id)
    return seen


def _keep(
    connection: Connection, device_id: str, written: dict[str, Any], names: list[str], by: Registrant, now: datetime
) -> None:
    about = {"at": now, "source_address": by.source_address}
    devices.add_snapshot(connection, device=device_id, fingerprint=written, changed=names, **about)


def _enrol(
    connection: Connection, policy: Policy, row: Row[Any], by: Registrant, said: Enrolment, now: datetime
) -> Row[Any]:
    if said.refused:
        event = _event("enrolment_refused", by.who, row.id, said.refused, now, by.proof)
        # A gate lets it through no more, until the rules let it in again: nor is that done by an approval.
        ends = {"session_ends_at": now} if row.decision == devices.APPROVED else {"identity": None}
        after = devices.change(connection, row.id, message=said.refused, **ends)
        append_or_count(connection, None, event, row.id)
        return after
    values: dict[str, Any] = {"message": ""}
    if anew := not has_enrolled(row, now):
        session = said.session and int(said.session.total_seconds())
        values |= {"rule": said.rule, "identity": said.identity, "session_seconds": session}
    match row.decision:
        case "" if not _needs_approval(policy, by, said):
            values |= approved(connection, row, row.fingerprint, now)
        case "":
            if not by.provisioning_key:  # which has room for a number of its own
                _must_have_room(connection, by, now, row.id)
            values |= {"decision": devices.PENDING, "to_ask": True}
        case devices.PENDING if not _is_asked_about(connection, row):
            values |= {"to_ask": True}
        case devices.APPROVED if has_to_ask_again(policy, row):
            values |= {"decision": devices.PENDING, "to_ask": True}
    if anew and values.get("decision", row.decision) == devices.APPROVED:
        values["session_ends_at"] = now + said.session if said.session else None
    values = {name: value for name, value in values.items() if value != row._mapping[name]}
    after = devices.change(connection, row.id, **values) if values else row
    if values.get("decision") == devices.APPROVED:
        _record(connection, "device_approved", "countersign", row.id, said.rule or "nobody requires approval", now)
    elif row.decision == devices.APPROVED and values.get("decision") == devices.PENDING:
        _record(connection, "device_pending", "countersign", row.id, "what it says of itself has changed", now)
    return after


def has_enrolled(row: Row[Any], now: datetime) -> bool:
    """Whether it is known who its person was when it enrolled, and its session is not over."""
    return row.identity is not None and (row.session_ends_at is None or row.session_ends_at > now)


def approved(connection: Connection, row: Row[Any], fingerprint: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The values of a device that is approved as it was with this fingerprint; it keeps an address that it had."""
    return {
        "decision": devices.APPROVED,
        "to_ask": False,
        "approved_fingerprint": fingerprint,
        "address_number": row.address_number or devices.next_address(connection),
        # One that the enrolment rules let in no longer, or have not yet, has to register before a gate lets it through.
        "session_ends_at": devices.session_end(row, now) if row.identity is not None else now,
    }


def _needs_approval(policy: Policy, by: Registrant, said: Enrolment) -> bool:
    """A device of no person is enrolled by a rule for machines alone, so there is nobody to ask for."""
    roles = (policy.roles[one] for one in policy.roles_of(by.person) if one in policy.roles)
    return (
        bool(by.person)
        and not by.skips_approval
        and (said.approval_required or any(role.require_device_approval for role in roles))
    )


def has_to_ask_again(policy: Policy, row: Row[Any]) -> bool:
    """Whether something has changed since it was approved that the policy has asked about again."""
    if not row.person or row.approved_fingerprint is None:
        return False
    before, now = (Fingerprint.model_validate(one) for one in (row.approved_fingerprint, row.fingerprint))
    return not set(changed(before, now)).isdisjoint(policy.registered_devices.ask_about_changes)


def _is_asked_about(connection: Connection, row: Row[Any]) -> bool:
    request = requests.known(connection, row.approval_id) if row.approval_id else None
    return row.to_ask or (request is not None and request.status == Status.WAITING)


def _question(row: Row[Any]) -> DeviceQuestion:
    return DeviceQuestion.model_validate(
        {
            "requester": row.person,
            "device": row.id,
            "name": row.name,
            "key": row.key,
            "fingerprint": row.fingerprint,
            "before": row.approved_fingerprint,
            "reason": row.justification,
            "source_address": row.source_address,
        }
    )


def _record_refusal(
    connection: Connection, policy: Policy, presented: Presented, by: Registrant, why: str, now: datetime
) -> None:
    proof = {**by.proof, "key": short_of(presented.key), "from": by.source_address}
    event = AuditEvent(kind="device_refused", at=now, who=by.who, detail=why, proof=proof)
    # People who are in no directory have no rows of their own: a gateway may name any number of them.
    append_or_count(connection, None, event, by.who, by.person if by.person in policy.users else "")


def _event(kind: Any, who: str, device_id: str, detail: str, at: datetime, proof: dict[str, str]) -> AuditEvent:
    return AuditEvent(kind=kind, at=at, who=who, detail=detail, proof={**proof, "device": device_id})


def _record(
    connection: Connection,
    kind: Any,
    who: str,
    device_id: str,
    detail: str,
    at: datetime,
    proof: dict[str, str] | None = None,
) -> None:
    append(connection, None, [_event(kind, who, device_id, detail, at, proof or {})])
