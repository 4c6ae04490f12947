"""Where people are signed in, and the tokens of their programs: listed and ended."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import Query

from portal.api.paging import PageHere, TheId
from portal.api.problems import described
from portal.api.requests import LINKED
from portal.api.routes import token_router
from portal.auth import Caller, CallerHere
from portal.context import ContextHere
from store.sessions import Session
from store.tokens import Token

Everybody = Annotated[bool, Query(description="For admins: everybody's.")]
LISTED = {200: {"headers": LINKED}, **described(HTTPStatus.FORBIDDEN)}
ENDED = described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)

router = token_router("access")


@router.get("/sessions", responses=LISTED)
async def sessions(
    context: ContextHere, caller: CallerHere, page: PageHere, everybody: Everybody = False
) -> list[Session]:
    """A page of the current sessions of your browsers, newest first."""
    whose, lasting = _whose(caller, everybody), context.store.sessions.lasting
    return page.of(await context.run(lasting, datetime.now(UTC), whose, page.before, page.limit))


@router.post("/sessions/{session_id}/end", responses=ENDED)
async def end_session(context: ContextHere, caller: CallerHere, session_id: TheId) -> Session:
    """End a session: your own, or, for admins, anybody's. Ending it again changes nothing."""
    caller.must_be_person()
    return await context.run(context.engine.sign_in.end_session, session_id, caller.principal)


@router.get("/tokens", responses=LISTED)
async def tokens(context: ContextHere, caller: CallerHere, page: PageHere, everybody: Everybody = False) -> list[Token]:
    """A page of your valid tokens, newest first, without their secrets. An operator makes the tokens of gateways."""
    whose, lasting = _whose(caller, everybody), context.store.tokens.lasting
    return page.of(await context.run(lasting, datetime.now(UTC), whose, page.before, page.limit))


@router.post("/tokens/{token_id}/end", responses=ENDED)
async def end_token(context: ContextHere, caller: CallerHere, token_id: TheId) -> Token:
    """End a token for good: your own, or, for admins, anybody's. Ending it again changes nothing."""
    caller.must_be_person()
    return await context.run(context.engine.tokens.end_own, token_id, caller.principal)


def _whose(caller: Caller, everybody: bool) -> str:
    """Whose to list; empty for everybody's. Raises NotAllowed."""
    if everybody:
        caller.must_be_admin()
        return ""
    return caller.must_be_person()
