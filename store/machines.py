"""Service tokens and provisioning keys: found by what a machine sends, and listed for admins."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, insert, select, update

from countersign.errors import NotFound
from countersign.machines import ProvisioningKey, ServiceToken
from store.database import StorePart, from_row, reads
from store.machine_secrets import is_kept
from store.paging import newest_first
from store.tables import as_written, provisioning_keys, service_tokens

T = TypeVar("T", ServiceToken, ProvisioningKey)


class Credentials(StorePart, Generic[T]):
    """The rows of one table. Methods with a connection work within their caller's transaction."""

    table: ClassVar[Table]
    name: ClassVar[str]
    ended: ClassVar[str]  # the column that says when one was ended for good
    model: type[T]

    @reads
    def find(self, credential_id: str, secret: str, now: datetime) -> T | None:
        """The one with this id and secret, whether it lasts or not; None if there is none."""
        with self.database.reading() as connection:
            row = connection.execute(select(self.table).where(self.table.c.id == credential_id)).one_or_none()
        columns = dict(row._mapping) if row else {}
        previous_lasts = (ends_at := columns.get("previous_secret_ends_at")) is not None and ends_at > now
        same = is_kept(secret, columns), is_kept(secret, columns, "previous_") and previous_lasts
        return self.view(row) if row and any(same) else None

    @reads
    def page(self, before: str = "", limit: int = 50) -> list[T]:
        """A page of those that were not ended for good, newest first; `before` is an id."""
        with self.database.reading() as connection:
            rows = newest_first(connection, self.table.c.created_at, before, limit, self.lasting())
            return [self.view(row) for row in rows]

    def lasting(self) -> ColumnElement[bool]:
        """Whether one was not ended for good."""
        return self.table.c[self.ended].is_(None)

    @classmethod
    def view(cls, row: Row[Any]) -> T:
        """A row as admins see it."""
        return from_row(cls.model, row)

    @classmethod
    def add(cls, connection: Connection, row: Mapping[str, Any]) -> T:
        """Add one."""
        return cls.view(connection.execute(insert(cls.table).values(row).returning(cls.table)).one())

    @classmethod
    def is_known(cls, connection: Connection, credential_id: str) -> bool:
        """Whether there is one of this id, whether it lasts or not."""
        return connection.execute(select(cls.table.c.id).where(cls.table.c.id == credential_id)).first() is not None

    @classmethod
    def locked(cls, connection: Connection, credential_id: str) -> Row[Any]:
        """The row of one, which nobody else changes until the transaction ends. Raises NotFound."""
        query = select(cls.table).where(cls.table.c.id == credential_id).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"There is no {cls.name.replace('_', ' ')} {credential_id}.")
        return row

    @classmethod
    def change(cls, connection: Connection, credential_id: str, **values: Any) -> T:
        """Change these columns of one."""
        changed = update(cls.table).where(cls.table.c.id == credential_id).values(values)
        return cls.view(connection.execute(changed.returning(cls.table)).one())


class ServiceTokens(Credentials[ServiceToken]):
    """Finds service tokens."""

    table = service_tokens
    name = "service_token"
    ended = "revoked_at"
    model = ServiceToken

    @reads
    def expiring(self, after: datetime, before: datetime) -> list[ServiceToken]:
        """Those in use that expire between these moments."""
        in_use = self.lasting() & service_tokens.c.disabled_at.is_(None)
        ends_at = service_tokens.c.ends_at
        soon = (ends_at > as_written(after)) & (ends_at <= as_written(before))
        with self.database.reading() as connection:
            rows = connection.execute(select(service_tokens).where(in_use, soon))
            return [self.view(row) for row in rows]


class ProvisioningKeys(Credentials[ProvisioningKey]):
    """Finds provisioning keys."""

    table = provisioning_keys
    name = "provisioning_key"
    ended = "ended_at"
    model = ProvisioningKey


def count_device(connection: Connection, key_id: str, now: datetime) -> bool:
    """Count one more device of a provisioning key; False if it has no room for one, or lasts no longer.

    One statement counts and compares, so that there is never one more than allowed, however many come at once.
    """
    keys = provisioning_keys.c
    has_room = keys.id == key_id, keys.used < keys.devices, keys.ended_at.is_(None), keys.ends_at > now
    return connection.execute(update(provisioning_keys).where(*has_room).values(used=keys.used + 1)).rowcount > 0
