"""The page on which a person asks for a connection: which devices there are, and who would have to agree."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import Form, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from countersign.errors import BadQuestion
from countersign.kinds.connection import CONNECTION, ConnectionProtocol, ConnectionQuestion
from countersign.models import LONGEST_ID, LONGEST_REASON, canonical_address
from countersign.question import read_of
from portal.api.devices import approvers_of, devices_of
from portal.auth import Caller, CallerHere
from portal.connections import address_of
from portal.context import ContextHere
from portal.pages.render import page
from portal.pages.requests import LONGEST_NONCE, call_id, to_request
from portal.pages.route import page_router

# How many devices are listed at once.
PER_PAGE = 50


class Typed(BaseModel):
    """What is typed."""

    device: str = Field(default="", max_length=LONGEST_ID)
    protocol: str = Field(default=ConnectionProtocol.SSH, max_length=LONGEST_ID)
    reason: str = Field(default="", max_length=LONGEST_REASON)
    ticket: str = Field(default="", max_length=LONGEST_ID)
    minutes: str = Field(default="", max_length=LONGEST_ID)
    renew: Literal["", "true"] = ""


class Shown(Typed):
    """The form, filled in from the page's URL; devices are listed `after` one. An empty source address stays empty."""

    source_address: str | None = Field(default=None, max_length=LONGEST_ID)
    after: str = Field(default="", max_length=LONGEST_ID)


class Sent(Typed):
    """The form as it is sent; its `nonce` tells a repeat from another question."""

    protocol: str = Field(max_length=LONGEST_ID)
    source_address: str = Field(default="", max_length=LONGEST_ID)
    nonce: str = Field(alias="once", max_length=LONGEST_NONCE)


router = page_router()


@router.get("/requests/new")
async def form(
    request: Request, context: ContextHere, caller: CallerHere, shown: Annotated[Shown, Query()]
) -> Response:
    """Where one asks; what is in the address is filled in. Of a device that is named it says who would have to agree,
    or which there are that are named alike.
    """
    typed = _fields(request, shown)
    devices = [one.device for one in await devices_of(context, caller, shown.device, shown.after, PER_PAGE)]
    found, problem = None, ""
    if shown.device:
        try:
            found = await approvers_of(context, caller, _question(caller, typed))
        except BadQuestion as error:
            problem = str(error)
    return page(
        request,
        "new",
        typed=typed,
        protocols=list(ConnectionProtocol),
        found=found,
        problem=problem,
        devices=devices,
        next_after=devices[-1] if len(devices) == PER_PAGE else "",
    )


@router.get("/requests/new/devices")
async def devices(
    context: ContextHere, caller: CallerHere, query: Annotated[str, Query(max_length=LONGEST_ID)] = ""
) -> Response:
    """The devices that the reader may ask for, as a list of ids: for the script of the page."""
    return JSONResponse([one.device for one in await devices_of(context, caller, query, "", PER_PAGE)])


@router.post("/requests/new")
async def ask(request: Request, context: ContextHere, caller: CallerHere, sent: Annotated[Sent, Form()]) -> Response:
    """Ask for the reader, and lead to the request."""
    question = _question(caller, _fields(request, sent))
    asked = await context.engine.ask(question, caller.principal, call_id(caller, sent.nonce))
    return to_request(asked.approval_id)


def _fields(request: Request, typed: Shown | Sent) -> dict[str, str]:
    """What was typed, by the names of a question's fields; the source address defaults to where the page is open.

    A gate, or an RDP file, lets them in only from that address. A form for more time leaves it empty, which means the
    address of the grant.
    """
    address = typed.source_address
    if address is None:
        address = "" if typed.renew else _address(request)
    return typed.model_dump(exclude={"after", "nonce"}) | {"source_address": address}


def _address(request: Request) -> str:
    """The address where the page is open; "" if a proxy names none."""
    try:
        return canonical_address(address_of(request))
    except ValueError:
        return ""


def _question(caller: Caller, typed: Mapping[str, str]) -> ConnectionQuestion:
    """The reader's question, as it was typed. Raises BadQuestion."""
    said = {name: value for name, value in typed.items() if value or name not in ("minutes", "renew")}
    return read_of(CONNECTION, {"requester": caller.name, **said})
