"""Signing in with a provider (OpenID Connect): to it and back."""

from typing import Annotated, NoReturn

from fastapi import Form, Query, Request, Response

from countersign.error_codes import ErrorCode
from countersign.errors import NotAllowed, NotFound, message_of
from engine.credentials.sign_in import From
from portal.context import Context, ContextHere
from portal.oidc import CALLBACK, Provider
from portal.pages.render import page
from portal.pages.route import OpenRoute, page_router
from portal.pages.sign_in import signed_in
from portal.pages.site import BROWSER_SECONDS, LONGEST_PAGE, START, Site, comes_from, is_own_page

NOT_SET_UP = "People can sign in only by mail here."
Fresh = Annotated[bool, Form()]

router = page_router(OpenRoute)


@router.post("/sign-in/oidc")
async def begin(
    request: Request,
    context: ContextHere,
    go_to: Annotated[str, Form(max_length=LONGEST_PAGE)] = "",
    fresh: Fresh = False,
) -> Response:
    """Lead to the provider; with `fresh` the person has to sign in there again.

    By a page, and not by a redirect: browsers apply `form-action` to where a form's answer redirects, and to where the
    provider redirects from there (https://www.w3.org/TR/CSP3/#directive-form-action).
    """
    site, provider = context.site, _provider(context.site)
    caller = comes_from(request, site)
    state = await context.run(
        context.engine.sign_in.begin_with_provider, caller, go_to if is_own_page(go_to) else START
    )
    address = await provider.address(state, caller.secret, fresh)
    response = page(request, "to_provider", address=address)
    response.headers["Refresh"] = f"0; url={address}"
    site.set(response, site.browser_cookie, caller.secret, BROWSER_SECONDS)
    return response


@router.get(CALLBACK)
async def returned(
    request: Request,
    context: ContextHere,
    state: Annotated[str, Query(max_length=100)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=100)] = "",
    iss: Annotated[str, Query(max_length=400)] = "",
) -> Response:
    """Begin a session for whom the provider says it is; `iss` is that of RFC 9207."""
    site, provider = context.site, _provider(context.site)
    caller = comes_from(request, site)
    go_to = await context.run(context.engine.sign_in.returned_from_provider, state, caller)
    if error or not code or iss not in ("", provider.issuer):
        await _refuse(context, caller, NotAllowed(f"{provider.name} did not sign you in.", ErrorCode.REFUSED))
    try:
        found = await provider.identity(code, state, caller.secret)
    except NotAllowed as refused:
        await _refuse(context, caller, refused)
    cookie = await context.run(
        context.engine.sign_in.by_provider, found.address, provider.issuer, caller, found.proven_at
    )
    return await signed_in(request, context, cookie, go_to)


def _provider(site: Site) -> Provider:
    if site.provider is None:
        raise NotFound(NOT_SET_UP)
    return site.provider


async def _refuse(context: Context, caller: From, refused: NotAllowed) -> NoReturn:
    """Record why nobody was signed in, and raise that."""
    await context.run(context.engine.sign_in.refuse, message_of(refused), caller)
    raise refused
