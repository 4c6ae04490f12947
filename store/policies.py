"""The policy and directory, one version after another; each process reads a version once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from sqlalchemy import Connection, func, insert, select

from countersign import policy_file
from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import Refused
from countersign.steps import Line
from store.database import Database, reads
from store.events import append
from store.tables import policies

NO_POLICY = "No policy has been applied yet: write one and run `countersign policy apply FILE`."


@dataclass(frozen=True)
class ReadPolicy:
    """A policy file that was read and found right, in the forms in which it is kept."""

    text: str
    policy: Policy
    document: dict[str, Any]

    @classmethod
    def of(cls, file: str | bytes) -> ReadPolicy:
        """Read a policy file; BadPolicy names every error. Takes half a second for thousands of people."""
        text = policy_file.text_of(file) if isinstance(file, bytes) else file
        policy = policy_file.load(text)
        return cls(text, policy, policy.model_dump(mode="json"))


class Policies:
    """The versions of the policy, and the one in force."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._known: tuple[int, Policy] | None = None
        # PostgreSQL's transactions run on several threads: one of them reads a new version, the others wait for it.
        self._reading = Lock()

    def apply(self, text: str, who: str) -> int:
        """Read a policy file and put it in force as a new version; BadPolicy names every error."""
        return self.put_in_force(ReadPolicy.of(text), who)

    def put_in_force(self, read: ReadPolicy, who: str) -> int:
        """Put a policy in force as a new version."""
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            append(connection, None, [])  # takes the feed's lock, so that two who apply at once get a version each
            version = (connection.execute(select(func.max(policies.c.version))).scalar_one() or 0) + 1
            row = {"version": version, "text": read.text, "document": read.document}
            connection.execute(insert(policies).values(row | {"applied_by": who, "applied_at": now}))
            append(connection, None, [Line(kind="policy_applied", at=now, who=who, words=f"policy version {version}")])
        with self._reading:
            self._known = version, read.policy
        return version

    @reads
    def text(self) -> tuple[int, str]:
        """The version in force, as it was written."""
        newest = select(policies.c.version, policies.c.text).order_by(policies.c.version.desc()).limit(1)
        with self.database.reading() as connection:
            row = connection.execute(newest).one_or_none()
        if row is None:
            raise Refused(NO_POLICY, ErrorCode.NO_POLICY)
        return row.version, row.text

    @reads
    def current(self) -> tuple[int, Policy]:
        """The version in force; Refused when there is none."""
        with self.database.reading() as connection:
            return self.in_force(connection)

    def in_force(self, connection: Connection) -> tuple[int, Policy]:
        """The same, within a transaction."""
        version = connection.execute(select(func.max(policies.c.version))).scalar_one()
        if version is None:
            raise Refused(NO_POLICY, ErrorCode.NO_POLICY)
        known = self._known
        if known is not None and known[0] == version:
            return known
        with self._reading:
            if self._known is None or self._known[0] != version:
                query = select(policies.c.document).where(policies.c.version == version)
                self._known = version, Policy.model_validate(connection.execute(query).scalar_one())
            return self._known
