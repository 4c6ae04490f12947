"""RDP through a gate: the file that a person connects with, and the token in it, which the gate redeems."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request, Response

from countersign.error_codes import ErrorCode
from countersign.errors import Refused
from countersign.models import canonical_address
from countersign.permissions import must_be_gateway
from countersign.rdp import RoutedConnection, RoutingToken, rdp_file
from portal.api.problems import described
from portal.api.requests import ApprovalId, visible_request
from portal.api.routes import WITH_BODY, token_router
from portal.auth import CallerHere
from portal.connections import address_of
from portal.context import ContextHere

MEDIA_TYPE = "application/x-rdp"
NO_GATE = "No gate for RDP is set up here: an administrator sets COUNTERSIGN_RDP_GATE to where clients reach it."

router = token_router("rdp")


async def handed_out(request: Request, approval_id: ApprovalId, context: ContextHere, caller: CallerHere) -> Response:
    """The file for one connection from where the caller is. Raises NotFound, NotAllowed, Refused."""
    person = caller.must_be_person()
    await visible_request(context, caller, approval_id)
    if not context.site.rdp_gate:
        raise Refused(NO_GATE, ErrorCode.NO_RDP_GATE)
    token = await context.run(
        context.engine.rdp_tokens.make, approval_id, person, canonical_address(address_of(request)), caller.proof
    )
    headers = {
        "Content-Disposition": f'attachment; filename="countersign-{approval_id}.rdp"',
        "Cache-Control": "no-store",
    }
    return Response(rdp_file(context.site.rdp_gate, token), media_type=MEDIA_TYPE, headers=headers)


HandedOut = Annotated[Response, Depends(handed_out)]


@router.post(
    "/requests/{approval_id}/rdp-file",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}},
        **described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
    },
)
async def file(handed_out: HandedOut) -> Response:
    """A file for RDP clients that lets one connection through the gate, within two minutes, from the caller's address.

    For the requester, while a grant for RDP lasts. The file holds a one-time routing token and no password.
    """
    return handed_out


@router.post("/rdp-tokens/redeem", responses=described(HTTPStatus.FORBIDDEN, *WITH_BODY))
async def redeem(context: ContextHere, caller: CallerHere, sent: RoutingToken) -> RoutedConnection:
    """Whose connection begins with this routing token, for the gateway of its device. Even a refusal uses it up."""
    must_be_gateway(caller.principal)
    return await context.run(context.engine.rdp_tokens.redeem, sent, caller.principal, caller.proof)
