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
    """The mistakes of a policy, each with its line. If there are none, it can be applied.

    `warnings` name what is allowed, but won't work as this installation is set up now, or is surely not intended.
    """

    problems: list[str]
    warnings: list[str] = []


@dataclass
class Applying:
    """How a policy is put in force."""

    replaces: Annotated[
        int | None,
        Query(ge=0, le=LARGEST_VERSION, description="the version in force when it was planned; 0 for none"),
    ] = None
    end_grants: EndGrants = False
    give_up_admin: Annotated[bool, Query(description="apply it even if you would no longer be an admin")] = False


ApplyingHere = Annotated[Applying, Depends()]


@router.get("/policy", responses=described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND))
async def show(context: ContextHere, caller: CallerHere, version: Version | None = None) -> PolicyText:
    """The policy in force, or an earlier version, as it was written. For admins, as it has everybody's address."""
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
    """A page of the versions of the policy: who applied each, and when. The newest, in force, is first. For admins.

    If there may be more, the header `Link` leads to the next page.
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
    """What differs between two versions, line by line; without `new`, between `old` and the one in force. For admins.

    In each part, `sign` is `-` for a line that only the old version has, `+` for one that only the new version has, and
    a space for the few equal lines around them.
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

    People whom it disables can no longer decide; their requests are cancelled, and their grants revoked. 409: another
    version is in force than the one it `replaces`, or you would no longer be an admin.
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
    """Put an earlier version in force again, as a new one. Refused like `POST /policy`. For admins."""
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
    """The text of the policy in force with one change made to it, and the version that it replaces. For admins.

    Applies nothing: plan and apply the text yourself. The rest of it stays as it was written, with its comments. 409:
    there is no such place, or it is written in a way that only a person can edit.
    """
    caller.must_be_admin()
    return await policies.changed(context, body)


@router.post("/policy/check", openapi_extra=YAML, responses=OF_FILE)
async def check(request: Request, context: ContextHere, caller: CallerHere) -> Checked:
    """Name all mistakes of a policy file. Changes nothing."""
    caller.must_be_person()
    try:
        return Checked(problems=[], warnings=await policies.warnings_of(context, await request.body()))
    except BadPolicy as error:
        return Checked(problems=error.problems)
