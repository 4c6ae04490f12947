"""The record for admins: searched in pages, and exported as CSV or JSON Lines."""

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator

from countersign.errors import NotAllowed
from countersign.models import PlainText
from countersign.redaction import redacted_event
from countersign.views import AuditEventView
from portal.api.problems import described
from portal.api.requests import LARGEST, LINKED
from portal.api.routes import lead_on, token_router
from portal.auth import Caller, CallerHere, person_now
from portal.context import Context, ContextHere
from store.audit import LONGEST_PAGE, WantedEvents
from store.tables import LONGEST_WHO

# Rows that are read from the database at once for an export.
PART = LONGEST_PAGE
COLUMNS = ("version", "at", "approval_id", "kind", "who", "name", "channel", "detail", "proof")
# A spreadsheet takes a cell that begins with one of these for a formula:
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
NO_ADMIN = "You are no longer an admin, so the export ends here."

Format = Literal["csv", "jsonl"]


def _in_utc(at: datetime) -> datetime:
    """A time in UTC, which is also meant if it has no zone."""
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        raise ValueError("is not a possible time in UTC; use another year") from None


Moment = Annotated[datetime, AfterValidator(_in_utc)]
Name = Annotated[PlainText, Query(max_length=LONGEST_WHO)]
router = token_router("audit")


def _wanted(
    person: Annotated[Name, Query(description="Only what this person, `gateway:<name>` or program did.")] = "",
    device: Annotated[Name, Query(description="Only rows about requests for this device.")] = "",
    request: Annotated[int | None, Query(ge=1, le=LARGEST, description="Only rows about this request.")] = None,
    kind: Annotated[Name, Query(description="Only rows of this kind, such as `answer_refused`.")] = "",
    since: Annotated[Moment | None, Query(description="Only what happened then or later; in UTC by default.")] = None,
    until: Annotated[Moment | None, Query(description="Only what happened before; in UTC by default.")] = None,
) -> WantedEvents:
    return WantedEvents(person, device, request, kind, since, until)


WantedHere = Annotated[WantedEvents, Depends(_wanted)]


@router.get("/audit", responses={200: {"headers": LINKED}, **described(HTTPStatus.FORBIDDEN)})
async def search(
    http: Request,
    response: Response,
    context: ContextHere,
    caller: CallerHere,
    wanted: WantedHere,
    before: Annotated[
        int | None, Query(ge=1, le=LARGEST, description="Only rows after the one with this version.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = 50,
) -> list[AuditEventView]:
    """A page of the record, newest first; for a request or a device, the newest request first. For admins.

    If there may be more, the header `Link` leads to the next page. A page may be shorter than `limit`, or empty, and
    still have a next one: each call searches only a limited number of rows.
    """
    caller.must_be_admin()
    page, goes_on = await context.run(context.store.audit.page, replace(wanted, before=before, limit=limit))
    if goes_on is not None:
        lead_on(http, response, before=goes_on)
    return [redacted_event(event) for event in page]


@router.get(
    "/audit/export",
    response_class=StreamingResponse,
    responses={
        200: {"content": {one: {"schema": {"type": "string"}} for one in ("text/csv", "application/jsonl")}},
        **described(HTTPStatus.FORBIDDEN),
    },
)
async def export(
    context: ContextHere, caller: CallerHere, wanted: WantedHere, format: Format = "jsonl"
) -> StreamingResponse:
    """All matching rows of the record, as CSV or JSON Lines. The export itself is recorded. For admins.

    CSV cells that a spreadsheet would take for formulas begin with an apostrophe.
    """
    return await exported(context, caller, wanted, format)


async def exported(context: Context, caller: Caller, wanted: WantedEvents, form: Format) -> StreamingResponse:
    """The file, read and sent in parts; who exports it is recorded first. Raises NotAllowed."""
    narrowed = {name: str(value) for name, value in asdict(wanted).items() if value and name != "limit"}
    detail = f"as {form}" + "".join(f", {name} {value}" for name, value in narrowed.items())
    last = await context.run(context.engine.audit.record_export, caller.principal, detail, caller.credential.proof)
    headers = {"Content-Disposition": f'attachment; filename="audit.{form}"'}
    parts = _parts(context, caller, replace(wanted, limit=PART), last)
    return StreamingResponse(_written(parts, form), media_type=TYPES[form], headers=headers)


async def _parts(
    context: Context, caller: Caller, wanted: WantedEvents, last: int
) -> AsyncIterator[Sequence[AuditEventView]]:
    """The rows up to a version, a part at a time, as long as the caller is an admin."""
    goes_on: int | None = None
    while True:
        page, goes_on = await context.run(context.store.audit.page, replace(wanted, before=goes_on))
        yield [redacted_event(event) for event in page if event.version <= last]
        if goes_on is None:
            return
        if not (await context.run(person_now, context.store, caller.name, caller.principal.appointed)).admin:
            # This breaks the connection, so that nobody takes the file for complete.
            raise NotAllowed(NO_ADMIN)


async def _written(parts: AsyncIterator[Sequence[AuditEventView]], form: Format) -> AsyncIterator[str]:
    if form == "csv":
        yield _csv([COLUMNS])
    async for events in parts:
        rows = [event.model_dump(mode="json", by_alias=False, include={*COLUMNS}) for event in events]
        if form == "csv":
            yield _csv([[_cell(row[name]) for name in COLUMNS] for row in rows])
        else:
            yield "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def _csv(rows: Sequence[Sequence[object]]) -> str:
    """RFC 4180."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
