"""The live stream: what has changed on the requests that a reader may see, as server-sent events.

The feed is read once for all readers, and so is each request that changed: one more reader costs no query.
Source of the format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from countersign.errors import CountersignError, NotAllowed
from countersign.models import LONGEST_ID, Status
from countersign.views import AuditEventView
from portal import auth
from portal.api.requests import LARGEST
from portal.auth import Caller, CallerHere
from portal.changes import Changed
from portal.context import Context, ContextHere
from portal.pages.cards import Card
from portal.pages.render import part
from portal.pages.route import page_router

# How long the stream may be silent: proxies end a connection that is silent for a minute.
BEAT_SECONDS = 20.0
EVENTS_AT_ONCE = 200
RETRY_MS = 2000
LONGEST_VERSION = len(str(LARGEST))
OTHER_READER = "Somebody else has signed in with this browser; open the page again."
# Events that may change somebody's rights.
RIGHTS = {"policy_applied", "signed_out"}

router = page_router()


@router.get("/live")
async def live(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    after: Annotated[int, Query(ge=0, le=LARGEST)],
    reader: Annotated[str, Query(max_length=LONGEST_ID)] = "",
    last_event_id: Annotated[str, Header(max_length=LONGEST_VERSION)] = "",
) -> Response:
    """What changed after a version, and then what changes, until the session ends; `id` is the version to go on from.

    Event `request`: its `id`, `line` and `card` as lists show it, and what filters it is `found_by`; `card` is empty
    where the reader isn't asked.
    Event `device`: the id of a registered device that something happened to, for admins.
    Event `stale`: so much has happened that the page has to be read again.
    Raises NotAllowed where the page was shown to another `reader`: somebody else has signed in with this browser since.
    """
    if reader not in ("", caller.name):
        raise NotAllowed(OTHER_READER)
    version = int(last_event_id) if last_event_id.isdecimal() and int(last_event_id) <= LARGEST else after
    cookie = request.cookies.get(context.site.session_cookie, "")
    stream = _stream(context, caller, cookie, version)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _stream(context: Context, caller: Caller, cookie: str, version: int) -> AsyncIterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    # A CountersignError ends the stream, and the browser opens another one after RETRY_MS.
    with suppress(CountersignError), context.streams.one(caller.credential.id):
        while (found := await _next(context, caller, version)) is not None:
            events, version = found
            if events is None:
                yield f"event: stale\nid: {version}\ndata: \n\n"
                continue
            if not events:
                yield f"id: {version}\ndata: \n\n"
            if any(event.kind in RIGHTS for event in events):
                again = await context.run(auth.by_session, context.store, cookie)
                if again is None:
                    return
                caller = again
            for event in _last_of_each(events):
                if event.approval_id is None:
                    yield f"event: device\nid: {event.version}\ndata: {json.dumps(_about(event))}\n\n"
                    continue
                changed = await context.changes.after(event)
                if caller.visibility.sees(changed.request):
                    yield f"event: request\nid: {event.version}\ndata: {json.dumps(_shown(caller, changed))}\n\n"


async def _next(context: Context, caller: Caller, version: int) -> tuple[Sequence[AuditEventView] | None, int] | None:
    """The next events (None if they are too many), and the version after them; None if the stream is over."""
    if context.feed.closed or caller.ends_at <= datetime.now(UTC):
        return None

    async def look() -> tuple[Sequence[AuditEventView] | None, int]:
        kept = context.feed.after(version, caller.visibility, EVENTS_AT_ONCE, RIGHTS)
        if kept is None and await context.feed.will_reach(version):
            return [], version  # the page already shows what the feed has yet to read
        return (None, context.feed.read_through) if kept is None else kept

    return await context.feed.first(look, lambda found: found[0] is None or bool(found[0]), BEAT_SECONDS)


def _last_of_each(events: Sequence[AuditEventView]) -> list[AuditEventView]:
    """The last event of each request and of each registered device, in their order."""
    last = {about: event for event in events if (about := _about(event))}
    return sorted(last.values(), key=lambda event: event.version)


def _about(event: AuditEventView) -> int | str:
    """The request that an event is about, or the registered device; empty for neither."""
    return event.approval_id or event.proof.get("device", "")


def _shown(caller: Caller, changed: Changed) -> dict[str, object]:
    card = Card(changed.request, caller.principal)
    asks = changed.request.status is Status.WAITING and "approve" in card.may
    return {
        "id": changed.request.approval_id,
        "found_by": changed.found_by,
        "line": changed.line(card.bulk_action, partial(part, "line", card)),
        "card": part("card", card) if asks else "",
    }
