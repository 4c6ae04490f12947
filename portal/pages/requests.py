"""The page of one request, and what its reader may do about it there."""

import hashlib
from typing import Annotated

from fastapi import Form, Request, Response

from countersign.error_codes import ErrorCode
from countersign.models import LONGEST_COMMENT, LONGEST_REASON, PlainText, Verdict
from countersign.notifications import PassedOn, ProposedAnswer
from countersign.permissions import why_never
from countersign.redaction import redacted_event
from engine.record import PORTAL
from portal.api.answers import Deciding, decided, may_try, pass_on
from portal.api.notifications import NotificationId, text_of
from portal.api.rdp import HandedOut
from portal.api.requests import LONGEST_TIMELINE, ApprovalId, visible_request
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere
from portal.pages.cards import Card
from portal.pages.passkeys import to_confirm
from portal.pages.render import page, redirect_to
from portal.pages.route import page_router

LONGEST_NONCE = 40
Nonce = Annotated[str, Form(alias="once", max_length=LONGEST_NONCE)]
Text = Annotated[PlainText, Form(max_length=LONGEST_REASON)]

router = page_router()


@router.get("/requests/{approval_id}")
async def one(request: Request, approval_id: ApprovalId, context: ContextHere, caller: CallerHere) -> Response:
    """One request: what is asked, its levels, what happened, and what the reader may do."""
    version = await version_of(context)
    view = await visible_request(context, caller, approval_id)
    events = await context.run(context.store.events.of, approval_id, 0, LONGEST_TIMELINE)
    named = await context.run(context.store.reading.named, events)
    return page(
        request,
        "request",
        live=f"request {approval_id}",
        version=version,
        card=Card(view, caller.principal),
        events=[redacted_event(one) for one in named],
        notifications=await context.run(context.engine.sent.of, approval_id),
    )


@router.get("/requests/{approval_id}/notifications/{notification_id}")
async def notification(
    request: Request,
    approval_id: ApprovalId,
    notification_id: NotificationId,
    context: ContextHere,
    caller: CallerHere,
) -> Response:
    """One notification about a request, and what it said."""
    found = await text_of(context, caller, approval_id, notification_id)
    return page(request, "notification", found=found, approval_id=approval_id)


@router.post("/requests/{approval_id}/answer")
async def answer(
    approval_id: ApprovalId,
    context: ContextHere,
    caller: CallerHere,
    nonce: Nonce,
    verdict: Annotated[Verdict, Form()],
    level: Annotated[int, Form(ge=1, le=1000)],
    comment: Annotated[str, Form(max_length=LONGEST_COMMENT)] = "",
) -> Response:
    """Approve or reject."""
    deciding = Deciding(verdict=verdict, comment=comment, level=level)
    view = await may_try(context, caller, approval_id, deciding)
    proposed = ProposedAnswer(
        level=level, verdict=verdict, channel=PORTAL, comment=comment, signed_in=True, confirmed=caller.has_confirmed
    )
    why = why_never(caller.principal, approval_id, view, proposed)
    if why and why.code == ErrorCode.CONFIRMATION_NEEDED:
        return to_confirm(f"/requests/{approval_id}")
    await decided(context, caller, view, deciding, f"{nonce}.{verdict}.{_digest(comment)}")
    return to_request(approval_id)


@router.post("/requests/{approval_id}/comment")
async def comment(
    approval_id: ApprovalId,
    context: ContextHere,
    caller: CallerHere,
    nonce: Nonce,
    text: Annotated[PassedOn, Form()],
) -> Response:
    """Have what the reader writes passed on: to the requester, or to those who are asked."""
    view = await visible_request(context, caller, approval_id)
    await pass_on(context, caller, view, text, call_id(caller, nonce))
    return to_request(approval_id)


@router.post("/requests/{approval_id}/cancel")
async def cancel(
    approval_id: ApprovalId, context: ContextHere, caller: CallerHere, nonce: Nonce, reason: Text = ""
) -> Response:
    """Withdraw a request that waits."""
    await visible_request(context, caller, approval_id)
    await context.engine.cancel(approval_id, caller.principal, PORTAL, reason, call_id(caller, nonce))
    return to_request(approval_id)


@router.post("/requests/{approval_id}/revoke")
async def revoke(
    approval_id: ApprovalId, context: ContextHere, caller: CallerHere, nonce: Nonce, reason: Text = ""
) -> Response:
    """End a grant early, as an approver or admin."""
    await visible_request(context, caller, approval_id)
    await context.engine.revoke(approval_id, caller.principal, PORTAL, reason, call_id(caller, nonce))
    return to_request(approval_id)


@router.post("/requests/{approval_id}/give-back")
async def give_back(
    approval_id: ApprovalId, context: ContextHere, caller: CallerHere, nonce: Nonce, reason: Text = ""
) -> Response:
    """End a grant early that isn't needed any more, as its requester."""
    await visible_request(context, caller, approval_id)
    await context.engine.give_back(approval_id, caller.principal, PORTAL, reason, call_id(caller, nonce))
    return to_request(approval_id)


@router.post("/requests/{approval_id}/rdp-file")
async def rdp_file(handed_out: HandedOut) -> Response:
    """The file for one RDP connection of its requester, through the gate."""
    return handed_out


async def version_of(context: Context) -> int:
    """The version after which a page has to get changes; to be read before what the page shows."""
    return await context.run(context.store.events.last_version)


def to_request(approval_id: int) -> Response:
    """Lead to the page of a request."""
    return redirect_to(f"/requests/{approval_id}")


def call_id(caller: Caller, nonce: str) -> str:
    """The id of a call that one form makes, however often it is sent."""
    return _digest(f"{caller.credential.id}.{nonce}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
