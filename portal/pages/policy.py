"""The policy in the browser, for admins: its text and versions, what differs, and who would have to approve."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Path, Query, Request, Response

from countersign.directory import Policy
from countersign.errors import BadQuestion
from countersign.kinds.connection import CONNECTION, ConnectionProtocol, ConnectionQuestion
from countersign.models import LONGEST_ID
from countersign.policy.difference import DifferentLine
from countersign.question import read_of
from countersign.who_approves import WhoApproves
from portal import policies
from portal.api.devices import approvers_of
from portal.api.policy import LARGEST_VERSION, Version
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere
from portal.pages.render import long_page
from portal.pages.route import PolicyRoute, admin_router

PER_PAGE = 25
MOST_LINES = 2_000

Typed = Annotated[str, Query(max_length=LONGEST_ID)]

router = admin_router(PolicyRoute)


@router.get("/policy")
async def show(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    before: Version | None = None,
    requester: Typed = "",
    device: Typed = "",
    protocol: Typed = ConnectionProtocol.SSH,
) -> Response:
    """The policy in force, its versions, and who would have to approve somebody's request."""
    _, policy = await context.run(context.store.policies.current)
    versions = await context.run(context.store.policies.versions, before, PER_PAGE + 1)
    found, problem = await _who_approves(context, caller, requester, device, protocol)
    return await long_page(
        request,
        "policy",
        current=await policies.version_of(context),
        names=names_of(policy),
        versions=versions[:PER_PAGE],
        next_before=versions[PER_PAGE - 1].version if len(versions) > PER_PAGE else None,
        typed={"requester": requester, "device": device, "protocol": protocol},
        protocols=list(ConnectionProtocol),
        found=found,
        problem=problem,
    )


@router.get("/policy/versions/{version}")
async def one(
    request: Request,
    context: ContextHere,
    version: Annotated[int, Path(ge=1, le=LARGEST_VERSION)],
) -> Response:
    """One version, as it was written."""
    shown = await policies.version_of(context, version)
    in_force = await policies.version_of(context)
    [applied] = await context.run(context.store.policies.versions, version + 1, 1)
    _, policy = await context.run(context.store.policies.current)
    return await long_page(
        request, "policy_version", shown=shown, applied=applied, in_force=in_force.version, names=names_of(policy)
    )


@router.get("/policy/difference")
async def difference(request: Request, context: ContextHere, old: Version, new: Version) -> Response:
    """What differs between two versions."""
    found = await policies.compared(
        context, await policies.version_of(context, old), await policies.version_of(context, new)
    )
    return await long_page(request, "policy_difference", difference=found, parts=first_lines(found.parts))


async def _who_approves(
    context: Context, caller: Caller, requester: str, device: str, protocol: str
) -> tuple[WhoApproves | None, str]:
    """Who would have to approve, or what is wrong with the question."""
    if not (requester and device):
        return None, ""
    try:
        asked = {"requester": requester, "device": device, "protocol": protocol}
        question: ConnectionQuestion = read_of(CONNECTION, asked)
    except BadQuestion as error:
        return None, str(error)
    return await approvers_of(context, caller, question), ""


def first_lines(parts: Sequence[Sequence[DifferentLine]]) -> list[Sequence[DifferentLine]]:
    """The first lines of what differs, as many as anybody reads."""
    found: list[Sequence[DifferentLine]] = []
    room = MOST_LINES
    for part in parts:
        found.append(part[: max(room, 0)])
        room -= len(part)
    return [part for part in found if part]


def names_of(policy: Policy) -> dict[str, str]:
    """Everybody's name, by id."""
    return {person: user.name for person, user in policy.users.items()}
