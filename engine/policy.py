"""Putting a policy in force as a new version, and ending the grants that it would no longer give (rule 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from countersign.directory import Policy
from countersign.error_codes import ErrorCode
from countersign.errors import Refused
from countersign.permissions import Principal, as_of, must_be_admin
from countersign.policy import file as policy_file
from engine.record import record
from store import Store, grants, policies
from store.events import lock_feed

LOCKS_OUT = (
    "With this policy {} would no longer be an admin. Keep the role admin for yourself, have another admin apply it, "
    "or say that you give it up (give_up_admin=true; `countersign policy apply --yes`)."
)


@dataclass(frozen=True)
class ReadPolicy:
    """A policy file that was read and is valid, in the forms in which it is stored."""

    text: str
    policy: Policy
    document: dict[str, Any]

    @classmethod
    def of(cls, file: str | bytes) -> ReadPolicy:
        """Read a policy file; BadPolicy names every error. Takes half a second for thousands of people."""
        text = policy_file.text_of(file) if isinstance(file, bytes) else file
        policy = policy_file.load(text)
        return cls(text, policy, policy.model_dump(mode="json"))


def apply_policy(store: Store, text: str, who: str) -> int:
    """Read a policy file and put it in force as a new version; BadPolicy names every error."""
    return put_in_force(store, ReadPolicy.of(text), who)


def put_in_force(
    store: Store, read: ReadPolicy, who: str, replaces: int | None = None, end: Sequence[tuple[int, str]] = ()
) -> int:
    """Put a policy in force as a new version; returns its number.

    `replaces` is the version that it was planned against, 0 for none; raises Refused if another is in force by then.
    `end` are the grants that end with it, by their approval id, each with the reason; the sweeper ends them.
    """
    with store.database.transaction() as connection:
        lock_feed(connection)  # two who apply at once get a version each
        version = _next_version(connection, replaces)
        now = datetime.now(UTC)
        policies.add(connection, version, read.text, read.document, who, now)
        if end:
            reason = f"Policy version {version} would not give it. "
            grants.have_revoked(connection, who, [(number, reason + why) for number, why in end])
        record(connection, "policy_applied", who, f"policy version {version}", {}, now)
    store.policies.remember(version, read.policy)
    return version


def put_in_force_by(
    store: Store,
    read: ReadPolicy,
    who: Principal,
    replaces: int | None = None,
    end: Sequence[tuple[int, str]] = (),
    give_up_admin: bool = False,
) -> int:
    """The same for an admin; also raises Refused if they would no longer be one and don't `give_up_admin`."""
    must_be_admin(who)
    if not (give_up_admin or as_of(read.policy, who).admin):
        raise Refused(LOCKS_OUT.format(who.name), ErrorCode.AUTHOR_LOSES_ADMIN)
    return put_in_force(store, read, who.name, replaces, end)


def _next_version(connection: Connection, replaces: int | None) -> int:
    in_force = policies.version_in_force(connection)
    if replaces in (None, in_force):
        return in_force + 1
    who = policies.applied_by(connection, in_force)
    current = f"{who} applied policy version {in_force}" if who else "no policy is in force"
    raise Refused(
        f"This was planned against version {replaces}, but {current} meanwhile; look at the plan again.",
        ErrorCode.OTHER_POLICY,
        version=in_force,
    )
