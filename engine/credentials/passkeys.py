"""Passkeys: added and removed by their person, who confirms with one that it is them, in a session that lasts.

What a browser answered is verified by the caller, against a challenge that is kept here and given out once.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed, NotFound, Refused
from engine.part import EnginePart
from engine.record import PORTAL, append_or_count, event, record
from store import passkeys, sessions
from store.events import lock_feed
from store.passkeys import Passkey

CHALLENGE_BYTES = 32
CHALLENGE_LASTS = timedelta(minutes=5)
MOST_PASSKEYS = 20
ID_BYTES = 6


class NewPasskey(NamedTuple):
    """A passkey whose making was verified."""

    credential_id: str
    public_key: bytes
    sign_count: int


class PasskeyActions(EnginePart):
    """Each method is one transaction. `proof` names the session, for the record."""

    def challenge(self, session_id: str) -> bytes:
        """A new challenge for the browser of a session, in place of the one before."""
        challenge = secrets.token_bytes(CHALLENGE_BYTES)
        ends_at = datetime.now(UTC) + CHALLENGE_LASTS
        with self.database.transaction() as connection:
            sessions.rows.change(connection, session_id, challenge=challenge.hex(), challenge_ends_at=ends_at)
        return challenge

    def take_challenge(self, session_id: str) -> bytes:
        """The challenge of a session, once. Raises NotAllowed if there is none, or it is too old."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            row = sessions.rows.find(connection, session_id, lock=True)
            sessions.rows.change(connection, session_id, challenge=None, challenge_ends_at=None)
        if row is None or row.challenge is None or row.challenge_ends_at <= now:
            raise NotAllowed("That took too long, or was sent twice; try again.", ErrorCode.REFUSED)
        return bytes.fromhex(row.challenge)

    def add(self, person: str, made: NewPasskey, label: str, proof: dict[str, str]) -> None:
        """Add a passkey. Raises Refused if it is known already, or its person has too many."""
        passkey_id = f"p{secrets.token_hex(ID_BYTES)}"
        now = datetime.now(UTC)
        row = {"id": passkey_id, "person": person, "label": label, "created_at": now, **made._asdict()}
        with self.database.transaction() as connection:
            lock_feed(connection)
            if passkeys.count_of(connection, person) >= MOST_PASSKEYS:
                raise Refused(f"You have {MOST_PASSKEYS} passkeys; remove one that you don't use first.")
            if not passkeys.rows.add(connection, row):
                raise Refused("This passkey is known already.")
            proof = {**proof, "passkey": passkey_id}
            record(connection, "passkey_added", person, f"passkey {label}", proof, now, PORTAL)

    def confirm(self, used: Passkey, sign_count: int, session_id: str, proof: dict[str, str]) -> None:
        """Record that a person has just proved, with this passkey, that it is them."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            passkeys.rows.change(connection, used.id, sign_count=sign_count, used_at=now)
            sessions.rows.change(connection, session_id, confirmed_at=now)
            proof = {**proof, "passkey": used.id}
            record(connection, "confirmed", used.person, f"passkey {used.label}", proof, now, PORTAL)

    def remove(self, passkey_id: str, person: str, proof: dict[str, str]) -> None:
        """Remove a passkey of one's own. Raises NotFound."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            label = passkeys.remove(connection, passkey_id, person)
            if label is None:
                raise NotFound("You have no such passkey.")
            proof = {**proof, "passkey": passkey_id}
            record(connection, "passkey_removed", person, f"passkey {label}", proof, now, PORTAL)

    def refuse(self, person: str, why: str, proof: dict[str, str]) -> None:
        """Record that what a browser answered proves nothing."""
        refused = event("passkey_refused", person, why, proof, datetime.now(UTC), PORTAL)
        with self.database.transaction() as connection:
            append_or_count(connection, None, refused, person)
