"""The page on which a person asks for a connection: which devices there are, and who would have to agree."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import Form, Query, Request, Response
from fastapi.responses import JSONResponse

from countersign.errors import BadQuestion
from countersign.kinds.connection import CONNECTION, ConnectionQuestion, Protocol
from countersign.models import LONGEST_ID, LONGEST_REASON
from countersign.question import read_of
from portal.api.devices import approvers_of, devices_of
from portal.api.rdp import address_of
from portal.auth import Caller, CallerHere
from portal.context import ContextHere
from portal.pages.render import page
from portal.pages.requests import Nonce, call_id, to_request
from portal.pages.route import page_router

# How many devices are listed at once.
PER_PAGE = 50
Field = Annotated[str, Form(max_length=LONGEST_ID)]
Typed = Annotated[str, Query(max_length=LONGEST_ID)]
Renew = Literal["", "true"]

router = page_router()


@router.get("/requests/new")
async def form(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    device: Typed = "",
    protocol: Typed = Protocol.SSH,
    reason: Annotated[str, Query(max_length=LONGEST_REASON)] = "",
    ticket: Typed = "",
    minutes: Typed = "",
    renew: Renew = "",
    after: Typed = "",
) -> Response:
    """Where one asks; what is in the address is filled in. Of a device that is named it says who would have to agree,
    or which there are that are named alike.
    """
    typed = {
        "device": device,
        "protocol": protocol,
        "reason": reason,
        "ticket": ticket,
        "minutes": minutes,
        "renew": renew,
    }
    devices = [one.device for one in await devices_of(context, caller, device, after, PER_PAGE)]
    found, problem = None, ""
    if device:
        try:
            found = await approvers_of(context, caller, _question(caller, typed))
        except BadQuestion as error:
            problem = str(error)
    return page(
        request,
        "new",
        typed=typed,
        protocols=list(Protocol),
        found=found,
        problem=problem,
        devices=devices,
        next_after=devices[-1] if len(devices) == PER_PAGE else "",
    )


@router.get("/requests/new/devices")
async def devices(context: ContextHere, caller: CallerHere, query: Typed = "") -> Response:
    """The devices that the reader may ask for, as a list of ids: for the script of the page."""
    return JSONResponse([one.device for one in await devices_of(context, caller, query, "", PER_PAGE)])


@router.post("/requests/new")
async def ask(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    once: Nonce,
    device: Field,
    protocol: Field,
    reason: Annotated[str, Form(max_length=LONGEST_REASON)] = "",
    ticket: Field = "",
    minutes: Field = "",
    renew: Annotated[Renew, Form()] = "",
) -> Response:
    """Ask for the reader, and lead to the request."""
    typed = {
        "device": device,
        "protocol": protocol,
        "reason": reason,
        "ticket": ticket,
        "minutes": minutes,
        "renew": renew,
    }
    if protocol == Protocol.RDP and context.site.rdp_gate:
        # The file that they then connect with is good for where they get it.
        typed["source_address"] = address_of(request)
    question = _question(caller, typed)
    caller.must_be_allowed(question)
    asked = await context.engine.ask(question, caller.name, call_id(caller, once))
    return to_request(asked.approval_id)


def _question(caller: Caller, typed: Mapping[str, str]) -> ConnectionQuestion:
    """The reader's question, as it was typed; BadQuestion."""
    said = {name: value for name, value in typed.items() if value or name not in ("minutes", "renew")}
    return read_of(CONNECTION, {"requester": caller.name, **said})
