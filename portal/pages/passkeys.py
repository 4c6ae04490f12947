"""Passkeys: added and removed on the page of sessions, and used to confirm that it is oneself."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Form, Path, Response
from fastapi.responses import RedirectResponse

from countersign.errors import NotAllowed, message_of
from countersign.machines import LONGEST_LABEL
from countersign.models import PlainText
from portal.auth import Caller, CallerHere
from portal.context import Context, ContextHere
from portal.pages.confirm import to_confirm
from portal.pages.route import page_router
from portal.pages.site import LONGEST_PAGE, START, is_own_page
from portal.passkeys import RelyingParty

SESSIONS = "/sessions"
SIGN_IN_FIRST = "Sign in again first."
NEEDS_SCRIPT = "Your browser did not offer a passkey: it needs JavaScript, and a device that can make passkeys."
LONGEST_CREDENTIAL = 16_000
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
    """Add a passkey; only who has just signed in may, lest a session that was stolen becomes a key."""
    if not caller.has_confirmed:
        return to_confirm(SESSIONS)
    challenge = await _challenge(context, caller, credential)
    try:
        made = await context.work(_party(context).made, credential, challenge)
    except NotAllowed as refused:
        await _record(context, caller, refused)
        raise
    await context.run(
        context.engine.passkeys.add, caller.name, made, label.strip() or "a passkey", caller.credential.proof
    )
    return RedirectResponse(SESSIONS, HTTPStatus.SEE_OTHER)


@router.post("/passkeys/{passkey_id}/remove")
async def remove(context: ContextHere, caller: CallerHere, passkey_id: Annotated[str, Path(max_length=16)]) -> Response:
    """Remove one of them."""
    await context.run(context.engine.passkeys.remove, passkey_id, caller.name, caller.credential.proof)
    return RedirectResponse(SESSIONS, HTTPStatus.SEE_OTHER)


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
    try:
        passkey, count = await context.work(_party(context).used, credential, challenge, known)
    except NotAllowed as refused:
        await _record(context, caller, refused)
        raise
    await context.run(context.engine.passkeys.confirm, passkey, count, caller.credential.id, caller.credential.proof)
    return RedirectResponse(go_to if is_own_page(go_to) else START, HTTPStatus.SEE_OTHER)


def _party(context: Context) -> RelyingParty:
    return RelyingParty(context.site.instance_name, context.site.public_url)


async def _challenge(context: Context, caller: Caller, credential: str) -> bytes:
    if not credential:
        raise NotAllowed(NEEDS_SCRIPT)
    return await context.run(context.engine.passkeys.take_challenge, caller.credential.id)


async def _record(context: Context, caller: Caller, refused: NotAllowed) -> None:
    await context.run(context.engine.passkeys.refuse, caller.name, message_of(refused), caller.credential.proof)
