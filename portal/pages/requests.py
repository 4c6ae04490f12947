"""The pages of requests: what waits for me, what I asked for, and one request with what I may do about it."""

import hashlib
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from countersign.models import LONGEST_COMMENT, LONGEST_REASON, Status, Verdict
from countersign.redaction import redacted_event
from countersign.views import RequestView
from portal.api.answers import CHANNEL, Deciding, decided, may_try, pass_on
from portal.api.requests import LONGEST_TIMELINE, ApprovalId, seen
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere
from portal.pages.cards import Card
from portal.pages.render import page
from portal.pages.route import page_router
from store.listing import NO_NUMBER, Wanted

PER_PAGE = 25
Nonce = Annotated[str, Form(max_length=40)]
Text = Annotated[str, Form(max_length=LONGEST_REASON)]

router = page_router()


@router.get("/")
async def start() -> Response:
    """Lead to what waits for the reader."""
    return RedirectResponse("/approvals", HTTPStatus.SEE_OTHER)


@router.get("/approvals")
async def approvals(request: Request, context: ContextHere, caller: CallerHere) -> Response:
    """What waits for the reader, the most urgent first, and what they were asked about before."""
    version = await _version(context)
    waiting = await context.run(context.store.reading.waiting_for, caller.name)
    wanted = Wanted(approver=caller.name, limit=PER_PAGE)
    asked, _ = await context.run(context.store.reading.page, wanted)
    mine = sorted(waiting, key=lambda one: one.deadline)
    done = [one for one in asked if one.approval_id not in {each.approval_id for each in mine}]
    return page(
        request, "approvals", live="approvals", version=version, waiting=_cards(caller, mine), done=_cards(caller, done)
    )


@router.get("/approvals/all")
async def everything(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    status: Status | Literal[""] = "",
    before: Annotated[int, Query(ge=1, le=NO_NUMBER)] = NO_NUMBER,
) -> Response:
    """All requests that the reader may see, newest first."""
    version = await _version(context)
    wanted = Wanted(status or None, visibility=caller.visibility, before=before, limit=PER_PAGE)
    found, goes_on = await context.run(context.store.reading.page, wanted)
    return page(
        request,
        "all",
        live="all",
        version=version,
        first=before == NO_NUMBER,
        cards=_cards(caller, found),
        status=status,
        goes_on=goes_on,
        statuses=list(Status),
    )


@router.get("/requests")
async def mine(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    before: Annotated[int, Query(ge=1, le=NO_NUMBER)] = NO_NUMBER,
) -> Response:
    """What the reader asked for, or others for them, newest first."""
    version = await _version(context)
    wanted = Wanted(requester=caller.name, before=before, limit=PER_PAGE)
    found, goes_on = await context.run(context.store.reading.page, wanted)
    return page(
        request,
        "mine",
        live="mine",
        version=version,
        first=before == NO_NUMBER,
        cards=_cards(caller, found),
        goes_on=goes_on,
    )


@router.get("/requests/{approval_id}")
async def one(request: Request, approval_id: ApprovalId, context: ContextHere, caller: CallerHere) -> Response:
    """One request: what is asked, its levels, what happened, and what the reader may do."""
    version = await _version(context)
    view = await seen(context, caller, approval_id)
    events = await context.run(context.store.events.of, approval_id, 0, LONGEST_TIMELINE)
    named = await context.run(context.store.reading.named, events)
    return page(
        request,
        "request",
        live=f"request {approval_id}",
        version=version,
        card=Card(view, caller.principal),
        events=[redacted_event(one) for one in named],
    )


@router.post("/requests/{approval_id}/answer")
async def answer(
    approval_id: ApprovalId,
    context: ContextHere,
    caller: CallerHere,
    once: Nonce,
    verdict: Annotated[Verdict, Form()],
    level: Annotated[int, Form(ge=1, le=1000)],
    comment: Annotated[str, Form(max_length=LONGEST_COMMENT)] = "",
) -> Response:
    """Approve or reject."""
    given = Deciding(verdict=verdict, comment=comment, level=level)
    view = await may_try(context, caller, approval_id, given)
    await decided(context, caller, view, given, f"{once}.{verdict}.{_digest(comment)}")
    return to_request(approval_id)


@router.post("/requests/{approval_id}/comment")
async def comment(
    approval_id: ApprovalId,
    context: ContextHere,
    caller: CallerHere,
    once: Nonce,
    text: Annotated[str, Form(min_length=1, max_length=LONGEST_COMMENT)],
) -> Response:
    """Have what the reader writes passed on: to the requester, or to those who are asked."""
    view = await seen(context, caller, approval_id)
    await pass_on(context, caller, view, text, call_id(caller, once))
    return to_request(approval_id)


@router.post("/requests/{approval_id}/cancel")
async def cancel(
    approval_id: ApprovalId, context: ContextHere, caller: CallerHere, once: Nonce, reason: Text = ""
) -> Response:
    """Withdraw a request that waits."""
    await seen(context, caller, approval_id)
    await context.engine.cancel(approval_id, caller.name, CHANNEL, reason, caller.is_admin, call_id(caller, once))
    return to_request(approval_id)


@router.post("/requests/{approval_id}/revoke")
async def revoke(
    approval_id: ApprovalId, context: ContextHere, caller: CallerHere, once: Nonce, reason: Text = ""
) -> Response:
    """End a grant early, as an approver or admin."""
    await seen(context, caller, approval_id)
    await context.engine.revoke(approval_id, caller.name, CHANNEL, reason, caller.is_admin, call_id(caller, once))
    return to_request(approval_id)


@router.post("/requests/{approval_id}/give-back")
async def give_back(
    approval_id: ApprovalId, context: ContextHere, caller: CallerHere, once: Nonce, reason: Text = ""
) -> Response:
    """End a grant early that isn't needed any more, as its requester."""
    await seen(context, caller, approval_id)
    await context.engine.give_back(approval_id, caller.name, CHANNEL, reason, call_id(caller, once))
    return to_request(approval_id)


async def _version(context: Context) -> int:
    """From which version on the page has to be told of changes; read before what it shows."""
    return await context.run(context.store.events.last_version)


def _cards(caller: Caller, views: Sequence[RequestView]) -> list[Card]:
    return [Card(view, caller.principal) for view in views]


def to_request(approval_id: int) -> Response:
    """Lead to the page of a request."""
    return RedirectResponse(f"/requests/{approval_id}", HTTPStatus.SEE_OTHER)


def call_id(caller: Caller, once: str) -> str:
    """The id of a call that one form makes, however often it is sent."""
    return _digest(f"{caller.credential.id}.{once}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
