"""Where somebody proves again who they are, before an approval counts that needs it."""

from http import HTTPStatus
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from countersign.permissions import CONFIRMED_FOR
from portal.auth import CallerHere
from portal.context import ContextHere
from portal.pages.render import page
from portal.pages.route import page_router
from portal.pages.site import START, is_own_page

router = page_router()


@router.get("/confirm")
async def form(request: Request, context: ContextHere, caller: CallerHere, go_to: str = "") -> Response:
    """The ways to sign in again."""
    person = await context.engine.person(caller.name)
    passkeys = await context.run(context.store.passkeys.of, caller.name)
    to = go_to if is_own_page(go_to) else START
    return page(request, "confirm", go_to=to, email=person.email, passkeys=passkeys, lasts=CONFIRMED_FOR)


def to_confirm(go_to: str) -> Response:
    """Lead there, and back."""
    return RedirectResponse(f"/confirm?go_to={quote(go_to, safe='/')}", HTTPStatus.SEE_OTHER)
