"""What people do about a request: decide, comment, cancel, revoke, give back."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi.responses import JSONResponse
from pydantic import Field

from countersign.errors import NotAllowed, NotFound, Unavailable, refused_with
from countersign.models import LONGEST_COMMENT, LONGEST_REASON, NO_BOOL, Judgement, Model, PlainText, Verdict
from countersign.notifications import PassedOn, SubmittedAnswer, SubmittedComment
from countersign.views import RequestView
from engine.record import PORTAL
from portal.api.idempotency import Body, IdempotencyHere
from portal.api.problems import described
from portal.api.requests import ApprovalId, visible_request
from portal.api.routes import WITH_BODY, token_router
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere

STORED = "Your answer is stored; it will be judged as soon as a worker is back."
ABOUT_REQUEST = described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, *WITH_BODY)

router = token_router("answers")


class Deciding(Model):
    """An answer to a request."""

    verdict: Verdict
    comment: PlainText = Field(default="", max_length=LONGEST_COMMENT)
    level: Annotated[int | None, NO_BOOL] = Field(
        default=None, ge=1, le=1000, description="the level that you saw; without it, the current one"
    )


class UndoReason(Model):
    """Why something is undone."""

    reason: PlainText = Field(default="", max_length=LONGEST_REASON, alias="words")


class Comment(Model):
    """What somebody writes about a request for others to read."""

    text: PassedOn = Field(alias="words")


@router.post(
    "/requests/{approval_id}/decide",
    response_model=Judgement,
    responses={
        202: {
            "model": Judgement,
            "description": "Stored; it will be judged. Repeat the call with the same Idempotency-Key for the result.",
        },
        **ABOUT_REQUEST,
    },
)
async def decide(
    approval_id: ApprovalId, answer: Deciding, context: ContextHere, caller: CallerHere, idempotency: IdempotencyHere
) -> JSONResponse:
    """Approve or reject a request, as the person whose token this is. 409: it did not count; `detail` says why."""
    view = await may_try(context, caller, approval_id, answer)

    async def as_it_is(body: Body) -> Body:
        return {**body, "status": (await visible_request(context, caller, approval_id)).status}

    async def submit(source_id: str) -> JSONResponse:
        judgement = await decided(context, caller, view, answer, source_id)
        status = HTTPStatus.OK if judgement.accepted else HTTPStatus.ACCEPTED
        return JSONResponse(judgement.model_dump(mode="json"), status)

    return await idempotency(submit, as_it_is)


async def may_try(context: Context, caller: Caller, approval_id: int, answer: Deciding) -> RequestView:
    """The request that a person answers; records an attempt by somebody who may not. Raises NotAllowed, NotFound."""
    try:
        caller.must_be_person()
        return await visible_request(context, caller, approval_id)
    except (NotAllowed, NotFound) as error:
        proof = {**caller.credential.proof, "verdict": answer.verdict.value, "request": str(approval_id)}
        await context.run(context.engine.audit.record_attempt, caller.name, str(error), proof)
        raise


async def decided(context: Context, caller: Caller, view: RequestView, answer: Deciding, source_id: str) -> Judgement:
    """Store an answer, and then have it judged; it is not `accepted` if no worker is there to judge it yet.

    The same `source_id` of the same credential is the same answer, sent again. Raises Refused if it didn't count.
    """
    stored = await context.engine.store_answer(
        SubmittedAnswer(
            channel=PORTAL,
            source_id=f"{caller.credential.id}.{source_id}",
            approval_id=view.approval_id,
            level=answer.level or max(view.level, 1),
            person=caller.name,
            verdict=answer.verdict,
            comment=answer.comment,
            at=datetime.now(UTC),
            proof=caller.proof,
            signed_in=True,
            confirmed=caller.has_confirmed,
        )
    )
    try:
        judgement = await context.engine.submit(stored)
    except Unavailable:
        return Judgement(accepted=False, message=STORED, status=view.status)
    if not judgement.accepted:
        raise refused_with(judgement.message, judgement.details)
    return judgement


@router.post("/requests/{approval_id}/comments", response_model=RequestView, responses=ABOUT_REQUEST)
async def comment(
    approval_id: ApprovalId, comment: Comment, context: ContextHere, caller: CallerHere, idempotency: IdempotencyHere
) -> JSONResponse:
    """Write to the approvers who have not answered, or, as an approver, to the requester.

    Returns the request as it then is.
    """
    caller.must_be_person()
    view = await visible_request(context, caller, approval_id)

    async def write(source_id: str) -> JSONResponse:
        await pass_on(context, caller, view, comment.text, source_id)
        return JSONResponse(await _view(context, caller, approval_id))

    return await idempotency(write, lambda _: _view(context, caller, approval_id))


async def pass_on(context: Context, caller: Caller, view: RequestView, text: str, source_id: str) -> None:
    """Have what a person writes passed on, once for each `source_id`. Raises NotAllowed, Refused, TooMany."""
    is_requester = caller.name == view.question.requester
    submitted = SubmittedComment(
        channel=PORTAL, source_id=source_id, approval_id=view.approval_id, person=caller.name, text=text
    )
    await (context.engine.comment if is_requester else context.engine.inquire)(submitted)


@router.post("/requests/{approval_id}/cancel", response_model=Judgement, responses=ABOUT_REQUEST)
async def cancel(
    approval_id: ApprovalId, undo: UndoReason, context: ContextHere, caller: CallerHere, idempotency: IdempotencyHere
) -> JSONResponse:
    """Withdraw a request that waits. For its requester, admins, and a gateway that opened it, unless others joined."""
    await visible_request(context, caller, approval_id)

    async def withdraw(undo_id: str) -> JSONResponse:
        done = await context.engine.cancel(approval_id, caller.principal, PORTAL, undo.reason, undo_id)
        return JSONResponse(done.model_dump(mode="json"))

    return await idempotency(withdraw)


@router.post("/requests/{approval_id}/revoke", response_model=RequestView, responses=ABOUT_REQUEST)
async def revoke(
    approval_id: ApprovalId, undo: UndoReason, context: ContextHere, caller: CallerHere, idempotency: IdempotencyHere
) -> JSONResponse:
    """End a grant early. For the approvers of the request, and admins. Returns the request as it then is."""
    caller.must_be_person()
    await visible_request(context, caller, approval_id)

    async def end(undo_id: str) -> JSONResponse:
        await context.engine.revoke(approval_id, caller.principal, PORTAL, undo.reason, undo_id)
        return JSONResponse(await _view(context, caller, approval_id))

    return await idempotency(end, lambda _: _view(context, caller, approval_id))


@router.post("/requests/{approval_id}/give-back", response_model=RequestView, responses=ABOUT_REQUEST)
async def give_back(
    approval_id: ApprovalId, undo: UndoReason, context: ContextHere, caller: CallerHere, idempotency: IdempotencyHere
) -> JSONResponse:
    """End a grant that is no longer needed. For its requester, and a gateway that asked for it.

    Returns the request as it then is.
    """
    await visible_request(context, caller, approval_id)

    async def end(undo_id: str) -> JSONResponse:
        await context.engine.give_back(approval_id, caller.principal, PORTAL, undo.reason, undo_id)
        return JSONResponse(await _view(context, caller, approval_id))

    return await idempotency(end, lambda _: _view(context, caller, approval_id))


async def _view(context: Context, caller: Caller, approval_id: int) -> Body:
    return (await visible_request(context, caller, approval_id)).model_dump(mode="json")
