"""The devices that people and machines connect with. Each function works within its caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, false, func, insert, or_, select, true, update

from countersign.directory import Policy
from countersign.errors import NotFound
from countersign.registration import (
    BEFORE_DECISION,
    STATUSES,
    DeviceDecision,
    DeviceStatus,
    RegisteredDevice,
    Snapshot,
    status_of,
)
from store.database import Database, from_row, reads
from store.paging import newest_first
from store.policies import Policies
from store.tables import as_written, fingerprints, one_of, registered_devices

LONGEST_QUERY = 128
devices = registered_devices.c
# Written into the statements, as the indexes are on these conditions.
NOT_ARCHIVED = devices.archived_at.is_(None)
IS_PENDING = devices.decision == as_written(DeviceDecision.PENDING.value)
WAITS = one_of(devices.decision, [DeviceDecision.NONE.value, DeviceDecision.PENDING.value]) & NOT_ARCHIVED
IS_IN = (devices.decision == as_written(DeviceDecision.APPROVED.value)) & NOT_ARCHIVED
# Built once, as building them takes longer than running them.
OF_ID = select(registered_devices).where(devices.id == bindparam("of_id"))
LOCK_OF_ID = OF_ID.with_for_update()
WITH_KEY = (
    select(registered_devices)
    .where(devices.key == bindparam("of_key"))
    .order_by(devices.registered_at.desc(), devices.id.desc())
)
ADD = insert(registered_devices).returning(registered_devices)
CHANGE = update(registered_devices).where(devices.id == bindparam("of_id")).returning(registered_devices)
KEEP = insert(fingerprints)
# A device that is just being judged doesn't count: it is not pending, and has no message yet.
COUNTED = IS_PENDING | ((devices.message != as_written("")) & (devices.last_seen_at > bindparam("seen_since")))
# The oldest fingerprint of a device that is kept.
OLDEST_KEPT = (
    select(fingerprints.c.id)
    .where(fingerprints.c.device == bindparam("of_device"))
    .order_by(fingerprints.c.id.desc())
    .offset(bindparam("more_kept"))
    .limit(1)
)
FORGET = delete(fingerprints).where(
    fingerprints.c.device == bindparam("of_device"), fingerprints.c.id < OLDEST_KEPT.scalar_subquery()
)
NEW = select(func.count()).where(devices.person == bindparam("of"), devices.registered_at > bindparam("since"))
WAITING = {
    name: select(func.count()).where(
        *(WAITS, devices.blocked_at.is_(None), devices.revoked_at.is_(None), COUNTED),
        *(devices[name] == bindparam("of"), devices.id != bindparam("beside")),
    )
    for name in ("person", "first_source")
}


@dataclass(frozen=True)
class WantedDevices:
    """Which devices are listed: those that match all of it. `query` is part of the name, id or person.

    `unasked_of`: only devices of these people that are approved without anybody having been asked about them.
    """

    person: str = ""
    serial: str = ""
    key: str = ""
    status: DeviceStatus | None = None
    query: str = ""
    unasked_of: Sequence[str] | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as conditions; archived devices are left out, unless they are asked for."""
        same = {"person": self.person, "serial": self.serial, "key": self.key}
        wanted = [devices[name] == value for name, value in same.items() if value]
        if self.query:
            text = self.query[:LONGEST_QUERY].lower()
            places = (func.lower(devices[name]) for name in ("name", "id", "person"))
            wanted.append(or_(*(place.contains(text, autoescape=True) for place in places)))
        if self.unasked_of is not None:
            # Written into the statement: there may be more people than a statement may have parameters.
            wanted += [
                devices.decision == DeviceDecision.APPROVED,
                devices.approval_id.is_(None),
                one_of(devices.person, self.unasked_of),
            ]
        return [*wanted, NOT_ARCHIVED if self.status is None else _has(self.status)]


class RegisteredDevices:
    """Reading what is known of devices."""

    def __init__(self, database: Database, policies: Policies) -> None:
        self.database = database
        self.policies = policies

    @reads
    def one(self, device_id: str) -> RegisteredDevice:
        """A device as it is now. Raises NotFound."""
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            return view(device_row(connection, device_id), policy)

    @reads
    def page(self, wanted: WantedDevices, before: str = "", limit: int = 50) -> list[RegisteredDevice]:
        """A page of devices, the newest first; `before` is the id of the last that was shown."""
        with self.database.reading() as connection:
            _, policy = self.policies.in_force(connection)
            rows = newest_first(connection, devices.registered_at, before, limit, *wanted.conditions)
            return [view(row, policy) for row in rows]

    @reads
    def snapshots(self, device_id: str) -> list[Snapshot]:
        """What a device reported about itself, as far as it is kept, the newest first."""
        own = select(fingerprints).where(fingerprints.c.device == device_id)
        with self.database.reading() as connection:
            rows = connection.execute(own.order_by(fingerprints.c.id.desc())).all()
        return [from_row(Snapshot, row) for row in rows]

    @reads
    def to_ask(self, before: datetime, limit: int) -> list[str]:
        """The ids of devices about which a request has to be opened, and which were last seen before a moment."""
        due = select(devices.id).where(devices.to_ask, devices.last_seen_at < as_written(before))
        with self.database.reading() as connection:
            return list(connection.execute(due.order_by(devices.last_seen_at).limit(as_written(limit))).scalars())


def device_row(connection: Connection, device_id: str, lock: bool = False) -> Row[Any]:
    """The row of a device; NotFound if there is none."""
    row = connection.execute(LOCK_OF_ID if lock else OF_ID, {"of_id": device_id}).one_or_none()
    if row is None:
        raise no_device(device_id)
    return row


def no_device(device_id: str) -> NotFound:
    """There is no such device, or it is somebody else's."""
    return NotFound(f"There is no device {device_id}.")


def with_key(connection: Connection, key: str) -> Sequence[Row[Any]]:
    """The devices that present this key, or did, the newest first."""
    return connection.execute(WITH_KEY, {"of_key": key}).all()


def of_owner(connection: Connection, column: str, owner: str, revoked: bool, archived: bool) -> Sequence[Row[Any]]:
    """The devices of a `person`, or of a `service_token`, that are revoked, or not, the oldest first.

    Archived ones only if `archived` says so. Nobody else changes them until the transaction ends.
    """
    which = [devices[column] == owner, devices.revoked_at.is_not(None) if revoked else devices.revoked_at.is_(None)]
    which += [] if archived else [NOT_ARCHIVED]
    query = select(registered_devices).where(*which).order_by(devices.registered_at, devices.id)
    return connection.execute(query.with_for_update()).all()


def lasting(connection: Connection, now: datetime) -> Sequence[Row[Any, Any, Any, Any, Any]]:
    """The devices that are approved, neither archived, blocked nor revoked, and whose session lasts, by their ids."""
    columns = (devices.id, devices.key, devices.person, devices.address_number, devices.session_ends_at)
    stands = IS_IN, devices.blocked_at.is_(None), devices.revoked_at.is_(None)
    lasts = or_(devices.session_ends_at.is_(None), devices.session_ends_at > now)
    return connection.execute(select(*columns).where(*stands, lasts).order_by(devices.id)).all()


def waiting(connection: Connection, seen_since: datetime, beside: str, **of: str) -> int:
    """How many devices of a person, or from an address, wait beside one; refused ones count while they try again."""
    ((name, value),) = of.items()
    counted: int = connection.execute(
        WAITING[name], {"seen_since": seen_since, "of": value, "beside": beside}
    ).scalar_one()
    return counted


def registered_since(connection: Connection, person: str, since: datetime) -> int:
    """How many devices of a person were first registered after a moment, whatever their status is now."""
    counted: int = connection.execute(NEW, {"of": person, "since": since}).scalar_one()
    return counted


def add(connection: Connection, **values: Any) -> Row[Any]:
    """Add a device; returns its row."""
    return connection.execute(ADD, values).one()


def change(connection: Connection, device_id: str, **values: Any) -> Row[Any]:
    """Change a device; returns its row."""
    return connection.execute(CHANGE, {"of_id": device_id, **values}).one()


def add_snapshot(connection: Connection, device: str, kept: int, **values: Any) -> None:
    """Keep what a device reported about itself, and delete all but the newest `kept`."""
    connection.execute(KEEP, {"device": device, **values})
    connection.execute(FORGET, {"of_device": device, "more_kept": kept - 1})


def next_address(connection: Connection) -> int:
    """The number of an address that no device ever had."""
    highest = connection.execute(select(func.max(devices.address_number))).scalar_one()
    return 1 if highest is None else highest + 1


def view(row: Row[Any], policy: Policy) -> RegisteredDevice:
    """A device as it is shown."""
    rules = policy.registered_devices
    user = policy.users.get(row.person)
    email = user.email if user else "" if row.person else f"non_identity@{rules.team}"
    status, address = status_of(row._mapping), rules.address(row.address_number)
    return from_row(RegisteredDevice, row, email=email, status=status, address=address)


def _has(status: DeviceStatus) -> ColumnElement[bool]:
    found: ColumnElement[bool] = true()
    for name, one in BEFORE_DECISION:
        if one is status:
            return found & devices[name].is_not(None)
        found = found & devices[name].is_(None)
    decision = next((word for word, one in STATUSES.items() if one is status), None)
    return found & (devices.decision == decision) if decision is not None else false()
