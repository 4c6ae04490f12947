"""Makes pages with the templates of `templates/pages`, in which every value is escaped."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from countersign import times
from countersign.durations import duration_parser
from countersign.refused_checks import checks_of
from portal.auth import Caller
from portal.context import Context
from portal.pages import record

STATIC = Path(__file__).parent / "files"
TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "pages"
NONCE_BYTES = 8
# How many entries of a list in the policy are shown at once.
MOST_ENTRIES = 100


def page(request: Request, name: str, answer: HTTPStatus = HTTPStatus.OK, **fields: object) -> HTMLResponse:
    """A page by the name of its template."""
    context: Context = request.app.state.context
    caller: Caller | None = getattr(request.state, "caller", None)
    about = {"site": context.site, "caller": caller, "path": request.url.path, "now": datetime.now(UTC)}
    return HTMLResponse(_environment().get_template(f"{name}.html.j2").render(about | fields), answer)


def secret_page(
    request: Request, title: str, about: str, secrets: Mapping[str, str], back: str, back_to: str
) -> HTMLResponse:
    """The page that shows secrets only this once, by the names of their headers; it leads `back`."""
    return page(request, "secret_made", title=title, about=about, secrets=secrets, back=back, back_to=back_to)


async def long_page(request: Request, name: str, **fields: Any) -> HTMLResponse:
    """A page that may have thousands of lines: others don't wait while it is made."""
    context: Context = request.app.state.context
    return await context.work(partial(page, request, name, **fields))


def redirect_to(address: str) -> RedirectResponse:
    """Lead to another page, also after a form."""
    return RedirectResponse(address, HTTPStatus.SEE_OTHER)


def part(name: str, card: object) -> str:
    """One part of a page, a macro of `parts.html.j2`, for a reader who has the rest."""
    macro = getattr(_environment().get_template("parts.html.j2").module, name)
    return str(macro(card, datetime.now(UTC)))


def next_page(request: Request, goes_on: int | str | None, place: str = "before") -> str:
    """The query of a list's next page, with `goes_on` as its parameter `place`; empty if there is none."""
    return request.url.include_query_params(**{place: goes_on}).query if goes_on else ""


def nonce() -> str:
    """A value that is different in each form, so that a form that is sent twice counts once."""
    return secrets.token_hex(NONCE_BYTES)


def _time(at: datetime) -> Markup:
    """A time, in UTC; a script shows it in the reader's own zone."""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.astimezone(UTC).isoformat(timespec="seconds"), times.moment(at), times.moment(at)
    )


def _entries_with(ids: Sequence[str], query: str, names: Mapping[str, str]) -> tuple[Sequence[str], int]:
    """The first of the entries with this in their id or name, and how many more there are."""
    wanted = query.lower()
    found = [one for one in ids if wanted in one or wanted in names.get(one, "").lower()]
    return found[:MOST_ENTRIES], len(found[MOST_ENTRIES:])


def digest(content: bytes) -> str:
    """What the address of a static file ends with, so that it changes with what is in the file."""
    return hashlib.sha256(content).hexdigest()[:12]


@cache
def _address(name: str) -> str:
    """The address of a static file."""
    return f"/static/{name}?{digest((STATIC / name).read_bytes())}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"time": _time, "duration": times.duration, "ahead": times.ahead, "ago": times.ago}
    environment.filters["seconds"] = lambda seconds: times.span(timedelta(seconds=seconds))
    environment.filters |= {"sentence": record.sentence, "detail": record.detail, "checks": checks_of}
    environment.filters |= {"entries_with": _entries_with}
    environment.filters["written_duration"] = lambda written: times.duration(duration_parser("days")(written))
    environment.globals |= {"static": _address, "nonce": nonce, "tells_of": record.NOTIFICATIONS}
    return environment
