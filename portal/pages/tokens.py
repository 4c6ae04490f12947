"""A person's tokens, for programs that act for them; and for admins those of everybody, gateways too."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import Form, Path, Query, Request, Response

from countersign.machines import LONGEST_LABEL
from countersign.models import PlainText
from countersign.times import duration
from portal.auth import CallerHere
from portal.context import ContextHere
from portal.pages.render import next_page, page, redirect_to, secret_page
from portal.pages.route import page_router

PER_PAGE = 50
Days = Literal["1", "7", "30", "90", "365"]
DAYS: tuple[Days, ...] = ("1", "7", "30", "90", "365")
MADE = "Copy it now: it is shown this once, and kept nowhere. It lasts {}, and whoever has it acts as you."

router = page_router()


@router.get("/tokens")
async def tokens(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    everybody: bool = False,
    before: Annotated[str, Query(max_length=16)] = "",
) -> Response:
    """The tokens that last: one's own, or, for an admin who wants so, everybody's."""
    whose = "" if everybody and caller.is_admin else caller.name
    found = await context.run(context.store.tokens.lasting, datetime.now(UTC), whose, before, PER_PAGE)
    older = next_page(request, found[-1].id if len(found) == PER_PAGE else None)
    policy = await context.run(context.store.reading.policy)
    return page(request, "tokens", tokens=found, everybody=not whose, users=policy.users, next_page=older, days=DAYS)


@router.post("/tokens")
async def make(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    lasts: Annotated[Days, Form()],
    label: Annotated[PlainText, Form(max_length=LONGEST_LABEL)] = "",
) -> Response:
    """Make a token, and show it, this once."""
    made = await context.run(context.engine.tokens.make_own, caller.name, timedelta(days=int(lasts)), label.strip())
    about = MADE.format(duration(timedelta(days=int(lasts))))
    return secret_page(request, "Your new token", about, {"": made}, "/tokens", "To your tokens")


@router.post("/tokens/{token_id}/end")
async def end(context: ContextHere, caller: CallerHere, token_id: Annotated[str, Path(max_length=16)]) -> Response:
    """End one of them."""
    await context.run(context.engine.tokens.end_own, token_id, caller.principal)
    return redirect_to("/tokens")
