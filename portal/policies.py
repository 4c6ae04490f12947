"""The policy, as admins work with it over HTTP and on pages: check, plan, put in force, compare, roll back."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from countersign.directory import CHANNELS
from countersign.errors import CountersignError, message_of
from countersign.http_answers import PolicyText
from countersign.permissions import as_of
from countersign.policy import file as policy_file
from countersign.policy.difference import PolicyDifference, difference
from countersign.policy.edit import PolicyEdit, edited
from countersign.policy.plan import ActiveGrant, PolicyPlan, Waiting, plan, to_end
from engine.engine import Engine
from engine.heartbeat import CHANNEL_KEPT
from engine.policy import ReadPolicy, put_in_force_by
from portal.auth import Caller
from portal.context import Context

log = logging.getLogger(__name__)
P = TypeVar("P", Waiting, ActiveGrant)


async def version_of(context: Context, version: int | None = None) -> PolicyText:
    """A version of the policy, as it was written; the one in force if none is named. Raises NotFound, Refused."""
    found, text = await context.run(context.store.policies.text, version)
    return PolicyText(version=found, text=text)


async def compared(context: Context, old: PolicyText, new: PolicyText) -> PolicyDifference:
    """What differs between two versions."""
    parts = await context.work(difference, old.text, new.text)
    return PolicyDifference(old=old.version, new=new.version, parts=parts)


async def changed(context: Context, change: PolicyEdit) -> PolicyText:
    """The text in force with one change, and the version that it was made from; nothing is changed.

    Raises Refused if that can only be changed in the text, and BadPolicy for a value that the field can't have.
    """
    current = await version_of(context)
    return PolicyText(version=current.version, text=await context.work(edited, current.text, change))


async def warnings_of(context: Context, text: str | bytes) -> list[str]:
    """What in a policy file surely isn't intended, or won't work with the channels of the workers, by line.

    BadPolicy names all its mistakes.
    """
    policy, document = await context.work(policy_file.load_with_places, text)
    return policy_file.warnings(policy, document, await _set_up(context))


async def planned(context: Context, caller: Caller, text: str | bytes, end_grants: bool) -> PolicyPlan:
    """What applying a policy file would do. BadPolicy names all its mistakes."""
    policy, document = await context.work(policy_file.load_with_places, text)
    version, old = await context.run(context.engine.planning.in_force)
    planning = context.engine.planning
    waiting, grants = await _all_of(context, planning.waiting), await _all_of(context, planning.active_grants)
    found = await context.work(plan, version, old, policy, waiting, grants, end_grants)
    found.warnings = policy_file.warnings(policy, document, await _set_up(context))
    found.author_loses_admin = not as_of(policy, caller.principal).admin
    return found


async def put_in_force(
    context: Context,
    caller: Caller,
    text: str | bytes,
    replaces: int | None = None,
    end_grants: bool = False,
    give_up_admin: bool = False,
) -> int:
    """Put a policy file in force; returns its version. `enforce` has to be called after it.

    BadPolicy names all its mistakes. Raises Refused if another version is in force than the one it `replaces`, or if
    the caller would no longer be an admin and doesn't `give_up_admin`.
    """
    # Read and checked outside the store's threads, which others wait for.
    read = await context.work(ReadPolicy.of, text)
    grants = await _all_of(context, context.engine.planning.active_grants) if end_grants else []
    end = await context.work(to_end, read.policy, grants)
    return await context.run(put_in_force_by, context.store, read, caller.principal, replaces, end, give_up_admin)


async def enforce(engine: Engine) -> None:
    """Recheck requests and revoke grants after a new policy; if that fails, the sweeper does it later."""
    try:
        await engine.enforce_directory()
    except CountersignError as error:
        log.warning("the sweeper will enforce the new policy: %s", message_of(error))


async def _all_of(context: Context, read: Callable[[int], list[P]]) -> list[P]:
    """Everything that is read, a part at a time, so that others get their turn in between."""
    found: list[P] = []
    while part := await context.run(read, found[-1].approval_id if found else 0):
        found += part
    return found


async def _set_up(context: Context) -> frozenset[str]:
    """The channels that can notify people: those of the workers, or all if no worker was seen lately."""
    workers = await context.run(context.store.workers.seen, datetime.now(UTC) - CHANNEL_KEPT)
    return frozenset(name for one in workers for name in one.channels) if workers else frozenset(CHANNELS)
