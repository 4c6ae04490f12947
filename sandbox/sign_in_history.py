"""What people and machines signed in with, in bulk: nearly all of it is over, but not deleted yet."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select

from store import Store
from store.tables import client_certificates, provisioning_keys, service_tokens, sessions, sign_ins, tokens

CHUNK = 1_000
# How many of the first ones of each kind still last.
LASTING = 60
A_DAY = timedelta(days=1)
# The key of the issuer of all certificates.
AUTHORITY = "0" * 64


def write_sign_ins(store: Store, over: int, people: int) -> None:
    """Write this many of each kind that are over, of `user-0` and so on; the first write adds LASTING that last."""
    now = datetime.now(UTC)
    with store.database.transaction() as connection:
        first = connection.execute(select(func.count()).select_from(tokens)).scalar_one()
    last = over + max(first, LASTING)
    for start in range(first, last, CHUNK):
        each = [_Rows(n, f"user-{n % people}", now) for n in range(start, min(start + CHUNK, last))]
        # Many rows by one statement: otherwise PostgreSQL's driver sends a statement for each row.
        with store.database.transaction() as connection:
            connection.execute(insert(sessions).values([one.session() for one in each]))
            connection.execute(insert(sign_ins).values([one.sign_in() for one in each]))
            connection.execute(insert(tokens).values([one.token() for one in each]))
            connection.execute(insert(service_tokens).values([one.service_token() for one in each]))
            connection.execute(insert(provisioning_keys).values([one.provisioning_key() for one in each]))
            connection.execute(insert(client_certificates).values([one.client_certificate() for one in each]))


class _Rows:
    """One row of each kind, of the same person and time."""

    def __init__(self, number: int, person: str, now: datetime) -> None:
        self.number, self.person = number, person
        self.lasts = number < LASTING
        self.at = now - timedelta(minutes=number) - (timedelta() if self.lasts else A_DAY)
        self.ends_at = now + 30 * A_DAY if self.lasts else self.at + A_DAY / 2
        self.ended_at = None if self.lasts else self.ends_at
        self.hash = hashlib.sha256(secrets.token_bytes(16)).hexdigest()
        self.id = secrets.token_hex(7)

    def session(self) -> dict[str, Any]:
        return {
            "id": f"s{self.id}",
            "hash": self.hash,
            "person": self.person,
            "signed_in_by": "link",
            "browser": "Firefox",
            "source_address": "192.0.2.7",
            "started_at": self.at,
            "confirmed_at": self.at,
            "ends_at": self.ends_at,
            # Most end by the clock.
            "ended_at": self.ended_at if self.number % 3 == 0 else None,
        }

    def sign_in(self) -> dict[str, Any]:
        return {
            "id": self.hash[:40],
            "person": self.person,
            "browser_hash": self.hash,
            "source_address": "192.0.2.7",
            "go_to": "/approvals",
            "asked_at": self.at,
            "ends_at": self.at + timedelta(minutes=10),
            "used_at": self.at,
        }

    def token(self) -> dict[str, Any]:
        return {
            "id": f"t{self.id}",
            "hash": self.hash,
            "kind": "person",
            "owner": self.person,
            "is_admin": False,
            "devices": {},
            "protocols": [],
            "created_at": self.at,
            "ends_at": self.ends_at,
            "ended_at": self.ended_at,
        }

    def service_token(self) -> dict[str, Any]:
        return self._machine() | {"name": f"machine-{self.number}", "revoked_at": self.ended_at}

    def provisioning_key(self) -> dict[str, Any]:
        return self._machine() | {
            "label": f"laptops-{self.number}",
            "person": self.person,
            "devices": 10,
            "used": 0,
            "skips_approval": False,
            "ended_at": self.ended_at,
        }

    def client_certificate(self) -> dict[str, Any]:
        return {
            "id": self.hash,
            "key_id": AUTHORITY,
            "serial": f"{self.number:x}",
            "common_name": self.person,
            "authority": "An authority",
            "ends_at": self.ends_at,
            "first_seen_at": self.at,
            "last_seen_at": self.at,
        }

    def _machine(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "salt": self.hash[:32],
            "hash": self.hash,
            "created_by": "ada",
            "created_at": self.at,
            "ends_at": self.ends_at,
        }
