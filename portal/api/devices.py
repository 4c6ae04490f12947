"""What may be asked for, and who would have to agree: over HTTP, before anything is asked."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.exceptions import RequestValidationError

from countersign.devices import Device, devices_for
from countersign.kinds.connection import ConnectionProtocol, ConnectionQuestion
from countersign.models import LONGEST_ID, Id
from countersign.who_approves import WhoApproves, who_approves
from portal.api.problems import described
from portal.api.requests import LINKED
from portal.api.routes import lead_on, token_router
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere

MOST_DEVICES = 200
Search = Annotated[str, Query(max_length=LONGEST_ID, description="Only those whose id contains this.")]
Requester = Annotated[Id | None, Query(description="Who would ask (default: you).")]

router = token_router("devices")


@router.get("/devices", responses={200: {"headers": LINKED}})
async def devices(
    request: Request,
    response: Response,
    context: ContextHere,
    caller: CallerHere,
    query: Search = "",
    after: Annotated[str, Query(max_length=LONGEST_ID, description="Only those after this id.")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_DEVICES)] = 50,
) -> list[Device]:
    """A page of the devices that you may ask to connect to, with their protocols, sorted by id.

    If there may be more, the header `Link` leads to the next page.
    """
    found = await devices_of(context, caller, query, after, limit)
    if len(found) == limit:
        lead_on(request, response, after=found[-1].device)
    return found


@router.get("/route", responses=described(HTTPStatus.FORBIDDEN))
async def route(
    context: ContextHere, caller: CallerHere, device: Id, protocol: ConnectionProtocol, requester: Requester = None
) -> WhoApproves:
    """Who would have to agree to a connection, and why, or why it would be refused. Asks nobody.

    `asked` at each level lists who would be asked. Open requests and active grants are ignored.
    """
    if requester is None and not caller.is_person:
        raise RequestValidationError([{"type": "missing", "loc": ("query", "requester")}])
    question = ConnectionQuestion(requester=requester or caller.name, device=device, protocol=protocol)
    return await approvers_of(context, caller, question)


async def devices_of(context: Context, caller: Caller, query: str, after: str, limit: int) -> list[Device]:
    """The devices that a caller may ask for, found in the caller's turn, as a policy may have thousands."""
    return await context.run(
        lambda: devices_for(context.store.policies.current()[1], caller.principal, query, after, limit)
    )


async def approvers_of(context: Context, caller: Caller, question: ConnectionQuestion) -> WhoApproves:
    """Who would have to agree. Raises NotAllowed for a question that this caller may not ask."""
    caller.must_be_allowed(question)
    return await context.run(lambda: who_approves(context.store.policies.current()[1], question))
