"""Signing in by a link that is mailed, signing out, and the sessions that last."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Form, Path, Query, Request, Response

from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed, Unavailable
from countersign.permissions import Principal
from portal.auth import CallerHere
from portal.context import Context, ContextHere
from portal.pages.render import next_page, page, redirect_to
from portal.pages.route import OpenRoute, page_router
from portal.pages.site import BROWSER_SECONDS, LONGEST_PAGE, START, comes_from, is_own_page

NO_LINKS = (
    "Nobody can sign in by mail here yet: an administrator has to set COUNTERSIGN_PUBLIC_URL and a mail server "
    "(COUNTERSIGN_SMTP_HOST)."
)
WRONG_LINK = "This link is incomplete. Copy it again from the mail, or ask for a new one."
LONGEST_ADDRESS = 320
PER_PAGE = 50

open_to_all = page_router(OpenRoute)
router = page_router()


@open_to_all.get("/sign-in")
async def form(request: Request, context: ContextHere, go_to: str = "") -> Response:
    """Where one asks for a link, or goes on to the provider.

    The browser gets its secret here already: so tabs that are opened one after another begin with the same.
    """
    site = context.site
    response = page(request, "sign_in", go_to=go_to if is_own_page(go_to) else "", works=bool(site.links))
    site.set(response, site.browser_cookie, comes_from(request, site).secret, BROWSER_SECONDS)
    return response


@open_to_all.post("/sign-in")
async def ask(
    request: Request,
    context: ContextHere,
    email: Annotated[str, Form(max_length=LONGEST_ADDRESS)],
    go_to: Annotated[str, Form(max_length=LONGEST_PAGE)] = "",
) -> Response:
    """Send a link, if the address is somebody's; the page says the same in either case."""
    site = context.site
    if not site.links:
        raise Unavailable(NO_LINKS)
    caller = comes_from(request, site)
    await context.engine.send_sign_in_link(email, caller, go_to if is_own_page(go_to) else START, list(site.links))
    response = page(request, "link_sent", email=email)
    site.set(response, site.browser_cookie, caller.secret, BROWSER_SECONDS)
    return response


@open_to_all.get("/sign-in/{link}")
async def opened(request: Request, link: Annotated[str, Path(max_length=100)]) -> Response:
    """What a link opens: a button, as programs that look through mails open links, too."""
    return page(request, "link_opened")


@open_to_all.post("/sign-in/{link}")
async def sign_in(request: Request, context: ContextHere, link: Annotated[str, Path(max_length=100)]) -> Response:
    """Begin a session."""
    site = context.site
    link_id, _, secret = link.partition(".")
    if not site.is_link(link_id, secret):
        raise NotAllowed(WRONG_LINK, ErrorCode.REFUSED)
    begun = await context.run(context.engine.sign_in.by_link, link_id, comes_from(request, site))
    return await signed_in(request, context, begun.cookie, begun.go_to)


async def signed_in(request: Request, context: Context, cookie: str, go_to: str) -> Response:
    """Lead somebody on with the cookie of a new session; the session that this browser had before ends."""
    site = context.site
    before = request.cookies.get(site.session_cookie, "")
    if before and (old := await context.run(context.store.sessions.find, before, datetime.now(UTC))):
        await context.run(context.engine.sign_in.end_session, old.id, Principal(old.person))
    response = redirect_to(go_to)
    site.set(response, site.session_cookie, cookie)
    return response


@router.post("/sign-out")
async def sign_out(context: ContextHere, caller: CallerHere) -> Response:
    """End this session."""
    await context.run(context.engine.sign_in.end_session, caller.credential.id, caller.principal)
    response = redirect_to("/sign-in")
    context.site.forget(response, context.site.session_cookie)
    return response


@router.get("/sessions")
async def sessions(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    everybody: bool = False,
    before: Annotated[str, Query(max_length=16)] = "",
) -> Response:
    """The sessions that last: one's own, or, for an admin who wants so, everybody's."""
    whose = "" if everybody and caller.is_admin else caller.name
    found = await context.run(context.store.sessions.lasting, datetime.now(UTC), whose, before, PER_PAGE)
    older = next_page(request, found[-1].id if len(found) == PER_PAGE else None)
    policy = await context.run(context.store.reading.policy)
    passkeys = await context.run(context.store.passkeys.of, caller.name)
    return page(
        request, "sessions", sessions=found, passkeys=passkeys, everybody=not whose, users=policy.users, next_page=older
    )


@router.post("/sessions/{session_id}/end")
async def end(context: ContextHere, caller: CallerHere, session_id: Annotated[str, Path(max_length=16)]) -> Response:
    """End one of them."""
    await context.run(context.engine.sign_in.end_session, session_id, caller.principal)
    return redirect_to("/sessions")
