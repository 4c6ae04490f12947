"""What happens, as it happens."""

from typing import Annotated

from fastapi import Query, Request, Response

from countersign.redaction import redacted_event
from countersign.views import AuditEventView
from portal.auth import CallerHere
from portal.context import ContextHere
from portal.requests import LARGEST, Seconds
from portal.routes import gone, token_router

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
        int | None, Query(ge=0, le=LARGEST, description="The version to go on from; without it, from now on.")
    ] = None,
    timeout: Seconds = 30,  # noqa: ASYNC109 - the name in the URL
) -> list[AuditEventView]:
    """What happened after a version to requests that you may see, oldest first, as soon as there is something.

    The header `Countersign-Version` is the `after` of the next call, so that nothing is missed or told twice.
    """
    start = await context.run(context.store.events.last_version) if after is None else after
    version = start

    async def look() -> list[AuditEventView]:
        nonlocal version
        before = None
        lines: list[AuditEventView] = []
        while not lines and version != before:
            before = version
            lines, version = await context.run(context.store.seen.since, before, caller.visibility, LONGEST_LIST)
        return lines

    lines = await context.feed.first(look, bool, timeout, gone=gone(request))
    response.headers[VERSION_HEADER] = str(version)
    return [redacted_event(line) for line in await context.run(context.store.reading.named, lines)]
