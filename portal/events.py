"""What happens, as it happens."""

from typing import Annotated

from fastapi import Query, Request, Response

from countersign.masks import masked_line
from countersign.views import AuditEventView
from portal.auth import CallerHere
from portal.house import HouseHere
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
    house: HouseHere,
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
    start = await house.run(house.store.events.last_version) if after is None else after
    version = start

    async def look() -> list[AuditEventView]:
        nonlocal version
        before = None
        lines: list[AuditEventView] = []
        while not lines and version != before:
            before = version
            lines, version = await house.run(house.store.seen.since, before, caller.visibility, LONGEST_LIST)
        return lines

    lines = await house.feed.first(look, bool, timeout, gone=gone(request))
    response.headers[VERSION_HEADER] = str(version)
    return [masked_line(line) for line in await house.run(house.store.reading.named, lines)]
