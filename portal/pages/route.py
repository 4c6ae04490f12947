"""Routes of pages: the session's cookie says who calls, and errors are shown on a page."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from countersign.errors import CountersignError, NotAllowed, message_of
from countersign.policy.file import LARGEST_FILE_BYTES
from countersign.remedies import remedy
from portal import auth
from portal.api.problems import of_http, status_of
from portal.api.routes import LARGEST_BODY_BYTES, PREFIX, at_most, refusals_counted
from portal.auth import CallerHere
from portal.connections import address_of
from portal.context import Context
from portal.fair_executor import WHOSE
from portal.limits import AtOnce
from portal.pages.render import page, redirect_to

HEADERS = {
    # Nothing is loaded from elsewhere, no script or style is inline, and no page is in a frame of another.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FOREIGN = "This was not sent by a page of this portal, so nothing was done. Open the page here, and try again."

NO_PAGE = "There is no page at this address."

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class OpenRoute(APIRoute):
    """A page for everybody. A POST is taken from our own pages only."""

    largest_body_bytes = LARGEST_BODY_BYTES

    def get_route_handler(self) -> Handler:
        """Check where a POST comes from, and show errors on a page."""
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            # In the turn of its address until the caller is known, so that a flood of sign-ins slows down nobody else.
            WHOSE.set(f"address {address_of(request)}")
            try:
                if request.method == "POST" and not _is_ours(request):
                    raise NotAllowed(FOREIGN)
                bounded = Request(request.scope, at_most(self.largest_body_bytes, request.receive))
                response = await self.called(bounded, handle)
            except (CountersignError, RequestValidationError, HTTPException) as error:
                response = _told(request, error)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return told

    async def called(self, request: Request, handle: Handler) -> Response:
        """Answer a call."""
        return await handle(request)


class PageRoute(OpenRoute):
    """A page for people who have signed in; others are led to sign in, and back."""

    async def called(self, request: Request, handle: Handler) -> Response:
        """Find out who calls first."""
        context: Context = request.app.state.context
        cookie = request.cookies.get(context.site.session_cookie, "")
        caller = await context.run(auth.by_session, context.store, cookie) if cookie else None
        if caller is None:
            return _to_sign_in(request)
        WHOSE.set(f"session {caller.credential.id}")
        request.state.caller = caller
        with self._at_once(context).one(caller.credential.id), refusals_counted(request, context, caller):
            return await handle(request)

    def _at_once(self, context: Context) -> AtOnce:
        """The limit on a session's calls at the same time."""
        return context.at_once


class PolicyRoute(PageRoute):
    """A page that takes a policy, which is much work for the processor."""

    # In a form, each byte may take up three, and the other fields take up some more.
    largest_body_bytes = 3 * LARGEST_FILE_BYTES + LARGEST_BODY_BYTES

    async def called(self, request: Request, handle: Handler) -> Response:
        """Read the form first, as the framework would take at most a megabyte for a field."""

        async def with_form(request: Request) -> Response:
            if request.method == "POST":
                await request.form(max_part_size=self.largest_body_bytes)
            return await handle(request)

        return await super().called(request, with_form)

    def _at_once(self, context: Context) -> AtOnce:
        return context.heavy if "POST" in (self.methods or ()) else context.at_once


async def no_such_page(request: Request, error: Exception) -> Response:
    """The response for an address that has nothing: a page for people, a problem for programs."""
    assert isinstance(error, HTTPException)
    if request.url.path.startswith(PREFIX) or "text/html" not in request.headers.get("Accept", ""):
        return await of_http(request, error)
    response = page(request, "error", HTTPStatus(error.status_code), said=NO_PAGE)
    response.headers.update(HEADERS)
    return response


def page_router(route_class: type[OpenRoute] = PageRoute) -> APIRouter:
    """A router for pages, which are not part of the API."""
    return APIRouter(route_class=route_class, include_in_schema=False)


def admin_router(route_class: type[PageRoute] = PageRoute) -> APIRouter:
    """A router for pages that admins alone may see."""
    return APIRouter(route_class=route_class, include_in_schema=False, dependencies=[Depends(_must_be_admin)])


async def _must_be_admin(caller: CallerHere) -> None:
    caller.must_be_admin()


def _is_ours(request: Request) -> bool:
    """Whether a page of ours sent this, by what the browser (https://www.w3.org/TR/fetch-metadata/) or Origin says.

    A call without either doesn't come from a browser of recent years, and is refused.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(request.headers.get("Origin", ""))
    return bool(origin.netloc) and origin.netloc == request.headers.get("Host")


def _to_sign_in(request: Request) -> Response:
    # After a POST that came too late, the page that it belongs to is shown again.
    path = request.url.path if request.method == "GET" else request.url.path.rpartition("/")[0]
    query = f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
    return redirect_to(f"/sign-in?go_to={quote(path + query, safe='/')}")


def _told(request: Request, error: CountersignError | RequestValidationError | HTTPException) -> Response:
    if isinstance(error, RequestValidationError):
        said = [f"{one['loc'][-1]} {remedy(one)}" for one in error.errors()]
        return page(request, "error", HTTPStatus.UNPROCESSABLE_ENTITY, said="; ".join(said).capitalize() + ".")
    if isinstance(error, HTTPException):
        return page(request, "error", HTTPStatus(error.status_code), said=str(error.detail))
    return page(request, "error", status_of(error), said=message_of(error))
