"""The policy and directory, one version after another; each process reads a version once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from countersign import policy_file
from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import NotFound, Refused
from countersign.transitions import AuditEvent
from countersign.views import AppliedPolicy
from store.database import Database, reads
from store.events import append
from store.tables import LONGEST_WHO, grants, policies

NO_POLICY = "No policy has been applied yet: write one and run `countersign policy apply FILE`."
REVOKE = (
    update(grants)
    .where(grants.c.approval_id == bindparam("number"))
    .values(revoke_for=bindparam("for"), revoke_words=bindparam("why"))
)


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

    def put_in_force(
        self, read: ReadPolicy, who: str, replaces: int | None = None, end: Sequence[tuple[int, str]] = ()
    ) -> int:
        """Put a policy in force as a new version.

        `replaces` is the version that it was planned against, 0 for none: Refused where another is in force by then.
        `end` are the grants that end with it, by their approval id, each with the reason; the sweeper ends them.
        """
        now = datetime.now(UTC)
        with self.database.transaction() as connection:
            append(connection, None, [])  # takes the feed's lock, so that two who apply at once get a version each
            in_force = connection.execute(select(func.max(policies.c.version))).scalar_one() or 0
            if replaces is not None and replaces != in_force:
                raise _other_in_force(connection, in_force, replaces)
            version = in_force + 1
            row = {"version": version, "text": read.text, "document": read.document}
            connection.execute(insert(policies).values(row | {"applied_by": who, "applied_at": now}))
            if end:
                words = f"Policy version {version} would not give it. "
                rows = [{"number": number, "for": who[:LONGEST_WHO], "why": words + why} for number, why in end]
                connection.execute(REVOKE, rows)
            line = AuditEvent(kind="policy_applied", at=now, who=who, words=f"policy version {version}")
            append(connection, None, [line])
        with self._reading:
            self._known = version, read.policy
        return version

    @reads
    def text(self, version: int | None = None) -> tuple[int, str]:
        """A version as it was written, the one in force for None. Refused where none was applied; NotFound."""
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
        """Who applied which version when, the newest first; only those before a version, where one is given."""
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
        version = connection.execute(select(func.max(policies.c.version))).scalar_one()
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


def _other_in_force(connection: Connection, in_force: int, replaces: int) -> Refused:
    who = connection.execute(select(policies.c.applied_by).where(policies.c.version == in_force)).scalar_one_or_none()
    words = f"{who} applied policy version {in_force}" if who else "no policy is in force"
    return Refused(
        f"This was planned against version {replaces}, but {words} meanwhile; look at the plan again.",
        ErrorCode.OTHER_POLICY,
        version=in_force,
    )
