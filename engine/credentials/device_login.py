"""Logins of command lines: a program shows a code, its person allows it in their browser, and it gets a token.

The shape is that of RFC 8628 (device authorization). The program polls with a device code of 256 random bits; its
person types a user code, which is short and works once, within ten minutes.
"""

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row

from countersign.error_codes import ErrorCode
from countersign.errors import NotFound, Refused, TooMany
from countersign.machines import LONGEST_LABEL
from countersign.transitions import Kind
from engine.credentials.sign_in import WINDOW
from engine.credentials.tokens import create
from engine.part import EnginePart
from engine.record import PORTAL, append_or_count, event, record
from store import logins
from store.database import Recorded
from store.tokens import SECRET_BYTES, Owner, hashed

LOGIN_LASTS = timedelta(minutes=10)
TOKEN_LASTS = timedelta(hours=12)
# How often a program may poll, and how much longer it waits each time that it was too fast (RFC 8628, 3.2 and 3.5).
INTERVAL_SECONDS = 5
LOGINS_FROM_ONE_SOURCE = 100
# Without vowels, so that it spells nothing (RFC 8628, 6.1): 20 to the 8th, of which a person may try few an hour.
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LENGTH = 8
LONGEST_MACHINE = 100
TOO_MANY = "Too many logins were begun from your network within an hour; try again later."
NO_LOGIN = "No login waits with this code: it may be mistyped, answered already, or older than ten minutes."


class Begun(NamedTuple):
    """A login that was begun: both codes. The device code can be read only now."""

    device_code: str
    user_code: str


class CommandLineLogins(EnginePart):
    """Each method is one transaction."""

    def begin(self, machine: str, source_address: str) -> Begun:
        """Begin a login, on record. Raises TooMany for an address with too many in an hour."""
        now = datetime.now(UTC)
        device_code = secrets.token_hex(SECRET_BYTES)
        row: dict[str, Any] = {
            "device_hash": hashed(device_code),
            "machine": "".join(one for one in machine if one.isprintable())[:LONGEST_MACHINE],
            "source_address": source_address,
            "asked_at": now,
            "ends_at": now + LOGIN_LASTS,
            "interval_seconds": INTERVAL_SECONDS,
        }
        with self.database.transaction() as connection:
            if logins.begun_since(connection, source_address, now - WINDOW) >= LOGINS_FROM_ONE_SOURCE:
                _refused(connection, TOO_MANY, "", source_address, now)
                again = int(WINDOW.total_seconds())
                raise Recorded from TooMany(TOO_MANY, limit=LOGINS_FROM_ONE_SOURCE, retry_after=again)
            code = _new_code()
            while not logins.rows.add(connection, row | {"user_code": code}):
                code = _new_code()
            asked = event("login_asked", "", f"of {row['machine']}", {"from": source_address}, now, PORTAL)
            append_or_count(connection, None, asked, source_address)
        return Begun(device_code, code)

    def waiting(self, typed: str, person: str, source_address: str) -> Row[Any]:
        """The row of the login with this code, as a person typed it. Raises NotFound, recorded."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            return _waiting(connection, typed, person, source_address, now)

    def answer(self, typed: str, person: str, allow: bool, proof: dict[str, str]) -> None:
        """Allow or deny a login, once. Raises NotFound, recorded."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            row = _waiting(connection, typed, person, proof.get("from", ""), now)
            logins.rows.change(connection, row.device_hash, state="allowed" if allow else "denied", person=person)
            shown = {**proof, "asked_from": row.source_address}
            kind: Kind = "login_allowed" if allow else "login_denied"
            record(connection, kind, person, f"of {row.machine}", shown, now, PORTAL)

    def poll(self, device_code: str) -> str:
        """The token of a login that was allowed, once; it can be read only now.

        Raises Refused with the codes of RFC 8628, section 3.5: authorization-pending, slow-down, access-denied and
        expired-token.
        """
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            row = logins.rows.find(connection, hashed(device_code), lock=True)
            if row is None or row.ends_at <= now or row.state == "used":
                why = ErrorCode.EXPIRED_TOKEN
            elif row.state == "denied":
                why = ErrorCode.ACCESS_DENIED
            elif row.polled_at is not None and now < row.polled_at + timedelta(seconds=row.interval_seconds):
                slower = row.interval_seconds + INTERVAL_SECONDS
                logins.rows.change(connection, row.device_hash, interval_seconds=slower, polled_at=now)
                why = ErrorCode.SLOW_DOWN
            elif row.state == "allowed":
                logins.rows.change(connection, row.device_hash, state="used")
                owner, label = Owner(kind="person", name=row.person), f"login on {row.machine}"[:LONGEST_LABEL]
                return create(connection, owner, row.person, TOKEN_LASTS, label)
            else:
                logins.rows.change(connection, row.device_hash, polled_at=now)
                why = ErrorCode.AUTHORIZATION_PENDING
        raise Refused(f"{why.meaning}.", why)


def _new_code() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))


def as_shown(code: str) -> str:
    """A user code as people read and type it: WDJB-MJHT."""
    return f"{code[:4]}-{code[4:]}"


def _waiting(connection: Connection, typed: str, person: str, source_address: str, now: datetime) -> Row[Any]:
    """The login that waits with this code, as a person typed it. Raises NotFound, recorded."""
    row = logins.waiting(connection, re.sub(r"[^A-Z]", "", typed.upper()), now)
    if row is None:
        _refused(connection, NO_LOGIN, person, source_address, now)
        raise Recorded from NotFound(NO_LOGIN)
    return row


def _refused(connection: Connection, why: str, person: str, source_address: str, now: datetime) -> None:
    refused = event("login_refused", person, why, {"from": source_address}, now, PORTAL)
    append_or_count(connection, None, refused, person or source_address)
