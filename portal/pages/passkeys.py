"""Passkeys: added and removed on the page of sessions, and used to confirm who one is."""

from collections.abc import Callable
from typing import Annotated, Literal, ParamSpec, TypeVar
from urllib.parse import quote

from fastapi import Form, Path, Request, Response

from countersign.errors import NotAllowed, message_of
from countersign.machines import LONGEST_LABEL
from countersign.models import PlainText
from countersign.permissions import CONFIRMED_FOR
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere
from portal.pages.render import page, redirect_to
from portal.pages.route import page_router
from portal.pages.site import LONGEST_PAGE, START, is_own_page
from portal.passkeys import RelyingParty

SESSIONS = "/sessions"
SIGN_IN_FIRST = "Sign in again first."
NEEDS_SCRIPT = "Your browser did not offer a passkey: it needs JavaScript, and a device that can make passkeys."
LONGEST_CREDENTIAL = 16_000
P = ParamSpec("P")
T = TypeVar("T")
Credential = Annotated[str, Form(max_length=LONGEST_CREDENTIAL)]

router = page_router()


@router.post("/passkeys/options")
async def options(
    context: ContextHere, caller: CallerHere, purpose: Annotated[Literal["add", "confirm"], Form()]
) -> Response:
    """What the browser is to be asked, for the script of the page."""
    if purpose == "add" and not caller.has_confirmed:
        raise NotAllowed(SIGN_IN_FIRST)
    known = await context.run(context.store.passkeys.of, caller.name)
    challenge = await context.run(context.engine.passkeys.challenge, caller.credential.id)
    party = _party(context)
    asked = party.to_confirm(challenge, known)
    if purpose == "add":
        asked = party.to_add(challenge, caller.name, caller.shown_name, known)
    return Response(asked, media_type="application/json")


@router.post("/passkeys")
async def add(
    context: ContextHere,
    caller: CallerHere,
    credential: Credential = "",
    label: Annotated[PlainText, Form(max_length=LONGEST_LABEL)] = "",
) -> Response:
    """Add a passkey, for somebody who has just confirmed who they are: a stolen session must not become a passkey."""
    if not caller.has_confirmed:
        return to_confirm(SESSIONS)
    challenge = await _challenge(context, caller, credential)
    made = await _verified(context, caller, _party(context).made, credential, challenge)
    await context.run(
        context.engine.passkeys.add, caller.name, made, label.strip() or "a passkey", caller.credential.proof
    )
    return redirect_to(SESSIONS)


@router.post("/passkeys/{passkey_id}/remove")
async def remove(context: ContextHere, caller: CallerHere, passkey_id: Annotated[str, Path(max_length=16)]) -> Response:
    """Remove one of them."""
    await context.run(context.engine.passkeys.remove, passkey_id, caller.name, caller.credential.proof)
    return redirect_to(SESSIONS)


@router.get("/confirm")
async def ways_to_confirm(request: Request, context: ContextHere, caller: CallerHere, go_to: str = "") -> Response:
    """The ways to prove again who one is, before an approval counts that needs it."""
    person = await context.engine.person(caller.name)
    passkeys = await context.run(context.store.passkeys.of, caller.name)
    to = go_to if is_own_page(go_to) else START
    return page(request, "confirm", go_to=to, email=person.email, passkeys=passkeys, lasts=CONFIRMED_FOR)


@router.post("/confirm")
async def confirm(
    context: ContextHere,
    caller: CallerHere,
    credential: Credential = "",
    go_to: Annotated[str, Form(max_length=LONGEST_PAGE)] = "",
) -> Response:
    """Confirm with a passkey that it is oneself."""
    challenge = await _challenge(context, caller, credential)
    known = await context.run(context.store.passkeys.of, caller.name)
    passkey, count = await _verified(context, caller, _party(context).used, credential, challenge, known)
    await context.run(context.engine.passkeys.confirm, passkey, count, caller.credential.id, caller.credential.proof)
    return redirect_to(go_to if is_own_page(go_to) else START)


def to_confirm(go_to: str) -> Response:
    """Lead to the page on which one confirms who one is, and then to `go_to`."""
    return redirect_to(f"/confirm?go_to={quote(go_to, safe='/')}")


def _party(context: Context) -> RelyingParty:
    return RelyingParty(context.site.instance_name, context.site.public_url)


async def _challenge(context: Context, caller: Caller, credential: str) -> bytes:
    if not credential:
        raise NotAllowed(NEEDS_SCRIPT)
    return await context.run(context.engine.passkeys.take_challenge, caller.credential.id)


async def _verified(context: Context, caller: Caller, verify: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """A browser's reply, verified. Raises NotAllowed, which is recorded, if it proves nothing."""
    try:
        return await context.work(verify, *args, **named)
    except NotAllowed as refused:
        await context.run(context.engine.passkeys.refuse, caller.name, message_of(refused), caller.credential.proof)
        raise
