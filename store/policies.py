"""The policy and directory, one version after another; each process reads a version once."""

from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import Connection, func, insert, select

from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import NotFound, Refused
from countersign.views import AppliedPolicy
from store.database import Database, reads
from store.tables import policies

NEWEST = select(func.max(policies.c.version))
NO_POLICY = "No policy has been applied yet: write one and run `countersign policy apply FILE`."


class Policies:
    """The versions of the policy, and the one in force."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._known: tuple[int, Policy] | None = None
        # PostgreSQL's transactions run on several threads: one of them reads a new version, the others wait for it.
        self._reading = Lock()

    def remember(self, version: int, policy: Policy) -> None:
        """Take this as the version in force, so that it need not be read."""
        with self._reading:
            self._known = version, policy

    @reads
    def text(self, version: int | None = None) -> tuple[int, str]:
        """A version as it was written, the one in force for None. Raises Refused if none was applied, and NotFound."""
        query = select(policies.c.version, policies.c.text).order_by(policies.c.version.desc()).limit(1)
        with self.database.reading() as connection:
            row = connection.execute(query.where(policies.c.version == version) if version else query).one_or_none()
        if row is None and version:
            raise NotFound(f"There is no policy version {version}.", ErrorCode.NO_VERSION, version=version)
        if row is None:
            raise _no_policy()
        return row.version, row.text

    @reads
    def versions(self, before: int | None = None, limit: int = 50) -> list[AppliedPolicy]:
        """Who applied which version when, the newest first; only those before a version, if one is given."""
        query = select(policies.c.version, policies.c.applied_by, policies.c.applied_at)
        query = query.order_by(policies.c.version.desc()).limit(limit)
        with self.database.reading() as connection:
            rows = connection.execute(query.where(policies.c.version < before) if before else query)
            return [AppliedPolicy.model_validate(dict(row._mapping)) for row in rows]

    @reads
    def current(self) -> tuple[int, Policy]:
        """The version in force; Refused when there is none."""
        with self.database.reading() as connection:
            return self.in_force(connection)

    def in_force(self, connection: Connection) -> tuple[int, Policy]:
        """The same, within a transaction."""
        version = connection.execute(NEWEST).scalar_one()
        if version is None:
            raise _no_policy()
        known = self._known
        if known is not None and known[0] == version:
            return known
        with self._reading:
            if self._known is None or self._known[0] != version:
                query = select(policies.c.document).where(policies.c.version == version)
                self._known = version, Policy.model_validate(connection.execute(query).scalar_one())
            return self._known


def _no_policy() -> Refused:
    return Refused(NO_POLICY, ErrorCode.NO_POLICY)


def version_in_force(connection: Connection) -> int:
    """The newest version; 0 before the first."""
    return connection.execute(NEWEST).scalar_one() or 0


def applied_by(connection: Connection, version: int) -> str | None:
    """Who applied a version, if there is one."""
    return connection.execute(select(policies.c.applied_by).where(policies.c.version == version)).scalar_one_or_none()


def add(connection: Connection, version: int, text: str, document: Mapping[str, Any], who: str, now: datetime) -> None:
    """Add a version: as it was written, and as it was understood."""
    row = {"version": version, "text": text, "document": document, "applied_by": who, "applied_at": now}
    connection.execute(insert(policies).values(row))
