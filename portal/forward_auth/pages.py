"""From a web application to the portal and back: signing in, asking for access, and waiting for it.

The pages under /.countersign/ are on the application's host: its proxy sends them here. The others are the portal's.
"""

import re
import secrets
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import Depends, Form, Query, Request, Response

from countersign.errors import NotAllowed, Unavailable
from countersign.kinds.connection import ConnectionQuestion
from countersign.models import LONGEST_REASON
from engine.credentials.application_sessions import AtApplication
from portal.api.devices import approvers_of
from portal.api.requests import LARGEST, visible_request
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere
from portal.forward_auth.check import START
from portal.forward_auth.proxied import BROWSER_COOKIE, COOKIE, proxied
from portal.forward_auth.visits import VISIT_LASTS, Visit, signed, visit_of
from portal.pages.cards import Card
from portal.pages.render import page, redirect_to
from portal.pages.requests import Nonce, call_id, version_of
from portal.pages.route import OpenRoute, page_router
from portal.pages.site import is_own_page
from store.tokens import hashed

OURS = "/.countersign/"
ACCEPT = f"{OURS}accept"
SECRET_BYTES = 16
SECRET = re.compile(rf"[0-9a-f]{{{2 * SECRET_BYTES}}}")
# With this and a visit in it, an address is short enough for a browser to be led to after signing in.
LONGEST_QUOTED = 1400
LONGEST_VISIT = 500
NO_ADDRESS = "Nobody can sign in for applications yet: an administrator has to set COUNTERSIGN_PUBLIC_URL."
To = Annotated[str, Query(max_length=20_000)]


class Arrived(NamedTuple):
    """Somebody who comes from an application; `address` is the page that they wait on."""

    visit: Visit
    question: ConnectionQuestion
    to: str
    address: str


async def _arrived(
    context: ContextHere,
    caller: CallerHere,
    signed_visit: Annotated[str, Query(alias="visit", max_length=LONGEST_VISIT)],
    to: To = "/",
) -> Arrived:
    visit = await context.run(visit_of, context.store, signed_visit, context.site.public_url)
    return Arrived(visit, visit.question(caller.name), _path(to), _waiting(signed_visit, _path(to)))


ArrivedHere = Annotated[Arrived, Depends(_arrived)]

open_to_all = page_router(OpenRoute)
router = page_router()


@open_to_all.get(START)
async def start(request: Request, context: ContextHere, to: To = "/") -> Response:
    """Lead a browser from an application to the portal; it gets a secret first, which it has to have when it returns.

    One that has it keeps it, so that tabs which are opened one after another all come back.
    """
    asked = proxied(request.scope["headers"])
    token_id = await context.forward_auth.gateway(asked)
    if not context.site.public_url:
        raise Unavailable(NO_ADDRESS)
    kept = asked.cookie(BROWSER_COOKIE)
    secret = kept if SECRET.fullmatch(kept) else secrets.token_hex(SECRET_BYTES)
    now = int(datetime.now(UTC).timestamp())
    visit = Visit(asked.host, asked.device, asked.source_address, hashed(secret), now)
    signed_visit = await context.run(signed, context.store, token_id, visit)
    response = redirect_to(f"{context.site.public_url}{_waiting(signed_visit, _path(to))}")
    _set(response, BROWSER_COOKIE, secret, int(VISIT_LASTS.total_seconds()))
    return response


@open_to_all.get(ACCEPT)
async def accept(
    request: Request, context: ContextHere, code: Annotated[str, Query(max_length=200)] = "", to: To = "/"
) -> Response:
    """Give a browser that returns the cookie of the application's host, and lead it to where it wanted to go."""
    asked = proxied(request.scope["headers"])
    await context.forward_auth.gateway(asked)
    at = AtApplication(asked.host, asked.cookie(BROWSER_COOKIE), asked.source_address)
    try:
        cookie, ends_at = await context.run(context.engine.application_sessions.begin, code, at)
    except NotAllowed:
        return redirect_to(f"{context.site.public_url}/applications/refused")
    response = redirect_to(_path(to))
    _set(response, COOKIE, cookie, max(1, int((ends_at - datetime.now(UTC)).total_seconds())))
    return response


@open_to_all.get("/applications/refused")
async def refused(request: Request) -> Response:
    """Why a browser that returned was not let in."""
    return page(request, "application_refused", HTTPStatus.FORBIDDEN)


@router.get("/applications/open")
async def waiting(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    arrived: ArrivedHere,
    number: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
) -> Response:
    """Lead somebody whose grant lasts back to the application; show others their request, or a form to ask."""
    question = arrived.question
    if await context.run(context.engine.application_sessions.granted, question):
        return await _ready(request, context, caller, arrived)
    version = await version_of(context)
    waits_by = await context.run(context.store.requests.waiting_for, question)
    number = waits_by or number
    view = await visible_request(context, caller, number) if number else None
    about: dict[str, Any] = {"live": f"request {number}", "version": version} if waits_by else {}
    return page(
        request,
        "application",
        visit=arrived.visit,
        address=arrived.address,
        card=Card(view, caller.principal) if view and view.subject.key == question.subject.key else None,
        waits=waits_by is not None,
        is_for_here=view is None or view.is_for(question.source_address),
        found=None if waits_by else await approvers_of(context, caller, question),
        **about,
    )


@router.post("/applications/open")
async def ask(
    context: ContextHere,
    caller: CallerHere,
    nonce: Nonce,
    arrived: ArrivedHere,
    reason: Annotated[str, Form(max_length=LONGEST_REASON)] = "",
) -> Response:
    """Ask for access, and lead to where one waits for it."""
    question = arrived.question.model_copy(update={"reason": reason})
    asked = await context.engine.ask(question, caller.principal, call_id(caller, nonce))
    return redirect_to(f"{arrived.address}&number={asked.approval_id}")


async def _ready(request: Request, context: Context, caller: Caller, arrived: Arrived) -> Response:
    """A page that leads on; not a redirect, as browsers apply `form-action` to where a form's reply redirects."""
    visit = arrived.visit
    code = await context.run(
        context.engine.application_sessions.offer,
        arrived.question,
        visit.host,
        visit.browser_hash,
        caller.credential.id,
        context.http_valid,
    )
    address = f"https://{visit.host}{ACCEPT}?{urlencode({'code': code, 'to': arrived.to})}"
    response = page(request, "application_ready", visit=visit, address=address)
    response.headers["Refresh"] = f"0; url={address}"
    return response


def _path(to: str) -> str:
    """The application's path to lead to; `/` instead of another host, a page of ours, or what is too long."""
    fits = is_own_page(to) and len(quote(to, safe="")) <= LONGEST_QUOTED
    return to if fits and not to.startswith(OURS) else "/"


def _waiting(signed_visit: str, to: str) -> str:
    return f"/applications/open?{urlencode({'visit': signed_visit, 'to': to})}"


def _set(response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")
