"""The page on which a person asks for a connection."""

from typing import Annotated

from fastapi import Form, Request, Response

from countersign.kinds.connection import CONNECTION, Protocol
from countersign.models import LONGEST_ID, LONGEST_REASON
from countersign.question import read_of
from portal.auth import CallerHere
from portal.context import ContextHere
from portal.pages.render import page
from portal.pages.requests import Nonce, call_id, to_request
from portal.pages.route import page_router

Field = Annotated[str, Form(max_length=LONGEST_ID)]

router = page_router()


@router.get("/requests/new")
async def form(
    request: Request, caller: CallerHere, device: str = "", protocol: str = Protocol.SSH, reason: str = ""
) -> Response:
    """Where one asks; what is in the address is filled in."""
    return page(request, "new", device=device, protocol=protocol, reason=reason, protocols=list(Protocol))


@router.post("/requests/new")
async def ask(
    context: ContextHere,
    caller: CallerHere,
    once: Nonce,
    device: Field,
    protocol: Field,
    reason: Annotated[str, Form(max_length=LONGEST_REASON)] = "",
    ticket: Field = "",
    minutes: Field = "",
) -> Response:
    """Ask for the reader, and lead to the request."""
    raw = {"requester": caller.name, "device": device, "protocol": protocol, "reason": reason, "ticket": ticket}
    question = read_of(CONNECTION, raw | ({"minutes": minutes} if minutes else {}))
    caller.must_be_allowed(question)
    asked = await context.engine.ask(question, caller.name, call_id(caller, once))
    return to_request(asked.approval_id)
