"""Passkeys: the public half of a key that a person's device holds."""

from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from countersign.models import Model
from store.database import StorePart, reads
from store.rows import Rows
from store.tables import passkeys

rows = Rows(passkeys)


class Passkey(Model):
    """A passkey. `credential_id` is what its device calls it, in base64url, and `sign_count` how often it signed."""

    id: str
    credential_id: str
    person: str
    public_key: bytes
    sign_count: int
    label: str
    created_at: datetime
    used_at: datetime | None = None


class Passkeys(StorePart):
    """Finds passkeys."""

    @reads
    def of(self, person: str) -> list[Passkey]:
        """Those of a person, the oldest first."""
        query = select(passkeys).where(passkeys.c.person == person).order_by(passkeys.c.created_at)
        with self.database.reading() as connection:
            return [Passkey(**row._mapping) for row in connection.execute(query)]


def count_of(connection: Connection, person: str) -> int:
    """How many a person has."""
    return connection.execute(select(func.count()).where(passkeys.c.person == person)).scalar_one()


def remove(connection: Connection, passkey_id: str, person: str) -> str | None:
    """Remove one of a person, and return its label; None if they have no such passkey."""
    own = delete(passkeys).where(passkeys.c.id == passkey_id, passkeys.c.person == person)
    return connection.execute(own.returning(passkeys.c.label)).scalar_one_or_none()
