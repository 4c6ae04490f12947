"""Requests over HTTP: ask, list, read, wait."""

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Union

from fastapi import Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field, TypeAdapter, create_model

from countersign.errors import Delayed, message_of, no_request
from countersign.grant_reuse import address_asked_for, is_yes, must_be_for
from countersign.kinds import KINDS, kind_named, kind_of
from countersign.kinds.kind import SubjectKind
from countersign.models import Asked, GrantStatus, Id, PlainText, Question, Status
from countersign.redaction import redacted_event
from countersign.views import AuditEventView, DelayedView, RequestView
from portal.api.idempotency import Body, IdempotencyHere
from portal.api.paging import LONGEST_LIST
from portal.api.problems import described
from portal.api.routes import WITH_BODY, disconnected, lead_on, token_router
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere
from store.filters import LONGEST_TEXT, Filters
from store.listing import NO_NUMBER, Wanted

LONGEST_WAIT_SECONDS = 60
# The largest number that every JSON reader keeps exactly (RFC 8259, section 6).
LARGEST = 2**53 - 1
LONGEST_TIMELINE = 500
LINKED = {
    "Link": {"description": 'The next page, with `rel="next"`, if there may be one.', "schema": {"type": "string"}}
}

router = token_router("requests")

ApprovalId = Annotated[int, Path(ge=1, le=LARGEST, description="The request's number, without #.")]
Seconds = Annotated[
    float, Query(ge=0, le=LONGEST_WAIT_SECONDS, description="How long to wait for something new, in seconds.")
]


WHO_ASKS = "who it is for; without it, the person whose token this is"


def _asking(kind: SubjectKind[Any]) -> type[Question]:
    """The body that asks for this kind; a person who leaves the requester out asks for themselves."""
    name = "Asking" if kind is kind_named(None) else f"Asking{kind.name.title()}"
    requester = (Id, Field(default="", description=WHO_ASKS))
    return create_model(name, __base__=kind.question, __doc__="A question.", requester=requester)


if TYPE_CHECKING:
    Asking = Question
else:
    Asking = Union[tuple(_asking(kind) for kind in KINDS.values() if not kind.asked_by_engine)]  # noqa: UP007 - it is not known how many there are


@router.post(
    "/requests",
    response_model=Asked,
    status_code=HTTPStatus.CREATED,
    responses={
        200: {"model": Asked, "description": "Joined the request that waits, or answered by an active grant."},
        202: {
            "model": DelayedView,
            "description": "Open, but no worker is working on it. Ask again, with the same Idempotency-Key.",
        },
        **described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, *WITH_BODY),
    },
)
async def ask(body: Asking, context: ContextHere, caller: CallerHere, idempotency: IdempotencyHere) -> JSONResponse:
    """Ask for something, such as whether a requester may connect to a device.

    201: a request was opened; see its `status`, as it may be approved already. 200: one was open, or a grant lasts, and
    `grant` says until when. 202: it is open, and goes on once a worker is back. 409: refused; `detail` says why.
    """
    question = _question(body, caller)
    return await idempotency(
        lambda request_id: _ask(context, caller, question, request_id),
        lambda body: _as_it_is(context, caller, question, body),
    )


def _question(body: Question, caller: Caller) -> Question:
    requester = body.requester or (caller.name if caller.is_person else "")
    if not requester:
        raise RequestValidationError([{"type": "missing", "loc": ("body", "requester")}])
    question: Question = kind_of(body).question.model_validate(body.model_dump() | {"requester": requester})
    return question


async def _ask(context: Context, caller: Caller, question: Question, request_id: str) -> JSONResponse:
    try:
        asked = await context.engine.ask(question, caller.principal, request_id)
    except Delayed as error:
        number = await context.run(context.store.requests.waiting_for, question)
        later = DelayedView(approval_id=number, message=message_of(error))
        return JSONResponse(later.model_dump(mode="json"), HTTPStatus.ACCEPTED)
    status = HTTPStatus.OK if asked.joined else HTTPStatus.CREATED
    location = {"Location": f"/api/v1/requests/{asked.approval_id}"}
    return JSONResponse(asked.model_dump(mode="json"), status, location)


async def _as_it_is(context: Context, caller: Caller, question: Question, body: Body) -> Body:
    """The reply to a question that was asked before, with the request and its grant as they are now (rule 8)."""
    view = await visible_request(context, caller, body["approval_id"])
    if view.grant is not None and is_yes(view.grant, datetime.now(UTC)):
        must_be_for(view.grant, address_asked_for(question, view.question.source_address))
    now = {"status": view.status, "grant": view.grant, "words": _message(view, body)}
    return {**body, **TypeAdapter(Body).dump_python(now, mode="json")}


def _message(view: RequestView, body: Body) -> str:
    if view.grant is not None and view.grant.status is not GrantStatus.ACTIVE:
        return view.grant.message
    message: str = body["words"] if view.status == body["status"] else view.message
    return message


def _filters(
    person: Annotated[Id | None, Query(description="Only those that this person made or was asked about.")] = None,
    device: Annotated[Id | None, Query(description="Only those for this device.")] = None,
    user_group: Annotated[Id | None, Query(description="Only those of current members of this group.")] = None,
    device_group: Annotated[Id | None, Query(description="Only those for devices now in this group.")] = None,
    text: Annotated[
        PlainText,
        Query(
            max_length=LONGEST_TEXT,
            description="Only those whose reason, ticket, device or requester contains this, whatever its case.",
        ),
    ] = "",
) -> Filters:
    return Filters(person or "", device or "", user_group or "", device_group or "", text)


@router.get("/requests", response_model=list[RequestView], responses={200: {"headers": LINKED}})
async def newest(
    request: Request,
    response: Response,
    context: ContextHere,
    caller: CallerHere,
    status: Status | None = None,
    requester: Annotated[Id | None, Query(description="Only those that this person made.")] = None,
    approver: Annotated[Id | None, Query(description="Only those that this person was asked about.")] = None,
    active_grant: Annotated[bool, Query(description="Only those whose grant is Active.")] = False,
    *,
    filters: Annotated[Filters, Depends(_filters)],
    before: Annotated[int, Query(ge=1, le=NO_NUMBER, description="Only those with a lower number.")] = NO_NUMBER,
    limit: Annotated[int, Query(ge=1, le=LONGEST_LIST)] = 50,
) -> list[RequestView]:
    """A page of the requests that you may see, newest first.

    If there may be more, the header `Link` leads to the next page. A page may be shorter than `limit`, or empty, and
    still have a next one: it holds 100 requests at most, and each call searches only a limited number.
    """
    wanted = Wanted(status, requester or "", approver or "", caller.visibility, before, limit, filters, active_grant)
    page, goes_on = await context.run(context.store.reading.page, wanted)
    if goes_on is not None:
        lead_on(request, response, before=goes_on)
    return page


@router.get("/approvals", responses={200: {"headers": LINKED}, **described(HTTPStatus.FORBIDDEN)})
async def approvals(
    request: Request,
    response: Response,
    context: ContextHere,
    caller: CallerHere,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="Only those after the one with this number.")] = 0,
    limit: Annotated[int, Query(ge=1, le=LONGEST_LIST)] = 50,
) -> list[RequestView]:
    """A page of the requests that wait for your answer, the most urgent first. For people.

    If there are more, the header `Link` leads to the next page. A page holds 100 requests at most.
    """
    person = caller.must_be_person()
    page, goes_on = await context.run(context.store.reading.waiting_for, person, after, limit)
    if goes_on is not None:
        lead_on(request, response, after=goes_on)
    return page


@router.get("/requests/{approval_id}", responses=described(HTTPStatus.NOT_FOUND))
async def one(approval_id: ApprovalId, context: ContextHere, caller: CallerHere) -> RequestView:
    """One request as it is now."""
    return await visible_request(context, caller, approval_id)


@router.get("/requests/{approval_id}/timeline", responses={200: {"headers": LINKED}, **described(HTTPStatus.NOT_FOUND)})
async def timeline(
    request: Request,
    response: Response,
    approval_id: ApprovalId,
    context: ContextHere,
    caller: CallerHere,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="Only what came after this version.")] = 0,
    limit: Annotated[int, Query(ge=1, le=LONGEST_TIMELINE)] = LONGEST_TIMELINE,
) -> list[AuditEventView]:
    """What happened to a request, oldest first: who, when, by which channel, on what proof.

    If there may be more, the header `Link` leads to the next page.
    """
    await visible_request(context, caller, approval_id)
    page = await context.run(context.store.events.of, approval_id, after, limit)
    if len(page) == limit:
        lead_on(request, response, after=page[-1].version)
    return [redacted_event(event) for event in await context.run(context.store.reading.named, page)]


@router.get("/requests/{approval_id}/wait", responses=described(HTTPStatus.NOT_FOUND))
async def wait(
    request: Request,
    approval_id: ApprovalId,
    context: ContextHere,
    caller: CallerHere,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="The version that you already have.")] = 0,
    timeout: Seconds = 30,  # noqa: ASYNC109 - the name in the URL
) -> RequestView:
    """The request as soon as its `version` is higher than `after`, or as it is after `timeout` seconds.

    The end of its grant also increases the version.
    """

    async def shared() -> RequestView:
        read = partial(context.run, context.store.reading.request, approval_id)
        return _must_see(caller, await context.feed.shared(approval_id, read))

    return await context.feed.first(
        lambda: visible_request(context, caller, approval_id),
        lambda view: view.version > after,
        timeout,
        about=approval_id,
        disconnected=disconnected(request),
        again=shared,
    )


async def visible_request(context: Context, caller: Caller, approval_id: int) -> RequestView:
    """A request that this caller may see. A hidden one raises the same NotFound as one that does not exist."""
    return _must_see(caller, await context.run(context.store.reading.request, approval_id))


def _must_see(caller: Caller, view: RequestView) -> RequestView:
    if not caller.visibility.sees(view):
        raise no_request(view.approval_id)
    return view
