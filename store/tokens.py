"""API tokens: `cs_<id>_<secret>`, each of one person or one gateway; the database holds only a hash of the secret."""

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Row, Table, insert, select, update

from countersign.errors import NotFound
from countersign.models import GATEWAY, Id, Model
from store.database import StorePart, from_row, reads
from store.paging import newest_first
from store.tables import provisioning_keys, service_tokens, tokens

ID_BYTES = 6
SECRET_BYTES = 32
USED_IN = {"token": tokens, "service_token": service_tokens, "provisioning_key": provisioning_keys}
FORM = re.compile(rf"cs_(?P<id>[0-9a-f]{{{2 * ID_BYTES}}})_(?P<secret>[0-9a-f]{{{2 * SECRET_BYTES}}})")


class Owner(Model):
    """Whom a token speaks for: a person, or a gateway with what it may ask for. Gateways are never admins."""

    kind: Literal["person", "gateway"]
    name: Id
    is_admin: bool = False
    targets: list[Id] = Field(default=[], description="what a gateway asks for, one by one")
    target_groups: list[Id] = Field(default=[], description="groups of the policy: it asks for all that is in them")
    variants: list[str] = Field(default=[], description="how it asks for these, such as by which protocols")

    @property
    def principal(self) -> str:
        """The name in the record of whom it speaks for."""
        return self.name if self.kind == "person" else f"{GATEWAY}{self.name}"


class Token(Model):
    """A token as lists show it, without its secret.

    `ends_at`: when it expires, if it does. `used_at`: when it was last used, to the minute.
    """

    id: str
    owner: Owner
    label: str = ""
    created_at: datetime
    ends_at: datetime | None = None
    ended_at: datetime | None = None
    used_at: datetime | None = None


class Tokens(StorePart):
    """Finds tokens."""

    @reads
    def find(self, text: str) -> Token | None:
        """The token with this text; None if there is none, or it has ended."""
        form = FORM.fullmatch(text)
        if form is None:
            return None
        with self.database.reading() as connection:
            row = with_secret(connection, tokens, form)
        lasts = row is not None and row.ended_at is None and (row.ends_at is None or row.ends_at > datetime.now(UTC))
        return _view(row) if row and lasts else None

    @reads
    def signature(self, token_id: str, text: str) -> str:
        """A signature of a text that only a holder of this token or the database can make; empty if the token ended."""
        own = select(tokens.c.hash).where(tokens.c.id == token_id, *_last(datetime.now(UTC)))
        with self.database.reading() as connection:
            key = connection.execute(own).scalar_one_or_none()
        return hmac.digest(key.encode(), text.encode(), "sha256").hex() if key else ""

    @reads
    def lasting(self, now: datetime, person: str = "", before: str = "", limit: int = 50) -> list[Token]:
        """A page of the tokens that last, newest first, of one person or of all; `before` is a token's id."""
        with self.database.reading() as connection:
            return lasting(connection, now, person, before, limit)

    @reads
    def newest(self, limit: int = 50) -> list[Token]:
        """The newest tokens, whether they last or not, newest first."""
        with self.database.reading() as connection:
            return [_view(row) for row in newest_first(connection, tokens.c.created_at, "", limit)]


def add(connection: Connection, owner: Owner, label: str, now: datetime, ends_at: datetime | None) -> str:
    """Add a token, and return its text, which can be read only now."""
    token_id, secret = secrets.token_hex(ID_BYTES), secrets.token_hex(SECRET_BYTES)
    row = {
        "id": token_id,
        "hash": hashed(secret),
        "kind": owner.kind,
        "owner": owner.name,
        "is_admin": owner.is_admin and owner.kind == "person",
        "devices": {"devices": owner.targets, "device_groups": owner.target_groups},
        "protocols": owner.variants,
        "label": label,
        "created_at": now,
        "ends_at": ends_at,
    }
    connection.execute(insert(tokens).values(row))
    return f"cs_{token_id}_{secret}"


def lasting(connection: Connection, now: datetime, person: str = "", before: str = "", limit: int = 50) -> list[Token]:
    """A page of the tokens that last, as `Tokens.lasting`."""
    own = [tokens.c.owner == person, tokens.c.kind == "person"] if person else []
    rows = newest_first(connection, tokens.c.created_at, before, limit, few=[*_last(now), *own])
    return [_view(row) for row in rows]


def end(connection: Connection, token_id: str, now: datetime) -> bool:
    """End a token; returns False if it was ended before."""
    lasting = tokens.c.id == token_id, tokens.c.ended_at.is_(None)
    return connection.execute(update(tokens).where(*lasting).values(ended_at=now)).rowcount > 0


def one(connection: Connection, token_id: str) -> Token:
    """A token by its id, whether it lasts or not. Raises NotFound."""
    row = connection.execute(select(tokens).where(tokens.c.id == token_id)).one_or_none()
    if row is None:
        raise no_token(token_id)
    return _view(row)


def note_use(connection: Connection, token_id: str, now: datetime, unless_since: datetime, kind: str) -> None:
    """Record that a credential is used now, unless it is known to have been used after a moment.

    `kind` is the credential's kind: those of machines have tables of their own.
    """
    table = USED_IN[kind]
    not_known = table.c.used_at.is_(None) | (table.c.used_at <= unless_since)
    connection.execute(update(table).where(table.c.id == token_id, not_known).values(used_at=now))


def no_token(token_id: str) -> NotFound:
    """There is no such token, or it is somebody else's."""
    return NotFound(f"There is no token {token_id}.")


def with_secret(connection: Connection, table: Table, sent: re.Match[str], column: str = "hash") -> Row[Any] | None:
    """The row with the id that was sent, if its column keeps the sent secret. It takes the same time if not."""
    row = connection.execute(select(table).where(table.c.id == sent["id"])).one_or_none()
    same = hmac.compare_digest(row._mapping[column] if row else "", hashed(sent["secret"]))
    return row if same else None


def hashed(secret: str) -> str:
    """A secret of 256 random bits, as it is kept: there is nothing to guess, so a slow hash would gain nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _last(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Conditions: a token was not ended, and has not ended by itself."""
    return tokens.c.ended_at.is_(None), tokens.c.ends_at.is_(None) | (tokens.c.ends_at > now)


def _view(row: Row[Any]) -> Token:
    owner = Owner(
        kind=row.kind,
        name=row.owner,
        is_admin=row.is_admin,
        targets=row.devices.get("devices", []),
        target_groups=row.devices.get("device_groups", []),
        variants=row.protocols,
    )
    return from_row(Token, row, owner=owner)
