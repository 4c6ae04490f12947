"""Where people are signed in, and the tokens of their programs: listed and ended."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Query, Request, Response

from portal.api.problems import described
from portal.api.requests import LINKED
from portal.api.routes import lead_on, token_router
from portal.auth import Caller, CallerHere
from portal.context import ContextHere
from store.sessions import Session
from store.tokens import Token

LONGEST_LIST = 200
Everybody = Annotated[bool, Query(description="Those of everybody, for an admin.")]
Before = Annotated[str, Query(max_length=16, description="Only those behind the one with this id.")]
Limit = Annotated[int, Query(ge=1, le=LONGEST_LIST)]
TheId = Annotated[str, Path(max_length=16)]
LISTED = {200: {"headers": LINKED}, **described(HTTPStatus.FORBIDDEN)}
ENDED = described(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)

router = token_router("access")


@router.get("/sessions", responses=LISTED)
async def sessions(
    request: Request,
    response: Response,
    context: ContextHere,
    caller: CallerHere,
    everybody: Everybody = False,
    before: Before = "",
    limit: Limit = 50,
) -> list[Session]:
    """A page of the sessions of your browsers that last, newest first."""
    found = await context.run(
        context.store.sessions.lasting, datetime.now(UTC), _whose(caller, everybody), before, limit
    )
    if len(found) == limit:
        lead_on(request, response, before=found[-1].id)
    return found


@router.post("/sessions/{session_id}/end", responses=ENDED)
async def end_session(context: ContextHere, caller: CallerHere, session_id: TheId) -> Session:
    """End a session: one of yours, or, as an admin, anybody's. Ending it again changes nothing."""
    caller.must_be_person()
    return await context.engine.end_session(session_id, caller.principal)


@router.get("/tokens", responses=LISTED)
async def tokens(
    request: Request,
    response: Response,
    context: ContextHere,
    caller: CallerHere,
    everybody: Everybody = False,
    before: Before = "",
    limit: Limit = 50,
) -> list[Token]:
    """A page of your tokens that last, newest first, without their secrets; gateways have theirs from an operator."""
    found = await context.run(context.store.tokens.lasting, datetime.now(UTC), _whose(caller, everybody), before, limit)
    if len(found) == limit:
        lead_on(request, response, before=found[-1].id)
    return found


@router.post("/tokens/{token_id}/end", responses=ENDED)
async def end_token(context: ContextHere, caller: CallerHere, token_id: TheId) -> Token:
    """End a token for good: one of yours, or, as an admin, anybody's. Ending it again changes nothing."""
    caller.must_be_person()
    return await context.engine.end_token(token_id, caller.principal)


def _whose(caller: Caller, everybody: bool) -> str:
    """Whose to list; empty for everybody's. Raises NotAllowed."""
    if everybody:
        caller.must_be_admin()
        return ""
    return caller.must_be_person()
