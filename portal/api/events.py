"""What happens, as it happens."""

from typing import Annotated

from fastapi import Query, Request, Response

from countersign.redaction import redacted_event
from countersign.views import AuditEventView
from portal.api.requests import LARGEST, Seconds
from portal.api.routes import disconnected, token_router
from portal.auth import CallerHere
from portal.context import ContextHere

LONGEST_LIST = 500
VERSION_HEADER = "Countersign-Version"

router = token_router("events")


@router.get(
    "/events",
    responses={
        200: {
            "headers": {VERSION_HEADER: {"description": "The `after` of the next call.", "schema": {"type": "integer"}}}
        }
    },
)
async def events(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    response: Response,
    after: Annotated[
        int | None, Query(ge=0, le=LARGEST, description="Only what happened after this version (default: from now on).")
    ] = None,
    timeout: Seconds = 30,  # noqa: ASYNC109 - the name in the URL
) -> list[AuditEventView]:
    """What happened after a version to requests that you may see, oldest first, as soon as there is something.

    The list may be empty before the time is over, if there is much to search: then call again at once.

    The header `Countersign-Version` is the `after` of the next call, so that no event is missed or sent twice.
    """
    version = await context.run(context.store.events.last_version) if after is None else after
    more = False

    async def read() -> list[AuditEventView]:
        nonlocal version, more
        # A caller who doesn't wait gets what is on record now, and not what the feed read shortly before.
        kept = context.feed.after(version, caller.visibility, LONGEST_LIST) if timeout else None
        if kept is None:
            events, version = await context.run(
                context.store.visible_events.since, version, caller.visibility, LONGEST_LIST
            )
            more = version < context.feed.read_through
            return await context.run(context.store.reading.named, events) if events else []
        events, version = kept
        return events

    found = await context.feed.first(
        read, lambda events: bool(events) or more, timeout, disconnected=disconnected(request)
    )
    response.headers[VERSION_HEADER] = str(version)
    return [redacted_event(event) for event in found]
