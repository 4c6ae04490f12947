"""How many devices a person may register, and how many may wait, so that a flood of them stops nobody else's."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from countersign.error_codes import ErrorCode
from countersign.errors import TooMany
from engine.devices.registrant import Registrant
from store import registered_devices as devices

MOST_WAITING_OF_PERSON = 3
MOST_WAITING_FROM_ADDRESS = 20
# Each new device is kept for good and may take an address of the network, so nobody may make them without end.
MOST_NEW_OF_PERSON = 50
NEW_WITHIN = timedelta(hours=1)
# How long a device that was refused counts as waiting after its last try.
TRIES_FOR = timedelta(hours=1)


def must_have_made_few(connection: Connection, by: Registrant, now: datetime) -> None:
    """Raise TooMany for a person who has registered MOST_NEW_OF_PERSON new devices within an hour."""
    if by.person and devices.registered_since(connection, by.person, now - NEW_WITHIN) >= MOST_NEW_OF_PERSON:
        made = f"{by.person} has registered {MOST_NEW_OF_PERSON} new devices within an hour"
        raise _too_many(f"{made}, and may register no more; try again later.", MOST_NEW_OF_PERSON)


def must_have_room(connection: Connection, by: Registrant, now: datetime, device_id: str = "") -> None:
    """Raise TooMany if as many devices as allowed wait, of a person or from an address, not counting `device_id`."""
    since = now - TRIES_FOR
    if by.person and devices.waiting(connection, since, device_id, person=by.person) >= MOST_WAITING_OF_PERSON:
        wait = f"{MOST_WAITING_OF_PERSON} devices of {by.person} wait for an approval, and more may not"
        raise _too_many(f"{wait}; have one decided or archived first.", MOST_WAITING_OF_PERSON)
    address = by.source_address
    if address and devices.waiting(connection, since, device_id, first_source=address) >= MOST_WAITING_FROM_ADDRESS:
        wait = f"{MOST_WAITING_FROM_ADDRESS} devices from {address} wait for an approval, and more may not"
        raise _too_many(f"{wait}; try again when some were decided.", MOST_WAITING_FROM_ADDRESS)


def _too_many(message: str, limit: int) -> TooMany:
    return TooMany(message, ErrorCode.TOO_MANY_DEVICES, limit=limit)
