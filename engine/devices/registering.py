"""Registers devices: what one says of itself is stored first, and what follows from that is decided afterwards."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from countersign.device_keys import short_of
from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed, Refused, TooMany
from countersign.fingerprints import Fingerprint, changed, details
from countersign.kinds.device import DeviceQuestion
from countersign.policy.route import must_be_enabled
from countersign.registration import DeviceStatus, Presented, RegisteredDevice, status_of
from countersign.transitions import ENGINE
from engine.credentials.machines import must_last, use_provisioning_key
from engine.devices.enrolment import enrol
from engine.devices.limits import must_have_made_few, must_have_room
from engine.devices.registrant import Enrolment, Registrant
from engine.part import EnginePart
from engine.record import append_or_count, event, record
from store import registered_devices as devices
from store.database import Recorded
from store.events import lock_feed
from store.requests import of_run

ID_BYTES = 6
SEEN_EVERY = timedelta(minutes=1)
# How many snapshots of what a device reported about itself are kept.
MOST_SNAPSHOTS = 100
# The statuses in which something may be decided about a device.
OPEN_TO_DECISION = {DeviceStatus.NOT_ENROLLED, DeviceStatus.PENDING, DeviceStatus.APPROVED}


class Registering(EnginePart):
    """Each method is one transaction; those that register wait for each other."""

    def present(self, presented: Presented, by: Registrant) -> Row[Any]:
        """Store what a device presents, before anything is decided; returns its row.

        Raises Refused for a key of somebody else or a disabled person, TooMany if too many wait or were registered
        lately, and NotAllowed for a machine whose credential does not allow one more; all are recorded.
        """
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            lock_feed(connection)
            _, policy = self.policies.in_force(connection)
            try:
                return _present(connection, policy, presented, by, now)
            except (Refused, TooMany, NotAllowed) as error:
                _record_refusal(connection, policy, presented, by, str(error), now)
                raise Recorded from error

    def enrol(self, device_id: str, by: Registrant, enrolment: Enrolment) -> tuple[RegisteredDevice, bool]:
        """Decide what follows: approved at once, waiting for a request, or refused by the enrolment rules.

        Returns the device, and whether a request about it has to be opened. Raises TooMany if it would have to wait
        and too many do, and Refused for a person who was disabled; both may have come about since it was presented, and
        are recorded.
        """
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            lock_feed(connection)
            _, policy = self.policies.in_force(connection)
            row = devices.device_row(connection, device_id, lock=True)
            try:
                if status_of(row._mapping) in OPEN_TO_DECISION:
                    if by.person:  # who may have been disabled while the rules were evaluated
                        must_be_enabled(policy, by.person)
                    row = enrol(connection, policy, row, by, enrolment, now)
                return devices.view(row, policy), row.to_ask
            except (Refused, TooMany) as error:
                devices.change(connection, device_id, message=str(error))
                on_record = event("device_refused", by.who, str(error), {**by.proof, "device": device_id}, now)
                append_or_count(connection, None, on_record, by.who, by.person)
                raise Recorded from error

    def question_about(self, device_id: str) -> DeviceQuestion | None:
        """The question of the request that has to be opened about a device, if one has to."""
        with self.database.reading() as connection:
            row = devices.device_row(connection, device_id)
        return _question(row) if row.to_ask and status_of(row._mapping) is DeviceStatus.PENDING else None

    def has_opened(self, run: str) -> bool:
        """Whether a run of a workflow has opened its request."""
        with self.database.reading() as connection:
            return of_run(connection, run) is not None

    def do_not_ask(self, device_id: str, why: str) -> None:
        """Note that no request can be opened: the device waits until it registers again."""
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
    if by.provisioning_key:  # which has a limit of its own
        use_provisioning_key(connection, by.provisioning_key, device_id, now)
    else:
        must_have_made_few(connection, by, now)
        must_have_room(connection, by, now)
    _replace(connection, own, now)
    return _add(connection, device_id, presented, serial, by, now)


def _is_owner(row: Row[Any], by: Registrant) -> bool:
    """Whether it is their device. With a provisioning key, only devices that were registered with that key are."""
    own = (row.person, row.service_token) == (by.person, by.service_token)
    return bool(own and by.provisioning_key in ("", row.provisioning_key))


def _replace(connection: Connection, own: Sequence[Row[Any]], now: datetime) -> None:
    """A device with another serial takes the place of the one that had its key."""
    for row in own:
        if row.archived_at is None:
            message = "Another device registered with its key."
            devices.change(connection, row.id, archived_at=now, to_ask=False, message=message)
            record(connection, "device_archived", ENGINE, message, {"device": row.id}, now)


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
    proof = {**by.proof, "key": short_of(presented.key), "from": by.source_address, "device": device_id}
    record(connection, "device_registered", by.who, f"{print_.hostname or device_id} {whose}", proof, now)
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
        known = (one for one in details(after, before) if one.before is not None)
        detail = "; ".join(f"{one.label}: {one.before} -> {one.value}" for one in known)
        changes = event("device_changed", by.who, detail, {**by.proof, "device": row.id}, now)
        append_or_count(connection, None, changes, row.id)
    return seen


def _keep(
    connection: Connection, device_id: str, written: dict[str, Any], names: list[str], by: Registrant, now: datetime
) -> None:
    about = {"at": now, "source_address": by.source_address, "fingerprint": written, "changed": names}
    devices.add_snapshot(connection, device_id, MOST_SNAPSHOTS, **about)


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
    refused = event("device_refused", by.who, why, proof, now)
    # People who are not in the directory are counted together: a gateway may name any number of them.
    append_or_count(connection, None, refused, by.who, by.person if by.person in policy.users else "")
