"""The policy and directory over HTTP."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

from fastapi import BackgroundTasks, Query, Request
from fastapi.responses import JSONResponse

from countersign import policy_file
from countersign.directory import CHANNELS, Policy
from countersign.error_codes import ErrorCode
from countersign.errors import BadPolicy, CountersignError, Refused, message_of
from countersign.http_answers import Applied, PolicyText
from countersign.models import Model
from countersign.policy_plan import Held, PolicyPlan, Waiting, keeps_admin, plan, to_end
from countersign.views import AppliedPolicy
from engine.engine import Engine
from engine.policy import ReadPolicy
from portal.api.idempotency import IdempotencyHere
from portal.api.problems import described
from portal.api.routes import HeavyRoute, token_router
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere
from store.workers import CHANNEL_KEPT

LOCKS_OUT = (
    "By this policy {} would be no admin any more. Keep the role admin for yourself, have another admin apply it, or "
    "say that you give it up (give_up_admin=true; `countersign policy apply --yes`)."
)
YAML: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/yaml": {"schema": {"type": "string"}}}}
}

Version = Annotated[int, Query(ge=1, le=2**31 - 1)]
EndGrants = Annotated[bool, Query(description="also end the grants that the new policy would not give")]

log = logging.getLogger(__name__)
P = TypeVar("P", Waiting, Held)


class PolicyRoute(HeavyRoute):
    """A route that takes a policy file."""

    largest_body_bytes = policy_file.LARGEST_FILE_BYTES


router = token_router("policy", PolicyRoute)


class Checked(Model):
    """Each mistake of a policy, with its line; none means that it can be applied.

    `warnings` are not mistakes, but will not work as this installation is set up now.
    """

    problems: list[str]
    warnings: list[str] = []


@router.get("/policy", responses=described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND))
async def show(context: ContextHere, caller: CallerHere, version: Version | None = None) -> PolicyText:
    """The policy in force, or a version of it, as it was written. For admins: it names everybody and their address."""
    caller.must_be_admin()
    found, text = await context.run(context.store.policies.text, version)
    return PolicyText(version=found, text=text)


@router.get("/policy/versions", responses=described(HTTPStatus.FORBIDDEN))
async def versions(
    context: ContextHere,
    caller: CallerHere,
    before: Version | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[AppliedPolicy]:
    """Who applied which version when, the newest first; the first is in force. For admins."""
    caller.must_be_admin()
    return await context.run(context.store.policies.versions, before, limit)


@router.post(
    "/policy",
    response_model=Applied,
    openapi_extra=YAML,
    responses=described(HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
)
async def apply(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    once: IdempotencyHere,
    later: BackgroundTasks,
    replaces: Annotated[
        int | None, Query(ge=0, le=2**31 - 1, description="the version in force that it was planned against; 0: none")
    ] = None,
    end_grants: EndGrants = False,
    give_up_admin: Annotated[bool, Query(description="apply it although you would be no admin any more")] = False,
) -> JSONResponse:
    """Put a policy file in force, or name all its mistakes. For admins.

    Who it disables can no longer decide; their requests are then cancelled, and their grants revoked. 409: another
    version is in force than the one it `replaces`, or you would be no admin any more.
    """
    admin = caller.must_be_admin()
    body = await request.body()

    async def put_in_force(_: str) -> JSONResponse:
        # Read and checked outside the store's threads, which others wait for.
        read = await context.work(ReadPolicy.of, body)
        if not give_up_admin and not _keeps_admin(caller, read.policy):
            raise Refused(LOCKS_OUT.format(admin), ErrorCode.AUTHOR_LOSES_ADMIN)
        end = (
            await context.work(to_end, read.policy, await _all_of(context, context.engine.planning.held))
            if end_grants
            else []
        )
        version = await context.engine.put_in_force(read, admin, replaces, end)
        later.add_task(_enforce, context.engine)
        return JSONResponse({"version": version})

    return await once(put_in_force)


@router.post(
    "/policy/plan",
    openapi_extra=YAML,
    responses=described(HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
)
async def plan_(
    request: Request, context: ContextHere, caller: CallerHere, end_grants: EndGrants = False
) -> PolicyPlan:
    """What applying a policy file would do, or all its mistakes. For admins. Changes nothing."""
    caller.must_be_admin()
    policy, document = await context.work(policy_file.load_with_places, await request.body())
    version, old = await context.run(context.engine.planning.in_force)
    planning = context.engine.planning
    waiting, held = await _all_of(context, planning.waiting), await _all_of(context, planning.held)
    planned = await context.work(plan, version, old, policy, waiting, held, end_grants)
    planned.warnings = policy_file.warnings(policy, document, await _set_up(context))
    planned.author_loses_admin = not _keeps_admin(caller, policy)
    return planned


@router.post(
    "/policy/check",
    openapi_extra=YAML,
    responses=described(HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
)
async def check(request: Request, context: ContextHere, caller: CallerHere) -> Checked:
    """Name all mistakes of a policy file, and change nothing."""
    caller.must_be_person()
    try:
        policy, document = await context.work(policy_file.load_with_places, await request.body())
    except BadPolicy as error:
        return Checked(problems=error.problems)
    return Checked(problems=[], warnings=policy_file.warnings(policy, document, await _set_up(context)))


def _keeps_admin(caller: Caller, policy: Policy) -> bool:
    return keeps_admin(policy, caller.name, caller.appointed)


async def _all_of(context: Context, read: Callable[[int], list[P]]) -> list[P]:
    """All that is read in such parts, between which others get their turn."""
    found: list[P] = []
    while part := await context.run(read, found[-1].approval_id if found else 0):
        found += part
    return found


async def _set_up(context: Context) -> frozenset[str]:
    """The channels by which people can be told: those of the workers, or all where none was seen lately."""
    workers = await context.run(context.store.workers.seen_since, datetime.now(UTC) - CHANNEL_KEPT)
    return frozenset(name for one in workers for name in one.channels) if workers else frozenset(CHANNELS)


async def _enforce(engine: Engine) -> None:
    try:
        await engine.enforce_directory()
    except CountersignError as error:
        log.warning("the sweeper will enforce the new policy: %s", message_of(error))
