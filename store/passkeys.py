"""Passkeys: the public half of a key that a person's device holds."""

from datetime import datetime

from sqlalchemy import select

from countersign.models import Model
from store.database import StorePart, reads
from store.tables import passkeys


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
