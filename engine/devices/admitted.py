"""Which devices a gate lets through."""

from datetime import datetime

from countersign.registration import Admitted
from store import Store, registered_devices
from store.database import reads


@reads
def admitted_devices(store: Store, now: datetime) -> list[Admitted]:
    """The devices that a gate lets through now, in the order of their ids; none of a person who is disabled."""
    with store.database.reading() as connection:
        _, policy = store.policies.in_force(connection)
        rows = registered_devices.lasting(connection, now)
    return [
        Admitted(
            id=row.id,
            key=row.key,
            person=row.person,
            address=policy.registered_devices.address(row.address_number),
            until=row.session_ends_at,
        )
        for row in rows
        if not row.person or policy.enabled(row.person)
    ]
