"""The lists of requests: what waits for me, all that I may see, and what I asked for."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response

from countersign.directory import Policy
from countersign.models import LONGEST_ID, PlainText, Status
from countersign.views import RequestView
from portal.api.requests import LARGEST
from portal.auth import Caller, CallerHere
from portal.context import ContextHere
from portal.pages.cards import Card
from portal.pages.render import next_page, page, redirect_to
from portal.pages.requests import version_of
from portal.pages.route import page_router
from store.filters import LONGEST_TEXT, Filters
from store.listing import MOST_READ, NO_NUMBER, Wanted

PER_PAGE = 25
# On the page of what waits for the reader, who answers it right there.
CARDS_PER_PAGE = 100
Before = Annotated[int, Query(ge=1, le=NO_NUMBER)]
Typed = Annotated[PlainText, Query(max_length=LONGEST_ID)]

router = page_router()


@router.get("/")
async def start() -> Response:
    """Lead to what waits for the reader."""
    return redirect_to("/approvals")


@router.get("/approvals")
async def approvals(
    request: Request, context: ContextHere, caller: CallerHere, after: Annotated[int, Query(ge=0, le=LARGEST)] = 0
) -> Response:
    """What waits for the reader, the most urgent first; on the first page, what they were asked about before, too."""
    version = await version_of(context)
    waiting, goes_on = await context.run(context.store.reading.waiting_for, caller.name, after, CARDS_PER_PAGE)
    asked: list[RequestView] = []
    if not after:
        asked, _ = await context.run(context.store.reading.page, Wanted(approver=caller.name, limit=PER_PAGE))
    done = [one for one in asked if not waits_for(one, caller.name)]
    return page(
        request,
        "approvals",
        live="approvals",
        version=version,
        first=not after,
        waiting=cards(caller, waiting),
        next_page=next_page(request, goes_on, "after"),
        done=cards(caller, done),
        person=caller.name,
    )


def waits_for(view: RequestView, person: str) -> bool:
    """Whether a request waits for somebody's answer."""
    return view.status is Status.WAITING and person in {one.person for one in view.awaited}


def _filters(
    person: Annotated[PlainText, Query(max_length=LONGEST_TEXT)] = "",
    device: Typed = "",
    user_group: Typed = "",
    device_group: Typed = "",
    text: Annotated[PlainText, Query(max_length=LONGEST_TEXT)] = "",
) -> Filters:
    """The filters as they stand in the form, and in the address."""
    device, user_group, device_group = (one.strip().lower() for one in (device, user_group, device_group))
    return Filters(person.strip(), device, user_group, device_group, text.strip())


@router.get("/approvals/all")
async def everything(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    typed: Annotated[Filters, Depends(_filters)],
    status: Status | Literal[""] = "",
    before: Before = NO_NUMBER,
) -> Response:
    """All requests that the reader may see and that pass the filters, newest first."""
    if typed.text.startswith("#") and typed.text[1:].isdecimal():
        return redirect_to(f"/requests/{int(typed.text[1:])}")
    version = await version_of(context)
    policy = await context.run(context.store.reading.policy)
    filters = Filters(**asdict(typed) | {"person": person_of(policy, typed.person)})
    wanted = Wanted(status or None, visibility=caller.visibility, before=before, limit=PER_PAGE, filters=filters)
    found, goes_on = await context.run(context.store.reading.page, wanted)
    narrowed = {name: value for name, value in {"status": status, **asdict(filters)}.items() if value}
    return page(
        request,
        "all",
        live="all",
        version=version,
        first=before == NO_NUMBER,
        cards=cards(caller, found),
        status=status,
        typed=typed,
        narrowed=json.dumps(narrowed),
        is_narrowed=bool(narrowed),
        next_page=next_page(request, goes_on),
        searched=MOST_READ if goes_on and len(found) < PER_PAGE else 0,
        statuses=list(Status),
        policy=policy,
    )


@router.get("/requests")
async def mine(request: Request, context: ContextHere, caller: CallerHere, before: Before = NO_NUMBER) -> Response:
    """What the reader asked for, or others for them, newest first."""
    version = await version_of(context)
    wanted = Wanted(requester=caller.name, before=before, limit=PER_PAGE)
    found, goes_on = await context.run(context.store.reading.page, wanted)
    return page(
        request,
        "mine",
        live="mine",
        version=version,
        first=before == NO_NUMBER,
        cards=cards(caller, found),
        narrowed=json.dumps({"requester": caller.name}),
        next_page=next_page(request, goes_on),
    )


def cards(caller: Caller, views: Sequence[RequestView]) -> list[Card]:
    """Requests as the caller sees them."""
    return [Card(view, caller.principal) for view in views]


def person_of(policy: Policy, typed: str) -> str:
    """The id of the person with this id, name or address; anything else is taken for an id."""
    folded = typed.lower()
    if folded in policy.users:
        return folded
    by_name = (one for one, user in policy.users.items() if user.name.lower() == folded)
    return policy.person_at(typed) or next(by_name, folded)
