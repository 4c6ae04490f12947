"""The policy and directory over HTTP."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from countersign.errors import BadPolicy
from countersign.http_answers import Applied, PolicyText
from countersign.models import Model
from countersign.policy import file as policy_file
from countersign.policy.difference import PolicyDifference
from countersign.policy.edit import PolicyEdit
from countersign.policy.plan import PolicyPlan
from countersign.views import AppliedPolicy
from portal import policies
from portal.api.idempotency import IdempotencyHere
from portal.api.problems import described
from portal.api.requests import LINKED
from portal.api.routes import WITH_BODY, HeavyRoute, lead_on, token_router
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere

LARGEST_VERSION = 2**31 - 1
YAML: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/yaml": {"schema": {"type": "string"}}}}
}
OF_FILE = described(HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

Version = Annotated[int, Query(ge=1, le=LARGEST_VERSION)]
EndGrants = Annotated[bool, Query(description="also end the grants that the new policy would not give")]


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


@dataclass
class Applying:
    """How a policy is put in force."""

    replaces: Annotated[
        int | None,
        Query(ge=0, le=LARGEST_VERSION, description="the version in force that it was planned against; 0: none"),
    ] = None
    end_grants: EndGrants = False
    give_up_admin: Annotated[bool, Query(description="apply it although you would be no admin any more")] = False


ApplyingHere = Annotated[Applying, Depends()]


@router.get("/policy", responses=described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND))
async def show(context: ContextHere, caller: CallerHere, version: Version | None = None) -> PolicyText:
    """The policy in force, or a version of it, as it was written. For admins: it names everybody and their address."""
    caller.must_be_admin()
    return await policies.version_of(context, version)


@router.get("/policy/versions", responses={200: {"headers": LINKED}, **described(HTTPStatus.FORBIDDEN)})
async def versions(
    request: Request,
    response: Response,
    context: ContextHere,
    caller: CallerHere,
    before: Version | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[AppliedPolicy]:
    """Who applied which version when, the newest first; the first is in force. For admins.

    Where there may be more, the header `Link` leads to the next page.
    """
    caller.must_be_admin()
    found = await context.run(context.store.policies.versions, before, limit)
    if len(found) == limit:
        lead_on(request, response, before=found[-1].version)
    return found


@router.get("/policy/difference", responses=described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND))
async def difference(
    context: ContextHere, caller: CallerHere, old: Version, new: Version | None = None
) -> PolicyDifference:
    """What differs between two versions, line by line; without `new`, between one and the policy in force. For admins.

    Each part has a few equal lines (`sign` is a space) around those of the old one alone (`-`) and the new one (`+`).
    """
    caller.must_be_admin()
    return await policies.compared(
        context, await policies.version_of(context, old), await policies.version_of(context, new)
    )


@router.post("/policy", response_model=Applied, openapi_extra=YAML, responses=OF_FILE)
async def apply(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    idempotency: IdempotencyHere,
    later: BackgroundTasks,
    applying: ApplyingHere,
) -> JSONResponse:
    """Put a policy file in force, or name all its mistakes. For admins.

    Who it disables can no longer decide; their requests are then cancelled, and their grants revoked. 409: another
    version is in force than the one it `replaces`, or you would be no admin any more.
    """
    caller.must_be_admin()
    text = await request.body()
    return await idempotency(lambda _: _put_in_force(context, caller, text, applying, later))


@router.post(
    "/policy/versions/{version}/roll-back",
    response_model=Applied,
    responses=described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
)
async def roll_back(
    version: Annotated[int, Path(ge=1, le=LARGEST_VERSION)],
    context: ContextHere,
    caller: CallerHere,
    idempotency: IdempotencyHere,
    later: BackgroundTasks,
    applying: ApplyingHere,
) -> JSONResponse:
    """Put an earlier version in force again, as a new one. For admins; refused as `POST /policy` is."""
    caller.must_be_admin()
    text = (await policies.version_of(context, version)).text
    return await idempotency(lambda _: _put_in_force(context, caller, text, applying, later))


async def _put_in_force(
    context: Context, caller: Caller, text: str | bytes, applying: Applying, later: BackgroundTasks
) -> JSONResponse:
    version = await policies.put_in_force(
        context, caller, text, applying.replaces, applying.end_grants, applying.give_up_admin
    )
    later.add_task(policies.enforce, context.engine)
    return JSONResponse({"version": version})


@router.post("/policy/plan", openapi_extra=YAML, responses=OF_FILE)
async def plan(request: Request, context: ContextHere, caller: CallerHere, end_grants: EndGrants = False) -> PolicyPlan:
    """What applying a policy file would do, or all its mistakes. For admins. Changes nothing."""
    caller.must_be_admin()
    return await policies.planned(context, caller, await request.body(), end_grants)


@router.post("/policy/change", responses=described(HTTPStatus.FORBIDDEN, *WITH_BODY))
async def change(body: PolicyEdit, context: ContextHere, caller: CallerHere) -> PolicyText:
    """The text in force with one change, and the version that it replaces. For admins.

    Nothing is changed: plan and apply the text. All else in it stays as it was written, comments too. 409: there is no
    such place, or it is written in a way that can be changed in the text alone.
    """
    caller.must_be_admin()
    return await policies.changed(context, body)


@router.post("/policy/check", openapi_extra=YAML, responses=OF_FILE)
async def check(request: Request, context: ContextHere, caller: CallerHere) -> Checked:
    """Name all mistakes of a policy file, and change nothing."""
    caller.must_be_person()
    try:
        return Checked(problems=[], warnings=await policies.warnings_of(context, await request.body()))
    except BadPolicy as error:
        return Checked(problems=error.problems)
