"""Where a person allows a command line to act for them: they type its code, and see what asks and from where."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from fastapi import Form, Query, Request, Response

from countersign.errors import NotFound
from engine.credentials.device_login import TOKEN_LASTS, as_shown
from portal.auth import CallerHere
from portal.context import Context, ContextHere
from portal.pages.render import page
from portal.pages.route import page_router
from portal.pages.site import comes_from

LONGEST_CODE = 40
Code = Annotated[str, Form(max_length=LONGEST_CODE)]

router = page_router()


@router.get("/device")
async def form(request: Request, code: Annotated[str, Query(max_length=LONGEST_CODE)] = "") -> Response:
    """Where one types the code."""
    return page(request, "device", code=code)


@router.post("/device")
async def look(request: Request, context: ContextHere, caller: CallerHere, code: Code) -> Response:
    """What wants to log in with this code, before anything is allowed."""
    with guesses_counted(context, caller.name):
        found = await context.run(
            context.engine.logins.waiting, code, caller.name, comes_from(request, context.site).source_address
        )
    return page(request, "device_asks", login=found, code=as_shown(found.user_code), lasts=TOKEN_LASTS)


@router.post("/device/answer")
async def answer(
    request: Request,
    context: ContextHere,
    caller: CallerHere,
    code: Code,
    verdict: Annotated[Literal["allow", "deny"], Form()],
) -> Response:
    """Allow or deny it."""
    proof = {**caller.credential.proof, "from": comes_from(request, context.site).source_address}
    with guesses_counted(context, caller.name):
        await context.run(context.engine.logins.answer, code, caller.name, verdict == "allow", proof)
    return page(request, "device_answered", allowed=verdict == "allow")


@contextmanager
def guesses_counted(context: Context, person: str) -> Iterator[None]:
    """Raise TooMany for somebody who typed too many codes that do not exist; count this one if it doesn't either."""
    context.guesses.must_have_room(person)
    try:
        yield
    except NotFound:
        context.guesses.count(person)
        raise
