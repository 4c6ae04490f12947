"""The page on which admins search the record, and export it."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, Form, Query, Request, Response
from pydantic import BeforeValidator

from countersign.models import PlainText
from countersign.redaction import redacted_event
from portal.api.audit import Format, Moment, exported
from portal.api.requests import LARGEST
from portal.auth import CallerHere
from portal.context import ContextHere
from portal.pages.lists import person_of
from portal.pages.record import PHRASES
from portal.pages.render import next_page, page
from portal.pages.route import admin_router
from store.audit import WantedEvents
from store.tables import LONGEST_WHO

PER_PAGE = 50
FIELDS = ("person", "device", "request", "kind", "since", "until")


def _typed(value: Any) -> Any:
    """The value of a form field: None if it is empty, and without the # of `#1042`."""
    return value.strip().removeprefix("#") or None if isinstance(value, str) else value


Text = Annotated[PlainText, Query(max_length=LONGEST_WHO)]
Number = Annotated[int | None, Query(ge=1, le=LARGEST), BeforeValidator(_typed)]
When = Annotated[Moment | None, Query(), BeforeValidator(_typed)]

router = admin_router()


async def _wanted(
    context: ContextHere,
    person: Text = "",
    device: Text = "",
    number: Annotated[Number, Query(alias="request")] = None,
    kind: Text = "",
    since: When = None,
    until: When = None,
) -> WantedEvents:
    policy = await context.run(context.store.reading.policy)
    who = person_of(policy, person.strip()) if person.strip() else ""
    return WantedEvents(who, device.strip().lower(), number, kind, since, until)


WantedHere = Annotated[WantedEvents, Depends(_wanted)]


@router.get("/audit")
async def search(
    request: Request,
    context: ContextHere,
    wanted: WantedHere,
    before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
) -> Response:
    """What happened, newest first, by person, device, request, kind and time."""
    wanted = replace(wanted, before=before, limit=PER_PAGE)
    found, goes_on = await context.run(context.store.audit.page, wanted)
    typed = {name: request.query_params.get(name, "") for name in FIELDS}
    return page(
        request,
        "audit",
        events=[redacted_event(event) for event in found],
        typed=typed,
        query=request.url.remove_query_params("before").query,
        is_narrowed=any(typed.values()),
        by_request=bool(wanted.device or wanted.approval_id),
        kinds={kind: phrase.format("a request").capitalize() for kind, phrase in PHRASES.items()},
        next_page=next_page(request, goes_on),
        is_partial=goes_on is not None and len(found) < PER_PAGE,
    )


@router.post("/audit/export")
async def export(
    context: ContextHere, caller: CallerHere, wanted: WantedHere, format: Annotated[Format, Form()] = "csv"
) -> Response:
    """All that is found, as a file; the filters stand in the address, as those of the page."""
    return await exported(context, caller, wanted, format)
