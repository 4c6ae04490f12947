"""Registered devices in bulk, most of them archived long ago."""

import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, insert, select

from sandbox.device_keys import new_key
from store import Store
from store.tables import fingerprints, registered_devices

CHUNK = 5_000
# How many of the first ones are not archived; half of these wait for an approval.
LIVE = 120


def write_devices(store: Store, archived: int, people: int) -> None:
    """Write this many archived devices of `user-0` and so on; the first write to a database adds LIVE others."""
    now = datetime.now(UTC)
    with store.database.transaction() as connection:
        first = connection.execute(select(func.count()).select_from(registered_devices)).scalar_one()
    last = archived + max(first, LIVE)
    for start in range(first, last, CHUNK):
        with store.database.transaction() as connection:
            rows = [_row(n, people, now) for n in range(start, min(start + CHUNK, last))]
            connection.execute(insert(registered_devices), rows)
            connection.execute(insert(fingerprints), [_snapshot(row) for row in rows])


def _snapshot(row: dict[str, object]) -> dict[str, object]:
    """What the device said about itself when it registered."""
    same = {name: row[name] for name in ("source_address", "fingerprint")}
    return same | {"device": row["id"], "at": row["registered_at"], "changed": []}


def _row(number: int, people: int, now: datetime) -> dict[str, object]:
    at = now - timedelta(days=1, minutes=number)
    return {
        "id": f"d{secrets.token_hex(6)}",
        "person": f"user-{number % people}",
        "key": new_key(),
        "key_type": "x25519",
        "serial": f"S-{number}",
        "name": f"laptop-{number}",
        "fingerprint": {"hostname": f"laptop-{number}", "posture": {}},
        "registered_at": at,
        "last_seen_at": at,
        "source_address": "",
        "first_source": "",
        "decision": "pending" if number < LIVE // 2 else "approved",
        "archived_at": None if number < LIVE else at,
    }
