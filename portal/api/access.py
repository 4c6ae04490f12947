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

Everybody = Annotated[bool, Query(description="Those of everybody, for an admin.")]
LISTED = {200: {"headers": LINKED}, **described(HTTPStatus.FORBIDDEN)}
ENDED = described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)

router = token_router("access")


@router.get("/sessions", responses=LISTED)
async def sessions(
    context: ContextHere, caller: CallerHere, page: PageHere, everybody: Everybody = False
) -> list[Session]:
    """A page of the sessions of your browsers that last, newest first."""
    whose, lasting = _whose(caller, everybody), context.store.sessions.lasting
    return page.of(await context.run(lasting, datetime.now(UTC), whose, page.before, page.limit))


@router.post("/sessions/{session_id}/end", responses=ENDED)
async def end_session(context: ContextHere, caller: CallerHere, session_id: TheId) -> Session:
    """End a session: one of yours, or, as an admin, anybody's. Ending it again changes nothing."""
    caller.must_be_person()
    return await context.run(context.engine.sign_in.end_session, session_id, caller.principal)


@router.get("/tokens", responses=LISTED)
async def tokens(context: ContextHere, caller: CallerHere, page: PageHere, everybody: Everybody = False) -> list[Token]:
    """A page of your tokens that last, newest first, without their secrets; gateways have theirs from an operator."""
    whose, lasting = _whose(caller, everybody), context.store.tokens.lasting
    return page.of(await context.run(lasting, datetime.now(UTC), whose, page.before, page.limit))


@router.post("/tokens/{token_id}/end", responses=ENDED)
async def end_token(context: ContextHere, caller: CallerHere, token_id: TheId) -> Token:
    """End a token for good: one of yours, or, as an admin, anybody's. Ending it again changes nothing."""
    caller.must_be_person()
    return await context.run(context.engine.tokens.end_own, token_id, caller.principal)


def _whose(caller: Caller, everybody: bool) -> str:
    """Whose to list; empty for everybody's. Raises NotAllowed."""
    if everybody:
        caller.must_be_admin()
        return ""
    return caller.must_be_person()
